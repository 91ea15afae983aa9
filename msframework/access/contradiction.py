"""Guards that no caller can meet, found by trying all combinations. Runs at start-up.

`Access.can_pass` finds those that fail whatever the scopes are, and stops the start; this one also
tries scopes, for a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Final

from msframework.access.guard import (
    AllOf,
    AnyOf,
    AnyScope,
    Authenticated,
    AuthenticatedBy,
    Guard,
    Not,
    Scopes,
)

# All 2**12 combinations of so many are tried; guards of more facts are not warned of.
_MOST_FACTS: Final = 12


def is_satisfiable(guards: Iterable[Guard], authenticators: Iterable[str]) -> bool:
    """Tell whether some caller meets all of *guards*, which are in their normal form.

    Scopes and the answers of a service's own guards may be anything; a caller is known by one of
    *authenticators*, or not at all.
    """
    whole = AllOf(tuple(guards))
    facts = list(dict.fromkeys(_facts_of(whole)))
    if len(facts) > _MOST_FACTS:
        return True
    for name in (*authenticators, None):
        for values in product((True, False), repeat=len(facts)):
            caller = dict(zip(facts, values, strict=True))
            if _holds(whole, name, caller):
                return True
    return False


def _facts_of(guard: Guard) -> Iterator[object]:
    """Yield the facts of a caller: each scope, and the verdict of each guard of the service."""
    match guard:
        case Authenticated() | AuthenticatedBy():
            return
        case Scopes(scopes) | AnyScope(scopes):
            yield from scopes
        case AllOf(guards) | AnyOf(guards):
            for each in guards:
                yield from _facts_of(each)
        case Not(inner):
            yield from _facts_of(inner)
        case _:
            yield id(guard)


def _holds(guard: Guard, name: str | None, caller: Mapping[object, bool]) -> bool:
    """Tell whether *guard* allows a caller whom *name* authenticated; `None` for anonymous."""
    match guard:
        case Authenticated():
            return name is not None
        case AuthenticatedBy(names):
            return name in names
        case Scopes(scopes):
            return name is not None and all(caller[scope] for scope in scopes)
        case AnyScope(scopes):
            return name is not None and any(caller[scope] for scope in scopes)
        case AllOf(guards):
            return all(_holds(each, name, caller) for each in guards)
        case AnyOf(guards):
            return any(_holds(each, name, caller) for each in guards)
        case Not(inner):
            if name is None and inner.needs_principal and not isinstance(inner, Authenticated):
                return False  # as `policy.fold` has it: no such guard, nor its negation
            return not _holds(inner, name, caller)
    return caller[id(guard)] and (name is not None or not guard.needs_principal)
