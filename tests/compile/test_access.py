"""The guards around an operation: where they stand, what is refused, and what is compiled."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
from marshmallow import ValidationError
from sanic.exceptions import BadRequest

from msframework import (
    Authenticator,
    Blueprint,
    Guard,
    ImproperlyConfigured,
    Principal,
    Resource,
    SetupClosed,
    Unauthorized,
    doc,
)
from msframework.access import AnyScope, Authenticated, AuthenticatedBy, JWTIssuer, Scopes
from msframework.exceptions import Forbidden, ServiceUnavailable
from msframework.management.guarded import read_access_rows

GOLDEN = Path(__file__).parent / "golden"
BEARER = {"type": "http", "scheme": "bearer"}


class Tokens(Authenticator):
    """Knows nobody."""

    scheme = BEARER
    challenge = "Bearer"
    header = "authorization"

    async def authenticate(self, request):
        return None


class Keys(Tokens):
    """The same by another way."""

    challenge = "Key"
    header = "x-key"


class Own(Guard):
    """Knows the owner of an item."""

    async def allows(self, request, principal, id):
        return True


class Idle(Guard):
    """Judges nothing."""


class Odd(Guard):
    """Takes too little."""

    def allows(self, request): ...


class Swapped(Guard):
    """Takes what it is given for one another."""

    def allows(self, principal, request): ...


class Stranger(Guard):
    """Forgot who calls."""

    def allows(self, _request, _, id=None, **_path): ...
    def allows_object(self, request, obj, other=None): ...


class Row(Principal):
    """A caller that is made in another way."""

    def __init__(self, row):
        super().__init__(row["id"])


@pytest.fixture
def make(make_service):
    """Return a function that makes a service with two authenticators, and guards."""

    def make(*guards, authenticators=None, **changes):
        both = {"token": Tokens(), "key": Keys()} if authenticators is None else authenticators
        return make_service(access={"authenticators": both, "guards": guards}, **changes)

    return make


def problems_of(service):
    with pytest.raises(ImproperlyConfigured) as caught:
        service.compile()
    return caught.value.problems


def mount(service, cls, path="/<id:int>", **options):
    things = Blueprint("things", **options)
    things.resource(path)(cls)
    service.blueprint(things)
    return {operation.method: operation for operation in service.operations}


# Where they stand.


def test_guards_add_up_from_the_service_to_the_method(make):
    class Base(Resource):
        guards = (Scopes("base"),)

    class Thing(Base):
        guards = (Scopes("thing").on("GET", "PUT"),)

        @doc.guards(Scopes("outer"))
        @doc.guards(Scopes("inner"))
        @doc.security("key", scopes=("old",))
        async def get(self, request, id): ...

        async def post(self, request, id): ...

    class Plain(Thing):
        async def put(self, request, id): ...

    found = mount(make(Authenticated()), Plain, guards=[Scopes("blueprint")])

    shared = (Authenticated(), Scopes("blueprint"), Scopes("base"))
    assert found["POST"].access.guards == shared
    assert found["PUT"].access.guards == (*shared, Scopes("thing"))
    assert found["GET"].access.guards == (
        *(*shared, Scopes("thing"), Scopes("outer"), Scopes("inner")),
        *(AuthenticatedBy("key"), Scopes("old")),
    )
    scopes = ("blueprint", "base", "thing", "outer", "inner", "old")
    assert found["GET"].security == ({"key": scopes},)


def test_public_cuts_off_what_stands_further_outside(make):
    class Base(Resource):
        guards = (Scopes("base"),)

        @doc.public()
        async def put(self, request, id): ...

    @doc.public
    class Thing(Base):
        async def get(self, request, id): ...

        @doc.guards(Scopes("write"))
        async def post(self, request, id, principal): ...

    found = mount(make(Authenticated()), Thing, guards=(Scopes("blueprint"),))

    assert [found[each].access.guards for each in ("GET", "PUT", "POST")] == [
        (),
        (),
        (Scopes("write"),),
    ]
    assert [found[each].access.is_public for each in ("GET", "PUT", "POST")] == [True, True, False]
    assert found["GET"].access.is_checked  # credentials that are wrong are a 401 there, too


def test_a_copy_of_a_blueprint_has_its_guards(make):
    things = Blueprint("things", url_prefix="/things", guards=(Scopes("a") & Own(),))

    @things.get("/<id:int>")
    async def read(request, id): ...

    service = make()
    service.blueprint(things)
    service.blueprint(things.copy("copies", url_prefix="/copies", with_registration=False))

    shown = {operation.path: str(operation.access.guards) for operation in service.operations}
    assert set(shown) == {"/things/<id:int>", "/copies/<id:int>"}
    assert set(shown.values()) == {"(Scopes('a'), Own())"}


def test_a_class_derived_from_a_public_one_is_not_public(make):
    @doc.public
    class Open(Resource):
        async def get(self, request, id): ...

    class Closed(Open):
        """Nothing was said of it."""

    assert not mount(make(Authenticated()), Closed)["GET"].access.is_public


@pytest.mark.parametrize(
    ("guards", "public", "expected"),
    [
        ((), False, set()),
        ((), True, {401}),
        ((Authenticated(),), False, {401}),
        ((Scopes("a"),), False, {401, 403}),
        ((~Authenticated(),), False, {401, 403}),
        ((Scopes("a").on("POST"),), False, set()),
    ],
)
def test_refusals_are_failures_where_they_can_happen(make, guards, public, expected):
    service = make(*guards)

    @service.get("/")
    async def read(request): ...

    if public:
        doc.public(read)
    (operation,) = service.operations
    statuses = {failure.exception.status_code for failure in operation.failures}
    assert statuses & {401, 403} == expected


def test_a_principal_is_given_even_where_it_has_a_default(make):
    service = make()
    service.provide("mine", lambda request, principal=None: principal)

    @service.get("/")
    async def read(request, principal=None): ...

    @service.get("/mine")
    async def mine(request, mine): ...

    for operation in service.operations:
        assert "principal" in {each.value.name for each in operation.provisions}
        assert operation.security == ({"token": ()}, {"key": ()}, {})


# What is refused at start-up.


@pytest.mark.parametrize(
    ("guards", "said"),
    [
        ((Authenticated,), "GUARDS: the class Authenticated is no guard. Write Authenticated()."),
        ((7,), "GUARDS: 7 is no guard."),
        (((Scopes("a"),),), "is no guard. Write its guards without the brackets, one after"),
        ((None,), "GUARDS: None is no guard."),
        (("no.such.guard",), "GUARDS: 'no.such.guard' names the module"),
        ((Idle(),), "GUARDS: Idle has neither allows nor allows_object."),
        ((Odd(),), "GUARDS: Odd.allows does not take request, principal."),
        ((Swapped(),), "GUARDS: Swapped.allows has 'request' in the place of principal. Write `a"),
        ((Stranger(),), "Stranger.allows_object has 'obj' in the place of principal."),
        ((Scopes(),), "GUARDS: Scopes() names no scope. Name one at least;"),
        ((AnyScope("a b"),), "GUARDS: AnyScope('a b') names 'a b', which is no scope (RFC 6749"),
        ((Scopes("a b", "c"),), "which is no scope (RFC 6749, 3.3). Write Scopes('a', 'b')."),
        ((~Scopes('"'),), "GUARDS: Scopes('\"') names '\"', which is no scope"),
        ((Scopes(("a", "b")),), "GUARDS: Scopes(('a', 'b')) names ('a', 'b'), which is no scope"),
        ((Scopes("a").on(),), "GUARDS: Scopes('a').on() names no method."),
        ((Scopes("a").on("post"),), "GUARDS: Scopes('a').on('post') names 'post', which is no"),
        ((AuthenticatedBy(),), "GUARDS: AuthenticatedBy() names no authenticator."),
        ((AuthenticatedBy("kye"),), "a guard names the unknown authenticator 'kye'"),
        ((Own(),), "its guard Own takes 'id', which its path does not have."),
        ((Scopes("a") & ~Authenticated(),), "nobody can pass its guards Scopes('a'), ~Authent"),
    ],
)
def test_a_guard_that_cannot_be_right_is_refused(make, guards, said):
    service = make(*guards)

    @service.get("/")
    async def read(request): ...

    (problem,) = problems_of(service)
    assert said in problem


@pytest.mark.parametrize(
    ("name", "authenticator", "said"),
    [
        ("a b", Tokens(), "'a b' cannot be the name of a scheme"),
        ("token", Tokens, "the class Tokens is no authenticator. Make one: Tokens(…)."),
        ("token", "s3cr-et", "a text that is no dotted path. Write 'package.module.name'."),
        ("token", {"key": "secret"}, "an object of dict is no authenticator."),
        (
            "token",
            JWTIssuer("0" * 64, "HS256", issuer="a", audience="b"),
            "an object of JWTIssuer is no authenticator. Pass what verifies its tokens: issuer.be",
        ),
        ("token", None, "an object of NoneType is no authenticator."),
        ("token", Authenticator(), "Authenticator has no scheme for the document."),
        ("token", type("Bare", (Authenticator,), {"scheme": BEARER})(), "Bare has no coroutine"),
        ("token", type("Odd", (Tokens,), {"challenge": "a\nb"})(), "that no header can hold"),
        ("token", type("Half", (Tokens,), {"start": None})(), "Half has only one of start and"),
        ("old", Tokens(), "SECURITY_SCHEMES has 'old' too."),
    ],
)
def test_an_authenticator_that_cannot_be_right_is_refused(make, name, authenticator, said):
    service = make(
        authenticators={name: authenticator}, openapi={"security_schemes": {"old": BEARER}}
    )

    (problem,) = problems_of(service)
    assert problem.startswith(f"AUTHENTICATORS[{name!r}]: ")
    assert said in problem
    assert "s3cr-et" not in f"{problem}{service.settings!r}"


def test_an_authenticator_has_one_name(make):
    service, again = make(), Tokens()
    service.authenticate("again", again)
    service.authenticate("other", again)
    service.authenticate("token", Tokens())

    other, token = problems_of(service)
    assert "service.authenticate('other', …): the authenticator is called 'again' already" in other
    assert "service.authenticate('token', …): there is an authenticator 'token' already" in token


def test_what_stands_beside_public_is_refused(make):
    @doc.public
    class Thing(Resource):
        guards = (Authenticated(),)

        async def get(self, request, id): ...

        @doc.public
        @doc.guards(Scopes("a"))
        async def put(self, request, id): ...

    service = make()
    things = Blueprint("things")
    things.resource("/<id:int>")(Thing)
    service.blueprint(things)

    on_class, on_method = problems_of(service)
    assert "Thing: @doc.public stands on it, and guards (or @doc.security) too" in on_class
    assert "Thing.put: @doc.public stands on it" in on_method


def test_a_public_class_with_guards_for_some_methods_is_public_for_the_others(make):
    @doc.public
    class Thing(Resource):
        guards = (Scopes("a").on("POST"),)

        async def get(self, request, id): ...
        async def post(self, request, id): ...

    service = make(Authenticated())
    found = mount(service, Thing, guards=[Scopes("b")])

    assert (found["GET"].access.guards, found["GET"].access.is_public) == ((), True)
    assert not found["POST"].access.is_public
    assert found["POST"].access.guards == (Authenticated(), Scopes("b"), Scopes("a"))
    service.compile()
    origins = {row.method: row.origins for row in read_access_rows(service) if "Thing" in row.name}
    assert origins["GET"] == ()
    assert [each.rpartition(".")[2] for each in origins["POST"]] == [
        *("service", "blueprint things", "Thing")
    ]


def test_guards_of_an_instance_are_refused_as_its_class_is_read(make):
    class Thing(Resource):
        def __init__(self):
            self.guards = (Authenticated(),)

        async def get(self, request): ...

    service, things = make(), Blueprint("things")
    things.resource("/thing")(Thing)
    service.blueprint(things)

    (problem,) = problems_of(service)
    assert "its guards are set on an instance, where nothing reads them" in problem


@pytest.mark.parametrize(
    ("guards", "said"),
    [
        (
            Authenticated(),
            "its guards are Authenticated(); expected a tuple of guards. Put a comma",
        ),
        (Authenticated, "its guards are the class Authenticated; expected a tuple"),
    ],
)
def test_guards_are_a_tuple(make, guards, said):
    class Thing(Resource):
        async def get(self, request, id): ...

    Thing.guards = guards
    service = make()
    things = Blueprint("things", guards=guards)
    things.resource("/<id:int>")(Thing)
    service.blueprint(things)

    on_blueprint, on_class = problems_of(service)
    assert said in on_blueprint
    assert on_blueprint.startswith("blueprint 'things': ")
    assert said in on_class
    assert "Thing.guards: " in on_class


@pytest.mark.parametrize(
    ("decorate", "owner", "said"),
    [
        (doc.guards(Authenticated()), "class", "@doc.guards stands on it."),
        (doc.guards(Authenticated()), "blueprint", "@doc.guards stands on it."),
        (doc.public, "blueprint", "@doc.public stands on it."),
        (doc.guards(), "method", "@doc.guards names no guard."),
    ],
)
def test_notes_on_guards_stand_where_they_mean_something(make, decorate, owner, said):
    class Thing(Resource):
        async def get(self, request, id): ...

    things = Blueprint("things")
    decorate({"class": Thing, "blueprint": things, "method": Thing.get}[owner])
    things.resource("/<id:int>")(Thing)
    service = make()
    service.blueprint(things)

    assert any(said in problem for problem in problems_of(service))


@pytest.mark.parametrize(
    ("takes", "said"),
    [
        (doc.guards(Authenticated()), "nobody can pass its guards Authenticated(), as there is no"),
        (doc.guards(Scopes("a") | Own()), "nobody can pass its guards Scopes('a') | Own()"),
        (doc.security("token"), "@doc.security names 'token', and nothing enforces that"),
    ],
)
def test_an_authenticator_may_still_come_until_the_service_starts(make, takes, said):
    service = make(authenticators={})

    @service.get("/<id:int>")
    @takes
    async def read(request, id, principal): ...

    service.compile(strict=False)
    problems = problems_of(service)
    assert any(said in problem for problem in problems)
    assert any(
        "takes 'principal', and the service has no authenticator" in each for each in problems
    )

    service.authenticate("token", Tokens())

    (operation,) = service.operations
    assert operation.access.is_checked


def test_what_is_compiled_cannot_be_guarded_any_more(make):
    service = make()

    @service.get("/")
    async def read(request): ...

    service.compile()
    with pytest.raises(SetupClosed, match=r"add_guards.* was called after operations"):
        service.add_guards(Authenticated())
    with pytest.raises(SetupClosed, match=r"authenticate.* was called after operations"):
        service.authenticate("other", Tokens())


def test_guards_can_be_added_before(make):
    service = make()
    service.add_guards(Authenticated(), Scopes("a"))

    @service.get("/")
    async def read(request): ...

    assert service.guards == service.operations[0].access.guards == (Authenticated(), Scopes("a"))


# @doc.security.


def test_a_scheme_is_documented_where_a_gateway_enforces_it_and_joined_with_guards(make):
    schemes = {"mesh": {"type": "mutualTLS", "x-enforced-by": "gateway"}}
    service = make(openapi={"security_schemes": schemes})

    @service.get("/")
    @doc.security("mesh")
    @doc.guards(AuthenticatedBy("token") | ~Authenticated())
    async def read(request): ...

    (operation,) = service.operations
    assert operation.security == ({"token": (), "mesh": ()}, {"mesh": ()})


def test_an_authenticator_and_something_else_are_not_alternatives(make):
    schemes = {"mesh": {"type": "mutualTLS", "x-enforced-by": "gateway"}}
    service = make(openapi={"security_schemes": schemes})

    @service.get("/")
    @doc.security("token", "mesh")
    async def read(request): ...

    (problem,) = problems_of(service)
    assert "@doc.security names 'token', which is an authenticator, beside a scheme" in problem


def test_a_provided_value_does_not_do_the_work_of_an_authenticator(make):
    service = make()
    service.provide("user", lambda request: "ann", security="token")

    @service.get("/")
    async def read(request, user): ...

    (problem,) = problems_of(service)
    assert "it names 'token', which is an authenticator. Drop security=, and guard" in problem


def test_a_provided_value_may_stand_beside_the_authenticator_that_it_names(make):
    service = make(Authenticated())
    service.provide("user", lambda request: "ann", security="token")

    @service.get("/")
    async def read(request, user): ...

    assert {"token": ()} in service.operations[0].security


def test_the_security_of_a_method_replaces_that_of_its_class(make):
    @doc.security("key")
    class Thing(Resource):
        async def get(self, request, id): ...

        @doc.security("token", "key", scopes=("a",))
        async def put(self, request, id): ...

        @doc.security()
        async def post(self, request, id): ...

        @doc.public
        async def delete(self, request, id): ...

    found = mount(make(), Thing)

    assert {method: each.security for method, each in found.items()} == {
        "GET": ({"key": ()},),
        "PUT": ({"token": ("a",)}, {"key": ("a",)}),
        "POST": (),
        "DELETE": ({},),
    }


# What is compiled.


def test_a_guarded_handler_is_what_its_golden_file_says(make):
    service = make(Authenticated())
    own = Own()

    @service.put("/items/<id:int>")
    @doc.guards(Scopes("a"), (own & Scopes("b")) | (own & ~AnyScope("c")))
    @doc.consumes({"name": str})
    async def guarded(request, id, body, principal): ...

    golden = GOLDEN / "guarded.txt"
    source = service.sources["guarded"]

    if not golden.exists():
        golden.write_text(source)
        pytest.fail(f"{golden} was not there; it is written now. Read it and commit it.")
    assert source == golden.read_text()


def test_a_parameter_may_be_called_as_what_admits(make):
    service = make(Authenticated())

    @service.get("/<admit>")
    async def read(request, admit): ...

    assert "await admit(request)" in service.sources["read"]
    assert "path['admit']" in service.sources["read"]


def test_nothing_is_compiled_where_nothing_is_asked(make):
    service = make()

    @service.get("/")
    async def read(request): ...

    assert "admit" not in service.sources["read"]


class Waiting(Tokens):
    """Waits until it is told to go on."""

    def __init__(self):
        self.begun, self.free = asyncio.Event(), asyncio.Event()

    async def authenticate(self, request):
        self.begun.set()
        await self.free.wait()
        return Principal("ada")


class Slow(Guard):
    """The same for guards."""

    def __init__(self):
        self.begun, self.free = asyncio.Event(), asyncio.Event()

    async def allows(self, request, principal):
        self.begun.set()
        await self.free.wait()
        return True


def request_of(service, **facts):
    return SimpleNamespace(**{"principal": None, "fields": {}, "match_info": {}, **facts})


@pytest.mark.parametrize("who", ["authenticator", "guard"])
async def test_a_request_that_is_cancelled_meanwhile_is_not_admitted(make, who):
    waiting, slow = Waiting(), Slow()
    service = make(slow, authenticators={"token": waiting})

    @service.get("/")
    async def read(request): ...

    service.compile()
    (compiled,) = service.endpoints._compiled
    request = request_of(service)
    task = asyncio.create_task(compiled.admit(request))
    await waiting.begun.wait()
    if who == "guard":
        waiting.free.set()
        await slow.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert request.principal is None or who == "guard"
    waiting.free.set()
    slow.free.set()
    again = request_of(service)
    await compiled.admit(again)
    assert again.principal.id == "ada"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("ada", "Telling.authenticate must return a Principal or None; it returned str"),
        (True, "it returned bool"),
        (Principal("ada", scopes="admin"), "returned a Principal whose scopes are str; expected"),
        (Principal(7), "returned a Principal whose id is int; expected a text: write str"),
        (Row({"id": "ada"}), "returned a Row without its authenticator, which cannot be added"),
    ],
)
async def test_what_is_no_principal_is_none(make, told, said):
    class Telling(Tokens):
        async def authenticate(self, request):
            return told

    service = make(authenticators={"token": Telling()})

    @service.get("/")
    async def read(request, principal): ...

    service.compile()
    (compiled,) = service.endpoints._compiled
    with pytest.raises(TypeError, match=said):
        await compiled.admit(request_of(service))


@pytest.mark.parametrize(
    ("raised", "answered"),
    [
        (ValidationError("no"), TypeError),
        (BadRequest("no"), TypeError),
        (RuntimeError("no"), RuntimeError),
        (ServiceUnavailable("the keys are away"), ServiceUnavailable),
    ],
)
@pytest.mark.parametrize("who", ["authenticator", "guard", "opposite"])
async def test_a_failure_is_never_taken_for_a_mistake_of_the_caller(make, raised, answered, who):
    class Failing(Tokens):
        async def authenticate(self, request):
            if who == "authenticator":
                raise raised
            return Principal("ada")

    class Ill(Guard):
        def allows(self, request, principal):
            raise raised

    service = make(~Ill() if who == "opposite" else Ill(), authenticators={"token": Failing()})

    @service.get("/")
    async def read(request): ...

    service.compile()
    (compiled,) = service.endpoints._compiled
    with pytest.raises(answered):
        await compiled.admit(request_of(service))


class Refusing(Tokens):
    """Refuses what comes."""

    refusal = 'Bearer error="invalid_token"'

    async def authenticate(self, request):
        raise Unauthorized("in its own words")


@pytest.mark.parametrize(
    ("authenticators", "fields", "error", "challenges"),
    [
        ([Tokens, Keys], {}, None, ["Bearer", "Key"]),
        ([Refusing, Keys], {}, "in its own words", ['Bearer error="invalid_token"', "Key"]),
        ([Tokens, Keys], {"authorization": "x"}, None, ["Bearer", "Key"]),
        ([Tokens, Tokens], {}, None, ["Bearer"]),
    ],
)
async def test_a_refusal_brings_a_challenge_of_each(
    make, authenticators, fields, error, challenges
):
    numbered = {f"n{number}": each() for number, each in enumerate(authenticators)}
    service = make(Authenticated(), authenticators=numbered)

    @service.get("/")
    async def read(request): ...

    service.compile()
    (compiled,) = service.endpoints._compiled
    with pytest.raises(Unauthorized) as caught:
        await compiled.admit(request_of(service, fields=fields))

    assert caught.value.error == error
    assert caught.value.headers == {"WWW-Authenticate": challenges}


async def test_the_first_principal_wins_and_wrong_credentials_beside_right_ones_do_not_matter(make):
    class Knowing(Tokens):
        async def authenticate(self, request):
            return Principal("ada", authenticator="said")

    service = make(
        Authenticated(),
        authenticators={"wrong": Refusing(), "token": Knowing(), "late": Refusing()},
    )

    @service.get("/")
    async def read(request): ...

    service.compile()
    (compiled,) = service.endpoints._compiled
    request = request_of(service)
    await compiled.admit(request)

    assert request.principal == Principal("ada", authenticator="said")


async def test_an_anonymous_caller_whom_no_credentials_would_help_is_forbidden(make):
    class Office(Guard):
        needs_principal = False

        def allows(self, request, principal):
            return False

    service = make(Office(), authenticators={})

    @service.get("/")
    async def read(request): ...

    service.compile()
    (compiled,) = service.endpoints._compiled
    with pytest.raises(Forbidden) as caught:
        await compiled.admit(request_of(service))
    assert caught.value.headers == {}


async def test_authenticators_that_are_parts_run_with_the_service(make):
    class Running(Tokens):
        ran = ()

        async def start(self):
            self.ran += ("start",)

        async def stop(self):
            self.ran += ("stop",)

    one, other = Running(), Running()
    service = make(authenticators={"one": one})
    service.authenticate("other", other)

    async with service.running():
        assert one.ran == other.ran == ("start",)

    assert one.ran == other.ran == ("start", "stop")
