"""The exceptions that refuse a caller, with their challenges (`WWW-Authenticate`).

`Refusals` is made at start-up; its methods run per request that is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from msframework.access.authenticator import Authenticator
from msframework.access.guard import leaves_of
from msframework.access.policy import Access
from msframework.exceptions import Forbidden, ServiceException, Unauthorized
from msframework.principal import Principal

E = TypeVar("E", bound=ServiceException)
_HEADER: Final = "WWW-Authenticate"


class Refusals:
    """The refusals of one operation.

    Attributes:
        challenges: one for each authenticator that is tried (RFC 9110, 11.6.1).
    """

    __slots__ = ("_access", "_asks_for_credentials", "challenges")

    def __init__(self, access: Access) -> None:
        leaves = [leaf for guard in access.guards for leaf in leaves_of(guard)]
        self._access = access
        self._asks_for_credentials = bool(access.authenticators) and any(
            leaf.needs_principal for leaf in leaves
        )
        self.challenges = challenges_of(access.authenticators)

    def of_anonymous(self) -> ServiceException:
        """Return the refusal of an anonymous caller: 401 where credentials may help, else 403."""
        if not self._asks_for_credentials:
            return Forbidden()
        return with_challenges(Unauthorized(), self.challenges)

    def of_principal(self, principal: Principal) -> ServiceException:
        """Return the refusal of *principal*, with the scopes that are needed (RFC 6750, 3.1)."""
        access, refused = self._access, Forbidden()
        if not principal.scopes.issuperset(access.scopes):
            told = scope_challenges(access).get(principal.authenticator)
            return with_challenges(refused, (told,)) if told else refused
        return refused

    def of_wrong(self, refused: Unauthorized, by: Authenticator) -> Unauthorized:
        """Return the refusal of wrong credentials: the 401 that the authenticator *by* raised."""
        return with_challenges(refused, challenges_of(self._access.authenticators, refused_by=by))

    def of_unread(self) -> Unauthorized:
        """Return the refusal of an `Authorization` header that no authenticator reads."""
        return with_challenges(Unauthorized(), self.challenges)


def challenges_of(
    authenticators: Sequence[Authenticator], *, refused_by: Authenticator | None = None
) -> tuple[str, ...]:
    """Return the challenge of each of *authenticators*; of *refused_by*, its `refusal`."""
    said = [
        (each.refusal if each is refused_by else "") or each.challenge for each in authenticators
    ]
    return tuple(dict.fromkeys(challenge for challenge in said if challenge))


def scope_challenges(access: Access) -> dict[str, str]:
    """Return the challenges of a 403 for want of scopes, by authenticator: those of bearer tokens.

    There are none where no scope is needed in any case.
    """
    found: dict[str, str] = {}
    for each in access.authenticators if access.scopes else ():
        scheme, _, rest = each.challenge.partition(" ")
        if scheme.lower() == "bearer":
            said = f'error="insufficient_scope", scope="{" ".join(access.scopes)}"'
            found[each.name] = f"{each.challenge}{', ' if rest else ' '}{said}"
    return found


def with_challenges(refused: E, challenges: Sequence[str]) -> E:
    """Return *refused* with a line for each challenge, unless it has its own."""
    if not challenges or any(name.lower() == _HEADER.lower() for name in refused.headers):
        return refused
    # NOTE: a service may keep one exception and raise it in several operations.
    copied = type(refused).__new__(type(refused), *refused.args)
    headers: dict[str, Any] = {**refused.headers, _HEADER: list(challenges)}
    vars(copied).update(vars(refused), headers=headers)
    copied.__cause__, copied.__context__ = refused.__cause__, refused.__context__
    copied.__suppress_context__ = refused.__suppress_context__
    return copied.with_traceback(refused.__traceback__)
