"""Headers and answers that settings switch on: CORS headers and the answer to OPTIONS.

Built at start-up into headers that every answer carries; no Sanic middleware is used for it.
"""

from __future__ import annotations

from msframework.conf.settings import ServerSettings
from msframework.headers import OwnHeaders, Pairs
from msframework.serving.answer import Answer, Heads
from msframework.types import Handler


def cors_headers(settings: ServerSettings) -> Pairs:
    """Return the headers of `ACCESS_CONTROL_ALLOW_ORIGIN`, for every answer (Fetch, 3.3.3)."""
    origin = settings.cors_origin
    if origin is None:
        return ()
    headers: Pairs = (("access-control-allow-origin", origin),)
    return headers if origin == "*" else (*headers, ("vary", "origin"))


def answer_options(settings: ServerSettings, heads: Heads, allow: str) -> Handler:
    """Return the handler of OPTIONS for one path: `Allow`, and the answer to a CORS preflight."""
    head = heads.head(204)
    extra = {"allow": allow}
    if settings.cors_origin is not None:
        extra["access-control-allow-methods"] = settings.cors_methods
        extra["access-control-allow-headers"] = settings.cors_headers
    own = OwnHeaders(extra, "ACCESS_CONTROL_ALLOW_*")

    async def handle_options(request: object, **path: object) -> Answer:
        return Answer(heads, head, b"", request, own)

    return handle_options
