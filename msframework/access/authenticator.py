"""`Authenticator`: tells who calls; also a scheme of the document, and a challenge.

Made at start-up; `authenticate` runs per request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msframework.conf.settings import Settings
from msframework.principal import Principal
from msframework.problem import Problem
from msframework.serving.request import Request


class Authenticator:
    """One way to tell who calls. Derive from it, and write `authenticate`, `scheme`, `challenge`.

    Attributes:
        name: its name in `AUTHENTICATORS`, which is that of its scheme in the document.
        scheme: its Security Scheme Object (OpenAPI 3.1, 4.8.27).
        challenge: what `WWW-Authenticate` says of it in a 401 (RFC 9110, 11.6.1).
        refusal: the same where its own credentials were wrong; the challenge when empty.
        header: the header, in small letters, that its credentials come in; `None` for none.
    """

    name: str = ""
    scheme: Mapping[str, Any]
    challenge: str = ""
    refusal: str = ""
    header: str | None = None

    def check(self, settings: Settings) -> Iterable[Problem]:
        """Return what *settings* lack for it to work; asked once, when a service takes it."""
        return ()

    async def authenticate(self, request: Request) -> Principal | None:
        """Return the caller of *request*; `None` where it brings no credentials of this kind.

        Raises:
            Unauthorized: it brings some, and they are wrong.
        """
        raise NotImplementedError
