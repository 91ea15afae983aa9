"""The normal form of guards says what they say: compared with an evaluator that knows no form."""

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from msframework import Authenticator, Forbidden, Guard, Principal, Unauthorized
from msframework.access import AnyScope, Authenticated, AuthenticatedBy, Scopes
from msframework.access.guard import AllOf, AnyOf, Narrowed, Not
from msframework.access.policy import MOST_ALTERNATIVES, build_access, normalize
from msframework.compile.access import compile_admission
from msframework.operation import PathParam

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "access.md"
BEARER = {"type": "http", "scheme": "bearer"}
SCOPES = ("a", "b")
METHODS = ("GET", "POST")


class Known(Authenticator):
    """Knows the caller that a request says."""

    scheme = BEARER

    def __init__(self, name):
        self.name = self.challenge = name

    async def authenticate(self, request):
        caller = request.caller
        return caller if caller is not None and caller.authenticator == self.name else None


AUTHENTICATORS = {name: Known(name) for name in ("token", "key")}


@dataclass(frozen=True)
class Own(Guard):
    """Says what the request says of it; counts how often it was asked."""

    name: str

    async def allows(self, request, principal, id):
        request.asked.append(self.name)
        return request.verdicts[self.name]


@dataclass(frozen=True)
class Free(Own):
    """The same, for anonymous callers too."""

    needs_principal = False


@dataclass(frozen=True)
class OfObjects(Guard):
    """Judges objects alone."""

    def allows_object(self, request, principal, obj):
        raise AssertionError("nobody asks for an object")


LEAVES = st.one_of(
    st.just(Authenticated()),
    st.sampled_from(["token", "key"]).map(AuthenticatedBy),
    st.sampled_from(SCOPES).map(Scopes),
    st.just(AnyScope(*SCOPES)),
    st.sampled_from(["x", "y"]).map(Own),
    st.just(Free("z")),
    st.just(OfObjects()),
)
GUARDS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda both: both[0] & both[1]),
        st.tuples(inner, inner).map(lambda both: both[0] | both[1]),
        inner.map(lambda guard: ~guard),
        st.tuples(inner, st.sampled_from(METHODS)).map(lambda both: both[0].on(both[1])),
    ),
    max_leaves=6,
)
CALLERS = st.one_of(
    st.none(),
    st.builds(
        lambda scopes, name: Principal("ada", frozenset(scopes), authenticator=name),
        st.sets(st.sampled_from(SCOPES)),
        st.sampled_from(["token", "key"]),
    ),
)


def says(guard, caller, verdicts, method, negated=False):
    """Return what *guard* says, as written: `None` where it does not hold for *method*.

    An anonymous caller meets no guard that needs a principal, whatever stands before it.
    """
    if isinstance(guard, Narrowed):
        return (
            says(guard.guard, caller, verdicts, method, negated)
            if method in guard.methods
            else None
        )
    if isinstance(guard, Not):
        return says(guard.guard, caller, verdicts, method, not negated)
    if isinstance(guard, AllOf | AnyOf):
        said = [says(each, caller, verdicts, method, negated) for each in guard.guards]
        said = [each for each in said if each is not None]
        if not said:
            return None
        return all(said) if isinstance(guard, AllOf) is not negated else any(said)
    if isinstance(guard, Authenticated):
        return (caller is not None) is not negated
    if caller is None and guard.needs_principal:
        return False
    if isinstance(guard, OfObjects):
        return True
    if isinstance(guard, Own):
        return verdicts[guard.name] is not negated
    if isinstance(guard, AuthenticatedBy):
        return (caller.authenticator in guard.names) is not negated
    has = [scope in caller.scopes for scope in guard.scopes]
    return (all(has) if isinstance(guard, Scopes) else any(has)) is not negated


def of(caller, verdicts):
    return SimpleNamespace(
        caller=caller,
        principal=None,
        fields={},
        match_info={"id": 1},
        verdicts=verdicts,
        asked=[],
    )


@seed(17)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(guards=st.lists(GUARDS, min_size=1, max_size=3), caller=CALLERS, data=st.data())
async def test_who_is_admitted_is_whom_the_guards_allow_as_they_are_written(guards, caller, data):
    verdicts = {name: data.draw(st.booleans()) for name in ("x", "y", "z")}
    method = data.draw(st.sampled_from(METHODS))
    said = [says(guard, caller, verdicts, method) for guard in guards]
    access = build_access(guards, method, AUTHENTICATORS)
    if not access.is_checked:
        assert all(each is None for each in said)
        return
    request = of(caller, verdicts)
    admit = compile_admission(access, (PathParam("id", "int"),), "drawn").admit
    admitted, needs = True, False not in said

    try:
        await admit(request)
    except Unauthorized:
        admitted = access.can_ask is False
    except Forbidden:
        admitted = access.can_refuse is False

    heard = caller is None or request.principal is not None
    if heard:
        assert admitted is needs
    else:  # none of the authenticators that could help knows this caller
        assert admitted is (False not in [says(g, None, verdicts, method) for g in guards])
        assert admitted or not needs
    assert len(request.asked) == len(set(request.asked))
    if admitted and heard:
        assert _is_documented(access, request.principal)


def _is_documented(access, principal):
    """Tell whether the requirements of *access* let *principal* try."""
    return any(
        (not need)
        if principal is None
        else any(
            name == principal.authenticator and principal.scopes >= set(scopes)
            for name, scopes in need.items()
        )
        or not need
        for need in access.requirements
    )


