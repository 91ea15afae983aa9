"""`identify(request)`: the principal of a request, from the authenticators of its operation.

`build_identify` runs at start-up; what it returns runs per request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from msframework.access.authenticator import Authenticator
from msframework.access.refusal import Refusals
from msframework.exceptions import Unauthorized
from msframework.principal import Principal
from msframework.serving.request import Request

Identify: TypeAlias = Callable[[Request], Awaitable[Principal | None]]


def build_identify(authenticators: Sequence[Authenticator], refusals: Refusals) -> Identify:
    """Return `identify(request)`, which tries *authenticators* until one returns a principal.

    Wrong credentials are refused unless others in the same request are right. So is an
    `Authorization` header that none reads: its sender does not mean to be anonymous.
    """

    async def identify(request: Request) -> Principal | None:
        wrong: Unauthorized | None = None
        for authenticator in authenticators:
            try:
                principal = await authenticator.authenticate(request)
            except Unauthorized as exc:
                wrong = wrong or refusals.of_wrong(exc, authenticator)
                continue
            if principal is not None:
                return _checked(principal, authenticator)
        if wrong is not None:
            raise wrong
        if "authorization" in request.fields:
            raise refusals.of_unread()
        return None

    return identify


def _checked(principal: object, authenticator: Authenticator) -> Principal:
    """Return *principal* with the name of *authenticator*.

    Raises:
        TypeError: it is no principal.
    """
    if not isinstance(principal, Principal):
        raise TypeError(
            f"{type(authenticator).__qualname__}.authenticate must return a Principal or None; it "
            f"returned {type(principal).__qualname__}"
        )
    if principal.scopes.__class__ is not frozenset:
        raise TypeError(
            f"{type(authenticator).__qualname__}.authenticate returned a Principal whose scopes "
            f"are {type(principal.scopes).__qualname__}; expected a frozenset"
        )
    if not isinstance(principal.id, str):  # two kinds of ids would never be equal
        raise TypeError(
            f"{type(authenticator).__qualname__}.authenticate returned a Principal whose id is "
            f"{type(principal.id).__qualname__}; expected a text: write str(…)"
        )
    if principal.authenticator:
        return principal
    try:
        return replace(principal, authenticator=authenticator.name)
    except TypeError as exc:
        raise TypeError(
            f"{type(authenticator).__qualname__}.authenticate returned a "
            f"{type(principal).__qualname__} without its authenticator, which cannot be added; "
            "make its class a frozen dataclass, or say authenticator=self.name"
        ) from exc
