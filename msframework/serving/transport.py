"""`Strict-Transport-Security`, which answers carry over TLS alone (RFC 6797, 7.2).

Built when a worker starts; runs per answer where `SECURITY_HEADERS` has it.
"""

from __future__ import annotations

from msframework.conf.security import HSTS, read_headers
from msframework.conf.settings import ServerSettings
from msframework.headers import OwnHeaders, Pairs
from msframework.serving.answer import Heads, Varying
from msframework.serving.request import Request


def plain_headers(settings: ServerSettings) -> Pairs:
    """Return the headers of `SECURITY_HEADERS` for every answer, however it travels."""
    return tuple(pair for pair in read_headers(settings.security_headers) if pair[0] != HSTS)


def add_transport_security(heads: Heads, settings: ServerSettings) -> None:
    """Let *heads* have `Strict-Transport-Security` for requests over TLS, where it is set.

    A proxy that ends TLS is believed where the settings say how to read what it forwards.
    """
    value = dict(read_headers(settings.security_headers)).get(HSTS)
    if value is not None:
        proxied = settings.is_proxied
        own = OwnHeaders({HSTS: value}, "SECURITY_HEADERS")
        heads.varying = _with_transport_security(heads.varying, own, bool(proxied))


def _with_transport_security(inner: Varying | None, own: OwnHeaders, proxied: bool) -> Varying:
    def headers_of(request: Request) -> OwnHeaders | None:
        found = None if inner is None else inner(request)
        connection = request.conn_info
        secure = connection is not None and connection.ssl
        if not (secure or (proxied and request.scheme in ("https", "wss"))):
            return found
        return own if found is None else found.joined(own)

    return headers_of