@pytest.mark.parametrize(
    ("guards", "requirements"),
    [
        ((Authenticated(),), ({"token": ()}, {"key": ()})),
        (
            (Scopes("a", "b"), Scopes("b", "c")),
            ({"token": ("a", "b", "c")}, {"key": ("a", "b", "c")}),
        ),
        ((AnyScope("a", "b") & AuthenticatedBy("key"),), ({"key": ("a",)}, {"key": ("b",)})),
        (
            ((AuthenticatedBy("token") & Scopes("a")) | AuthenticatedBy("key"),),
            ({"token": ("a",)}, {"key": ()}),
        ),
        ((~AuthenticatedBy("key"),), ({"token": ()},)),
        ((~Scopes("a"),), ({"token": ()}, {"key": ()})),
        ((~Authenticated(),), ({},)),
        ((Free("z"),), ({"token": ()}, {"key": ()}, {})),
        ((Authenticated() | Free("z"),), ({"token": ()}, {"key": ()}, {})),
        ((Own("x"),), ({"token": ()}, {"key": ()})),
    ],
)
def test_what_is_documented_of_guards(guards, requirements):
    assert build_access(guards, "GET", AUTHENTICATORS).requirements == requirements


def test_too_many_alternatives_are_documented_without_their_scopes():
    guards = [AnyScope(*(f"{letter}{number}" for number in range(8))) for letter in "abc"]
    assert MOST_ALTERNATIVES < 8**3

    access = build_access(guards, "GET", AUTHENTICATORS)
    open_access = build_access([AllOf(tuple(guards)) | Free("z")], "GET", AUTHENTICATORS)

    assert access.requirements == ({"token": ()}, {"key": ()})
    assert open_access.requirements == ({"token": ()}, {"key": ()}, {})
    assert access.authenticators == open_access.authenticators == tuple(AUTHENTICATORS.values())


@pytest.mark.parametrize(
    ("guards", "names", "passes"),
    [
        ((), (), True),
        ((Authenticated(),), ("token", "key"), True),
        ((AuthenticatedBy("key"),), ("key",), True),
        ((AuthenticatedBy("key") & AuthenticatedBy("token"),), (), False),
        ((Authenticated() & ~Authenticated(),), (), False),
        ((~Authenticated(),), ("token", "key"), True),
    ],
)
def test_which_authenticators_have_a_say_and_whether_anybody_may_pass(guards, names, passes):
    access = build_access(guards, "GET", AUTHENTICATORS)

    assert tuple(each.name for each in access.authenticators) == names
    assert access.can_pass is passes


@pytest.mark.parametrize(
    ("options", "checked", "requirements"),
    [
        ({}, False, ()),
        ({"is_public": True}, True, ({},)),
        ({"takes_principal": True}, True, ({"token": ()}, {"key": ()}, {})),
        ({"is_public": True, "takes_principal": True}, True, ({"token": ()}, {"key": ()}, {})),
    ],
)
def test_without_guards_callers_are_asked_for_where_somebody_wants_to_know(
    options, checked, requirements
):
    access = build_access((), "GET", AUTHENTICATORS, **options)

    assert (access.is_checked, access.requirements) == (checked, requirements)
    assert (access.can_ask, access.can_refuse) == (checked, False)
    assert not build_access((), "GET", {}, **options).is_checked


def test_a_guard_stands_in_the_normal_form_once():
    one = Own("x")

    assert normalize((one, Scopes("a"), one & Scopes("a")), "GET") == (one, Scopes("a"))
    assert normalize((one.on("POST"), Authenticated()), "HEAD") == (Authenticated(),)
    assert normalize((~(one | Scopes("a")),), "GET") == (Not(one), Not(Scopes("a")))


def test_the_example_of_the_docs_is_guarded_as_they_say(make_service):
    example, *_ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(example, names)
    service = make_service(access={"authenticators": {"token": Known("token")}})
    service.blueprint(names["notes"])

    shown = {each.name: str(each.access.guards) for each in service.operations}

    assert shown == {
        "Notes.get": "(Authenticated(), OwnTeam() | Scopes('admin'))",
        "Notes.post": "(Authenticated(), OwnTeam() | Scopes('admin'), Scopes('notes:write'))",
        "Notes.delete": "(Authenticated(), OwnTeam() | Scopes('admin'), Scopes('admin'))",
        "count": "()",
        "write": "(Authenticated(),)",
    }


@pytest.mark.parametrize("guard", [OfObjects(), ~OfObjects(), OfObjects() | Scopes("a")])
def test_a_guard_of_objects_lets_in_whoever_is_known(guard):
    access = build_access([guard], "GET", AUTHENTICATORS)

    assert (access.for_anonymous, access.for_principal) == (False, True)
    assert access.can_refuse
    assert {} not in access.requirements


@pytest.mark.parametrize(
    ("guard", "refuses"),
    [
        (AuthenticatedBy("key"), False),
        (AuthenticatedBy("key", "token"), False),
        (~AuthenticatedBy("key"), False),
        (AuthenticatedBy("key") | AuthenticatedBy("token"), False),
        (AuthenticatedBy("key") & Scopes("a"), True),
        (AuthenticatedBy("key") | Scopes("a"), True),
        (AuthenticatedBy("key") & AuthenticatedBy("token"), True),
        (~Authenticated(), True),
    ],
    ids=str,
)
def test_a_caller_whom_only_the_right_authenticators_can_know_is_never_forbidden(guard, refuses):
    assert build_access([guard], "GET", AUTHENTICATORS).can_refuse is refuses


def test_an_alternative_for_other_methods_opens_nothing():
    guard = Scopes("a") | Scopes("b").on("DELETE")

    assert build_access([guard], "GET", AUTHENTICATORS).guards == (Scopes("a"),)
    assert build_access([guard], "DELETE", AUTHENTICATORS).guards == (Scopes("a") | Scopes("b"),)
