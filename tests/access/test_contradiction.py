"""Guards that nobody can pass."""

from __future__ import annotations

import pytest

from msframework.access import AnyScope, Authenticated, AuthenticatedBy, Guard, Scopes
from msframework.access.contradiction import is_satisfiable
from msframework.access.policy import normalize


class OwnerOnly(Guard):
    """Of a service's own."""

    async def allows(self, request, principal):
        return True


class FromInside(Guard):
    """Of a service's own, for anonymous callers, too."""

    needs_principal = False

    async def allows(self, request, principal):
        return True


OWN, INSIDE = OwnerOnly(), FromInside()


@pytest.mark.parametrize(
    "guards",
    [
        (),
        (Authenticated(),),
        (Authenticated(), Scopes("a", "b"), ~Scopes("c")),
        (~Scopes("a", "b"), Scopes("a")),
        (~Authenticated(),),
        (AuthenticatedBy("token") | AuthenticatedBy("nothing"),),
        (OWN | ~OWN,),
        (INSIDE, ~Authenticated()),
        (OWN, ~OwnerOnly()),
        tuple(Scopes(str(number)) for number in range(30)),
    ],
)
def test_guards_that_some_caller_passes(guards):
    assert is_satisfiable(normalize(guards, "GET"), ["key", "token"])


@pytest.mark.parametrize(
    "guards",
    [
        (Authenticated() & ~Authenticated(),),
        (Authenticated(), ~Authenticated()),
        (Scopes("a"), ~Scopes("a")),
        (Scopes("a", "b"), ~AnyScope("b", "c")),
        (Scopes("a"), ~Authenticated()),
        (AuthenticatedBy("nothing"),),
        (AuthenticatedBy("token"), AuthenticatedBy("key")),
        (AuthenticatedBy("token"), ~AuthenticatedBy("key", "token")),
        (OWN & ~OWN,),
        (OWN, ~Authenticated()),
        (AnyScope(),),
    ],
)
def test_guards_that_nobody_passes(guards):
    assert not is_satisfiable(normalize(guards, "GET"), ["key", "token"])


@pytest.mark.parametrize("guard", [Authenticated(), Scopes("a"), OWN])
def test_without_authenticators_nobody_is_known(guard):
    assert not is_satisfiable((guard,), [])
    assert is_satisfiable((INSIDE,), [])
