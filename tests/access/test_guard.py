"""Guards: how they are combined and written, and what `check` says of one object."""

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from msframework import Forbidden, Guard, Principal, Unauthorized
from msframework.access import AnyScope, Authenticated, AuthenticatedBy, Scopes


class Owner(Guard):
    """Lets a caller have what is its own."""

    async def allows_object(self, request, principal, obj):
        return obj == principal.id


class Friendly(Guard):
    """Judges anonymous callers too, and the path."""

    needs_principal = False

    def allows(self, request, principal, name="nobody"):
        return name == "friend"


class Saying(Guard):
    """Says what it was made with."""

    def __init__(self, verdict):
        self.verdict, self.asked = verdict, 0

    def allows_object(self, request, principal, obj):
        self.asked += 1
        return self.verdict


def request(principal=None, method="GET", **path):
    return SimpleNamespace(principal=principal, method=method, match_info=path)


ADA = Principal("ada", frozenset({"read"}), authenticator="token")


@pytest.mark.parametrize(
    ("guard", "text"),
    [
        (Authenticated(), "Authenticated()"),
        (AuthenticatedBy("b", "a"), "AuthenticatedBy('a', 'b')"),
        (Scopes("a") & AnyScope("b", "c"), "Scopes('a') & AnyScope('b', 'c')"),
        (Authenticated() & (Owner() | ~Scopes("a")), "Authenticated() & (Owner() | ~Scopes('a'))"),
        (~(Owner() & Owner()), "~(Owner() & Owner())"),
        ((Owner() | Owner()).on("PUT"), "(Owner() | Owner()).on('PUT')"),
    ],
)
def test_a_guard_is_written_as_it_was_made(guard, text):
    assert repr(guard) == text


@pytest.mark.parametrize(
    "combine", [lambda: Owner() & 1, lambda: Owner() | Guard, lambda: 1 & Owner()]
)
def test_a_guard_is_combined_with_guards_alone(combine):
    with pytest.raises(TypeError):
        combine()


@pytest.mark.parametrize(
    "ask", [lambda: Owner() and Owner(), lambda: not Owner(), lambda: bool(Scopes("a") & Owner())]
)
def test_a_guard_has_no_truth_value(ask):
    with pytest.raises(TypeError, match=r"&, \| and ~"):
        ask()


@pytest.mark.parametrize(
    ("guard", "principal", "path", "refused"),
    [
        (Owner(), ADA, {}, None),
        (Owner(), Principal("bob"), {}, Forbidden),
        (Owner(), None, {}, Unauthorized),
        (~Owner(), ADA, {}, Forbidden),
        (~Owner(), Principal("bob"), {}, None),
        (~Owner(), None, {}, Unauthorized),
        (Owner() | Scopes("read"), Principal("bob"), {}, Forbidden),
        (Owner() | Scopes("read"), Principal("bob", frozenset({"read"})), {}, None),
        (Owner() & ~Scopes("read"), ADA, {}, Forbidden),
        (AnyScope("write", "read"), ADA, {}, None),
        (AuthenticatedBy("key"), ADA, {}, Forbidden),
        (AuthenticatedBy("key", "token"), ADA, {}, None),
        (Authenticated(), None, {}, Unauthorized),
        (~Authenticated(), None, {}, None),
        (~Authenticated(), ADA, {}, Forbidden),
        (Friendly(), None, {}, Forbidden),
        (Friendly(), None, {"name": "friend"}, None),
        (Friendly() & Owner(), None, {"name": "friend"}, Unauthorized),
        (Owner().on("PUT"), Principal("bob"), {}, None),
        (Owner().on("GET"), Principal("bob"), {}, Forbidden),
        (Owner().on("PUT") | Scopes("write"), Principal("bob"), {}, Forbidden),
        (Owner().on("PUT") | Scopes("read"), ADA, {}, None),
        (~(Owner().on("PUT") & Scopes("read")), ADA, {}, Forbidden),
    ],
)
async def test_check_lets_a_caller_have_an_object_or_refuses_it(guard, principal, path, refused):
    if refused is None:
        await guard.check(request(principal, **path), "ada")
    else:
        with pytest.raises(refused):
            await guard.check(request(principal, **path), "ada")


async def test_head_is_checked_as_get():
    with pytest.raises(Forbidden):
        await Owner().on("GET").check(request(ADA, "HEAD"), "bob")


async def wait():
    return True


@pytest.mark.parametrize("combine", [lambda guard: guard, lambda guard: ~guard], ids=["as is", "~"])
@pytest.mark.parametrize(
    "verdict", [None, 1, "yes", Mock(), wait], ids=["None", "1", "yes", "mock", "function"]
)
async def test_whatever_is_no_boolean_is_no_permission(combine, verdict):
    guard = Saying(verdict() if verdict is wait else verdict)

    with pytest.raises(TypeError, match="Saying must return True or False; it returned"):
        await combine(guard).check(request(ADA), "ada")


async def test_a_guard_is_asked_once_however_often_it_stands_there():
    guard = Saying(True)

    await ((guard & Scopes("read")) | (guard & Scopes("x"))).check(request(ADA), None)
    with pytest.raises(Forbidden):
        await ((guard & Scopes("x")) | (guard & Scopes("y"))).check(request(ADA), None)

    assert guard.asked == 2


async def test_a_guard_that_can_judge_nothing_says_so():
    with pytest.raises(TypeError, match="neither allows nor allows_object"):
        await Guard().check(request(ADA), None)
