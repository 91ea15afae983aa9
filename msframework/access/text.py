"""Guards in words, as `manage.py routes --access` and messages show them. Runs at start-up."""

from __future__ import annotations

from collections.abc import Iterable

from msframework.access.guard import (
    AllOf,
    AnyOf,
    AnyScope,
    Authenticated,
    AuthenticatedBy,
    Guard,
    Narrowed,
    Not,
    Scopes,
)


def guards_text(guards: Iterable[Guard]) -> str:
    """Return *guards*, all of which must hold, as `authenticated, scopes: users:write`."""
    return ", ".join(dict.fromkeys(map(guard_text, guards)))


def guard_text(guard: Guard) -> str:
    """Return *guard* in words; one that a service wrote is called by its class."""
    match guard:
        case Authenticated():
            return "authenticated"
        case AuthenticatedBy(names):
            return f"authenticated by {' or '.join(sorted(names))}"
        case Scopes(scopes):  # separated as in a token (RFC 6749, 3.3)
            return f"scopes: {' '.join(scopes)}"
        case AnyScope(scopes):
            return f"any scope of: {' '.join(scopes)}"
        case AllOf(guards):
            return " and ".join(map(_inner, guards))
        case AnyOf(guards):
            return " or ".join(map(_inner, guards))
        case Not(inner):
            return f"not {_inner(inner)}"
        case Narrowed(inner, methods):
            return f"{_inner(inner)} on {', '.join(methods)}"
    return type(guard).__qualname__


def _inner(guard: Guard) -> str:
    text = guard_text(guard)
    is_joined = isinstance(guard, AllOf | AnyOf | Narrowed) or (
        isinstance(guard, AuthenticatedBy) and len(guard.names) > 1
    )
    return f"({text})" if is_joined else text
