"""`Principal`: the caller of one request, as an authenticator found it. Made per request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

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
