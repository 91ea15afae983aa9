"""Guards in words."""

from __future__ import annotations

import pytest

from msframework.access import AnyScope, Authenticated, AuthenticatedBy, Guard, Scopes
from msframework.access.text import guard_text, guards_text


class OwnerOnly(Guard):
    """Of a service's own."""


WORDS = [
    (Authenticated(), "authenticated"),
    (AuthenticatedBy("token"), "authenticated by token"),
    (AuthenticatedBy("token", "key"), "authenticated by key or token"),
    (Scopes("users:read", "users:write"), "scopes: users:read users:write"),
    (AnyScope("a", "b"), "any scope of: a b"),
    (OwnerOnly(), "OwnerOnly"),
    (~OwnerOnly(), "not OwnerOnly"),
    (Authenticated() & Scopes("a"), "authenticated and scopes: a"),
    (Scopes("a") | OwnerOnly() & Authenticated(), "scopes: a or (OwnerOnly and authenticated)"),
    (~(Scopes("a") | OwnerOnly()), "not (scopes: a or OwnerOnly)"),
    (AuthenticatedBy("a", "b") & Scopes("c"), "(authenticated by a or b) and scopes: c"),
    (Scopes("a").on("POST", "PUT"), "scopes: a on POST, PUT"),
]


@pytest.mark.parametrize(("guard", "words"), WORDS, ids=[words for _, words in WORDS])
def test_a_guard_in_words(guard, words):
    assert guard_text(guard) == words


def test_guards_that_add_up_stand_side_by_side_each_once():
    guards = (Authenticated(), Scopes("a"), Authenticated())

    assert guards_text(guards) == "authenticated, scopes: a"
