"""`Authenticator`: verifies credentials and returns the caller as a `Principal`.

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
    """One way to authenticate. Derive from it; write `authenticate`, `scheme` and `challenge`.

    Attributes:
        name: its key in `AUTHENTICATORS`, and the name of its scheme in the document.
        scheme: its Security Scheme Object (OpenAPI 3.1, 4.8.27).
        challenge: its challenge, the value of `WWW-Authenticate` in a 401 (RFC 9110, 11.6.1).
        refusal: the challenge where its credentials were sent and wrong; *challenge* when empty.
        header: the lower-case name of the header that carries its credentials; `None` for none.
    """

    name: str = ""
    scheme: Mapping[str, Any]
    challenge: str = ""
    refusal: str = ""
    header: str | None = None

    def check(self, settings: Settings) -> Iterable[Problem]:
        """Return the problems that *settings* cause for it; called once, when it is registered."""
        return ()

    async def authenticate(self, request: Request) -> Principal | None:
        """Return the caller of *request*; `None` where it has no credentials of this kind.

        Raises:
            Unauthorized: it has some, and they are wrong.
        """
        raise NotImplementedError
