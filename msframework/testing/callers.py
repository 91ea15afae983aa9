"""The callers that tests choose with `as_principal`, and the served app that accepts them.

Runs in tests. A test sends a random token of its own (`Authorization: Test …`), and the app's
authenticators know it for as long as `testing.server` serves the app, beside the credentials that
they verify anyway.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from msframework.access import Authenticator, Principal
from msframework.serving.request import Request

PrincipalOrClaims: TypeAlias = Principal | Mapping[str, Any]
_SCHEME: Final = "Test"
_served: Final[dict[str, ChosenCallers]] = {}
_tested: Final[dict[int, TestedAuthenticator]] = {}  # by the id of the authenticator that they hold


class ChosenCallers:
    """The callers that were chosen for one served app, by token."""

    def __init__(self, app: object) -> None:
        self.app = app
        self.authenticators: dict[str, Authenticator] = dict(getattr(app, "authenticators", {}))
        self.known: dict[str, PrincipalOrClaims] = {}

    def admit(self, caller: PrincipalOrClaims) -> str:
        """Return the `Authorization` header that authenticates *caller* from now on.

        Raises:
            ValueError: the app has no authenticators, or not that of *caller*, or the claims are
                not those of a token.
        """
        names = sorted(self.authenticators)
        if not names:
            raise ValueError(
                "as_principal: the service has no authenticators, so no caller has a principal. "
                "Name one in AUTHENTICATORS."
            )
        if not isinstance(caller, Principal):
            read_claims(caller)
        elif not isinstance(caller.id, str):
            raise ValueError(f"as_principal: expected a text as the id, got {caller.id!r}")
        elif caller.authenticator not in ("", *names):
            raise ValueError(
                f"as_principal: the service has no authenticator {caller.authenticator!r}; "
                f"it has {', '.join(names)}"
            )
        token = secrets.token_urlsafe(32)
        self.known[token] = caller
        return f"{_SCHEME} {token}"

    def reads_claims(self, authenticator: Authenticator) -> bool:
        """Tell whether *authenticator* takes claims: one for tokens, or any if there is none."""
        return hasattr(authenticator, "make_principal") or not any(
            hasattr(each, "make_principal") for each in self.authenticators.values()
        )


class TestedAuthenticator:
    """An authenticator that also accepts the callers of tests.

    Attributes:
        believed: the accepted callers of each app that is served with it.
    """

    __test__ = False

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self.believed: list[ChosenCallers] = []

    def install(self) -> None:
        """Replace the `authenticate` of the authenticator."""
        verify = self._authenticator.authenticate

        async def authenticate(request: Request) -> Principal | None:
            found = self._find(request)
            if found is None:
                return await verify(request)  # which refuses the token that nobody knows
            callers, caller = found
            if not isinstance(caller, Principal) and not callers.reads_claims(self._authenticator):
                return None
            return build_principal(caller, self._authenticator)

        # NOTE: on the object alone, as its class has others; `object`, as it may be frozen.
        object.__setattr__(self._authenticator, "authenticate", authenticate)

    def uninstall(self) -> None:
        """Restore the `authenticate` of the authenticator."""
        object.__delattr__(self._authenticator, "authenticate")

    def _find(self, request: Request) -> tuple[ChosenCallers, PrincipalOrClaims] | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != _SCHEME:
            return None
        own = (callers for callers in self.believed if callers.app is request.app)
        known = (callers for callers in own if token in callers.known)
        return next(((callers, callers.known[token]) for callers in known), None)


def build_principal(caller: PrincipalOrClaims, authenticator: Authenticator) -> Principal | None:
    """Return *caller* as *authenticator* would; `None` for one of another authenticator."""
    if not isinstance(caller, Principal):
        make = getattr(authenticator, "make_principal", None)  # of JWTBearer
        subject, scopes = read_claims(caller)
        if make is not None:
            return cast(Principal, make(subject, scopes, caller))
        return Principal(subject, scopes, caller, authenticator.name)
    if caller.authenticator == "":
        return replace(caller, authenticator=authenticator.name)
    return caller if caller.authenticator == authenticator.name else None


def read_claims(claims: object) -> tuple[str, frozenset[str]]:
    """Return `sub` and the scopes of *claims*; `scope` is a text with spaces, or a list.

    Raises:
        ValueError: they are no claims, or have no `sub`, or `scopes` in the place of `scope`.
    """
    if not isinstance(claims, Mapping):
        expected = 'a Principal, or the claims of a token such as {"sub": "7", "scope": "a b"}'
        raise ValueError(f"as_principal: expected {expected}, got {claims!r}")
    if "scopes" in claims and "scope" not in claims:
        raise ValueError("as_principal: the claims have `scopes`; a token has `scope`")
    subject, scope = claims.get("sub"), claims.get("scope", ())
    if not isinstance(subject, str) or not subject:
        raise ValueError(f"as_principal: expected a text as `sub` of the claims, got {subject!r}")
    return subject, frozenset(scope.split() if isinstance(scope, str) else scope)


@contextmanager
def believing(app: object, url: str, unix: Path | None) -> Iterator[None]:
    """Let *app*, which is served at *url*, accept the callers of tests during the block."""
    callers, place = ChosenCallers(app), _place(url, unix)
    for authenticator in callers.authenticators.values():
        if id(authenticator) not in _tested:
            _tested[id(authenticator)] = TestedAuthenticator(authenticator)
            _tested[id(authenticator)].install()
        _tested[id(authenticator)].believed.append(callers)
    _served[place] = callers
    try:
        yield
    finally:
        del _served[place]
        for authenticator in callers.authenticators.values():
            tested = _tested[id(authenticator)]
            tested.believed.remove(callers)
            if not tested.believed:
                tested.uninstall()
                del _tested[id(authenticator)]


def find_callers(url: str, unix: Path | None = None) -> ChosenCallers:
    """Return the callers of the app that is served at *url*.

    Raises:
        ValueError: no server of this process's tests listens there.
    """
    callers = _served.get(_place(url, unix))
    if callers is None:
        raise ValueError(
            f"as_principal: no server of these tests listens at {unix or url}. Only a service that "
            "the fixtures, `serving` or `BackgroundServer` serve knows the callers of tests; send "
            "another one real credentials."
        )
    return callers


def _place(url: str, unix: Path | None) -> str:
    return str(unix) if unix else url.rstrip("/")
