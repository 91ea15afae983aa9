"""`HTTPBasic`: authenticates callers by user name and password (RFC 7617).

Made at start-up; `authenticate` runs per request.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

from msframework._imports import exists
from msframework.access import password as passwords
from msframework.access.authenticator import Authenticator
from msframework.access.challenge import build_challenge
from msframework.access.credentials import read_authorization
from msframework.access.password import PasswordHasher, is_hash
from msframework.access.source import FindPrincipal, PrincipalSource
from msframework.exceptions import ImproperlyConfigured, Unauthorized
from msframework.principal import Principal
from msframework.problem import Problem
from msframework.serving.request import Request

_find_control = re.compile(r"[\x00-\x1f\x7f]").search


class HTTPBasic(Authenticator):
    """Authenticates callers by user name and password, which are sent with every request.

    Args:
        check: `check(username, password) -> Principal | None`, a function or coroutine function,
            which may also take `request`; or a mapping from user names to hashes of
            `hash_password`.
        realm: the realm of the challenge, which a browser may show.
        hasher: the `PasswordHasher` that verifies the hashes, in place of `verify_password`.

    Raises:
        ImproperlyConfigured: with every mistake in a mapping; no password is shown.
    """

    header = "authorization"

    def __init__(
        self,
        check: FindPrincipal | Mapping[str, str],
        *,
        realm: str = "api",
        hasher: PasswordHasher | None = None,
    ) -> None:
        if isinstance(check, Mapping):
            check = PasswordFile(check, hasher).find
        self._source: Final = PrincipalSource(check, "HTTPBasic", ("username", "password"))
        self.scheme = {"type": "http", "scheme": "basic"}
        self.challenge = build_challenge("Basic", realm=realm, charset="UTF-8")

    async def authenticate(self, request: Request) -> Principal | None:
        """Return the user whose password *request* has; `None` without Basic credentials.

        Raises:
            Unauthorized: the password is wrong, there is no such user, or they are malformed.
        """
        found = read_authorization(request)
        if found is None or found[0] != "basic":
            return None
        principal = await self._source.find(request, *read_credentials(found[1]))
        if principal is None:
            raise Unauthorized("the user name or the password is wrong")
        return principal


def read_credentials(value: str) -> tuple[str, str]:
    """Return user name and password of the Basic credentials *value* (RFC 7617, 2).

    Raises:
        Unauthorized: they are not base64 of UTF-8 with a colon, or have control characters.
    """
    try:
        data = b64decode(value.encode("ascii"), validate=True)
        # NOTE: bits after the last byte are ignored by the decoder; one text has one form here.
        if b64encode(data).decode() != value:
            raise ValueError("not the form that an encoder writes")
        text = data.decode()
    except ValueError:
        raise Unauthorized("the Basic credentials are malformed") from None
    username, colon, password = text.partition(":")
    if not colon or _find_control(text) is not None:
        raise Unauthorized("the Basic credentials are malformed")
    return username, password


class PasswordFile:
    """A mapping from user names to the hashes of their passwords, from the settings."""

    def __init__(self, hashes: Mapping[str, str], hasher: PasswordHasher | None) -> None:
        problems = [
            # NOTE: whoever turns name and password around would see the password here.
            Problem(
                f"HTTPBasic: entry {number}",
                "it is no user name with the hash of a password (neither is shown)",
                "a name without colon and control characters, and a hash that begins with $argon2",
                "`await hash_password(…)` makes one.",
            )
            for number, (name, stored) in enumerate(hashes.items(), 1)
            if not _is_name(name) or not is_hash(stored)
        ]
        if not exists("argon2"):
            problems.append(passwords.NOT_INSTALLED)
        if problems:
            raise ImproperlyConfigured.of(problems)
        self._hashes: Final = dict(hashes)
        self._hasher: Final = hasher

    async def find(self, username: str, password: str) -> Principal | None:
        """Return the user; an unknown user name takes as long as a wrong password."""
        hasher = passwords.default if self._hasher is None else self._hasher
        right = await hasher.verify(password, self._hashes.get(username), rehash=False)
        return Principal(username) if right else None


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name) and ":" not in name and not _find_control(name)
