"""`Principal`: the caller of one request, as an authenticator found it. Made per request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import UUID

from msframework.exceptions import Forbidden

K = TypeVar("K", int, UUID)
C = TypeVar("C", str, int, UUID)
_INT64: Final = range(-(2**63), 2**63)
_NO_CLAIMS: Final[Mapping[str, Any]] = MappingProxyType({})


def _no_claims() -> Mapping[str, Any]:
    return _NO_CLAIMS


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credentials were verified; derive from it to add facts of one's own.

    Attributes:
        id: the caller's identifier: the `sub` of a token, the name of a key, a user name.
        scopes: what the credentials allow.
        claims: whatever else they say.
        authenticator: the name of the authenticator that verified them.
    """

    id: str
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=_no_claims, repr=False, hash=False)
    authenticator: str = ""

    def id_as(self, kind: type[K]) -> K:
        """Return the id as an int or a UUID, for a column of that type.

        Only the usual spelling of a value is taken, so that no two ids become one: `7`, but neither
        `07` nor `1_0`, which `int()` reads too.

        Raises:
            Forbidden: the id is no such value, so the caller has no row.
        """
        return _read(self.id, kind)

    def claim_as(self, name: str, kind: type[C]) -> C:
        """Return the claim *name* as a text, an int or a UUID, for a column of that type.

        Texts are read as `id_as` reads the id; a number in JSON is an int.

        Raises:
            Forbidden: there is no such claim, or it is no such value, so the caller has no row.
        """
        claim = self.claims.get(name)
        if claim.__class__ is int:
            claim = str(claim)
        if not isinstance(claim, str):
            raise Forbidden
        return _read(claim, kind)


def _read(text: str, kind: type[C]) -> C:
    """Return the value that *text* spells.

    Raises:
        Forbidden: it spells none.
    """
    try:
        value = kind(text)
    except ValueError:
        raise Forbidden from None
    if str(value) not in (text, text.lower()) or (value.__class__ is int and value not in _INT64):
        raise Forbidden
    return value
