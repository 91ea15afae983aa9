"""Provided values: what providers may take, in which order they run, and how they end."""

import asyncio
import functools
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from msframework import (
    Blueprint,
    Conflict,
    ImproperlyConfigured,
    NotFound,
    Resource,
    Unauthorized,
    doc,
)
from msframework.openapi.spec import build_document
from msframework.operation import Source


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def service(make_service, request):
    return make_service(server={"fast_path": request.param})


@pytest.fixture
def call(serve):
    """Return a function that serves a service and returns status and body of one request."""

    async def call(service, path="/", method="GET", **options):
        async with serve(service) as (host, port), aiohttp.ClientSession() as session:
            url = f"http://{host}:{port}{path}"
            async with session.request(method, url, **options) as response:
                text = await response.text()
                return response.status, (await response.json() if text else None)

    return call


def problems_of(service):
    with pytest.raises(ImproperlyConfigured) as caught:
        service.compile()
    return caught.value.problems


# What they take.


async def test_a_provider_takes_request_path_and_other_values_by_name(service, call):
    service.provide("user", lambda req: f"user of {req.path}")

    async def note(id, user):
        return {"id": id, "user": user}

    service.provide("note", note)
    service.provide("both", lambda *, note, request: [note, request.method])

    @service.get("/notes/<id:int>")
    async def read(request, id, both):
        return both

    note = {"id": 7, "user": "user of /notes/7"}
    assert await call(service, "/notes/7") == (200, {"code": 0, "data": [note, "GET"]})


async def test_each_runs_once_a_request_and_after_what_it_needs(service, call):
    order = []

    def provide(name, *needs):
        scope = {"order": order}
        exec(f"async def {name}({', '.join(needs)}): order.append({name!r})", scope)
        service.provide(name, scope[name])

    provide("top", "left", "right")
    provide("left", "root")
    provide("right", "root")
    provide("root")

    @service.get("/")
    async def read(request, right, top, root):
        return {}

    assert (await call(service))[0] == 200
    assert order == ["root", "right", "left", "top"]
    assert [each.value.name for each in service.operations[0].provisions] == order


class Repository:
    def __init__(self, session):
        self.session = session


class Callable:
    async def __call__(self, request):
        return "of an instance"


def decorated(function):
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)

    return wrapper


async def test_classes_instances_partials_and_wrappers_provide(service, call):
    async def named(session, name, optional="kept"):
        return f"{session} {name} {optional}"

    service.provide("session", lambda: "session")
    service.provide("repository", Repository)
    service.provide("instance", Callable())
    service.provide("part", functools.partial(named, optional="set"))
    service.provide("wrapped", decorated(named))
    service.provide("anything", lambda *args: len(args))
    service.provide("kind", type)  # a built-in, which does not say what it takes

    @service.get("/<name>")
    async def read(request, name, repository, instance, part, wrapped, anything, kind):
        return [repository.session, instance, part, wrapped, anything, kind.__name__[-7:]]

    assert (await call(service, "/x"))[1]["data"] == [
        "session",
        "of an instance",
        "session x set",
        "session x kept",
        1,
        "Request",
    ]


async def test_a_blueprint_comes_before_the_service_for_other_providers_too(service, call):
    service.provide("tenant", lambda request: "the service's")
    service.provide("greeting", lambda tenant: f"hello {tenant}")
    shops = Blueprint("shops", url_prefix="/shops")
    shops.provide("tenant", lambda request: "the blueprint's")

    @shops.resource("/")
    class Shop(Resource):
        async def get(self, request, greeting):
            return greeting

    @service.get("/")
    async def read(request, greeting):
        return greeting

    service.blueprint(shops)

    assert (await call(service, "/shops/"))[1]["data"] == "hello the blueprint's"


def test_a_circle_is_refused_by_name_once(service):
    service.provide("a", lambda b: 1)
    service.provide("b", lambda request, c: 1)
    service.provide("c", lambda a: 1)

    @service.get("/")
    async def read(request, b): ...

    @service.get("/other")
    async def other(request, c): ...

    (problem,) = problems_of(service)
    assert problem.startswith("service.provide('a', …): provided values need each other")
    assert "a → b → c → a (" in problem
    assert "test_provider.py:" in problem


def test_a_value_that_needs_itself_is_a_circle(service):
    service.provide("user", lambda request, user: 1)

    @service.get("/")
    async def read(request, user): ...

    assert "user → user (" in problems_of(service)[0]


def test_a_name_that_nothing_declares_is_refused_with_a_suggestion(service):
    service.provide("session", lambda request: 1)
    service.provide("user", lambda request, sesion: 1)

    @service.get("/<id:int>")
    async def read(request, id, user): ...

    (problem,) = problems_of(service)
    assert problem.startswith("service.provide('user', …) got ")
    assert "which takes 'sesion', and nothing declares that" in problem
    assert "(declared: request, cur, db, id, principal, session, tx, user)" in problem
    assert "Was 'session' meant?" in problem


def test_a_parameter_that_only_other_paths_have_is_refused_with_the_operation(service):
    service.provide("note", lambda request, id: 1)

    @service.get("/notes/<id:int>")
    async def read(request, id, note): ...

    @service.get("/notes")
    async def listing(request, note): ...

    (problem,) = problems_of(service)
    assert "listing: it needs the provided value 'note', whose provider" in problem
    assert "takes 'id'" in problem
    assert "Put <id> into the path" in problem


def test_what_a_provider_lacks_may_be_provided_later(service):
    service.provide("user", lambda request, session: 1)

    @service.get("/")
    async def read(request, user): ...

    service.compile(strict=False)
    service.provide("session", lambda request: 1)

    assert len(service.operations) == 1


@asynccontextmanager
async def managed(request):
    yield 1


def generator(request):
    yield 1


@pytest.mark.parametrize(
    ("provider", "options", "said"),
    [
        (5, {}, "got 5, which cannot be called"),
        (generator, {}, "expected a function that returns the value"),
        (managed, {}, "Drop the decorator @asynccontextmanager"),
        (lambda request, user, /: 1, {}, "'user' takes no name"),
        (lambda request: 1, {"raises": (KeyError,)}, "which is no exception of a service"),
        (lambda request: 1, {"raises": KeyError}, "which is no exception of a service"),
        (lambda request: 1, {"security": ["bearer"]}, "expected the name of one scheme"),
    ],
)
def test_what_cannot_provide_is_refused_also_where_nothing_takes_it(
    service, provider, options, said
):
    service.provide("thing", provider, **options)

    (problem,) = problems_of(service)
    assert problem.startswith("service.provide('thing', …) got ")
    assert said in problem


# How generators end.


def provide_generator(owner, name, seen, needs="request"):
    """Provide an async generator that notes how it ends."""
    scope = {"seen": seen}
    exec(
        f"""
async def {name}({needs}):
    seen.append("open {name}")
    try:
        yield "{name}"
    except BaseException as exc:
        seen.append(f"{name} sees {{type(exc).__name__}}")
        raise
    finally:
        seen.append("close {name}")
""",
        scope,
    )
    owner.provide(name, scope[name])


async def test_generators_close_in_reverse_before_the_answer_is_sent(service, call):
    seen = []
    provide_generator(service, "outer", seen)
    provide_generator(service, "inner", seen, "outer")

    @service.get("/")
    async def read(request, inner, outer):
        seen.append("method")
        return [outer, inner]

    service.on_request(lambda request: None)
    service.on_response(lambda request, response: seen.append("response"))

    assert await call(service) == (200, {"code": 0, "data": ["outer", "inner"]})
    assert seen == [
        "open outer",
        "open inner",
        "method",
        "close inner",
        "close outer",
        "response",
    ]


@pytest.mark.parametrize("where", ["method", "provider", "answer"])
async def test_generators_see_what_failed(service, call, where):
    seen = []
    provide_generator(service, "session", seen)

    async def user(request, session):
        if where == "provider":
            raise Unauthorized()

    service.provide("user", user)

    @service.get("/")
    @doc.produces({"id": int})
    async def read(request, user):
        if where == "method":
            raise NotFound()
        return "no object"

    expected = {"method": 404, "provider": 401, "answer": 500}
    shown = {"method": "NotFound", "provider": "Unauthorized", "answer": "WrongKind"}
    assert (await call(service))[0] == expected[where]
    assert seen == ["open session", f"session sees {shown[where]}", "close session"]


async def test_refused_input_closes_generators_without_a_failure(service, call):
    seen = []
    provide_generator(service, "session", seen)

    @service.post("/")
    @doc.consumes({"a": int})
    async def create(request, body, session): ...

    assert (await call(service, method="POST", json={}))[0] == 422
    assert seen == ["open session", "close session"]


async def test_a_failure_that_a_generator_catches_is_answered_all_the_same(service, call):
    async def session(request):
        with suppress(NotFound):
            yield

    service.provide("session", session)

    @service.get("/")
    async def read(request, session):
        raise NotFound()

    assert (await call(service))[0] == 404


async def test_a_generator_may_raise_another_failure(service, call):
    async def session(request):
        try:
            yield
        except KeyError:
            raise Conflict() from None

    service.provide("session", session)

    @service.get("/")
    async def read(request, session):
        raise KeyError

    assert (await call(service))[0] == 409


@pytest.mark.parametrize("exception", [StopAsyncIteration, RuntimeError])
async def test_exceptions_that_generators_treat_in_their_own_way_pass(service, call, exception):
    seen = []
    provide_generator(service, "session", seen)
    service.on_error(lambda request, exc, span: seen.append(exc))

    @service.get("/")
    async def read(request, session):
        raise exception("passed on")

    assert (await call(service))[0] == 500
    assert seen[:-1] == ["open session", f"session sees {exception.__name__}", "close session"]
    assert type(seen[-1]) is exception


async def test_a_clean_up_that_fails_is_a_failure_and_leaves_the_others_theirs(service, call):
    seen = []
    provide_generator(service, "outer", seen)

    async def inner(outer):
        yield
        raise KeyError("clean-up")

    service.provide("inner", inner)
    service.on_error(lambda request, exc, span: seen.append(exc))

    @service.get("/")
    async def read(request, inner):
        return {}

    assert (await call(service))[0] == 500
    assert seen[:3] == ["open outer", "outer sees KeyError", "close outer"]
    assert isinstance(seen[3], KeyError)


@pytest.mark.parametrize(
    ("count", "said"), [(0, "it yielded nothing"), (2, "it yielded twice"), (3, "yielded twice")]
)
@pytest.mark.parametrize("fails", [False, True])
async def test_a_generator_that_does_not_yield_once_is_a_failure(service, call, count, said, fails):
    seen = []

    async def session(request):
        for _ in range(count):
            with suppress(NotFound):
                yield

    service.provide("session", session)
    service.on_error(lambda request, exc, span: seen.append(exc))

    @service.get("/")
    async def read(request, session):
        if fails:
            raise NotFound()

    assert (await call(service))[0] == 500
    assert isinstance(seen[0], RuntimeError)
    assert said in str(seen[0])
    assert "test_provider.py:" in str(seen[0])


async def test_a_client_that_hangs_up_closes_generators(service, serve):
    seen, waiting, closed = [], asyncio.Event(), asyncio.Event()

    async def outer(request):
        try:
            yield
        finally:
            await asyncio.sleep(0)
            seen.append("outer")
            closed.set()

    async def inner(outer):
        try:
            yield
        finally:
            seen.append("inner")
            raise KeyError("not told to anybody")

    service.provide("outer", outer)
    service.provide("inner", inner)

    @service.get("/")
    async def read(request, inner):
        waiting.set()
        await asyncio.Event().wait()

    async with serve(service) as (host, port):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(30):
            await waiting.wait()
            writer.close()
            await closed.wait()

    assert seen == ["inner", "outer"]


async def test_a_request_that_takes_too_long_closes_generators(make_service, call):
    service = make_service(server={"response_timeout": 0.2})
    seen = []
    provide_generator(service, "session", seen)

    @service.get("/")
    async def read(request, session):
        await asyncio.Event().wait()

    assert (await call(service))[0] == 503
    assert seen == ["open session", "session sees CancelledError", "close session"]


async def test_head_makes_values_and_options_none(service, call):
    seen = []
    provide_generator(service, "session", seen)

    @service.get("/")
    async def read(request, session):
        return {}

    assert (await call(service, method="HEAD"))[0] == 200
    assert seen == ["open session", "close session"]
    assert (await call(service, method="OPTIONS"))[0] < 300
    assert seen == ["open session", "close session"]


async def test_a_streamed_answer_has_its_values_until_it_ends(service, call):
    seen = []
    provide_generator(service, "session", seen)

    @service.get("/")
    async def read(request, session):
        response = await request.respond(content_type="application/json")
        seen.append("sent")
        await response.send('"streamed"', True)

    assert await call(service) == (200, "streamed")
    assert seen == ["open session", "sent", "close session"]


# What they document.


async def anybody(request): ...


def document_of(service):
    return build_document(service.operations, service.settings)


def test_operations_say_what_their_providers_enforce_and_raise(make_service):
    schemes = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "name": "x-key", "in": "header", "x-enforced-by": "gateway"},
    }
    service = make_service(openapi={"security_schemes": schemes})
    service.provide("user", anybody, security="bearer", raises=(Unauthorized, Conflict))
    service.provide("owner", lambda user: user)

    @service.get("/mine")
    async def mine(request, owner): ...

    @service.get("/other")
    @doc.security("key")
    @doc.raises(Conflict, description="said by the method")
    async def other(request, user): ...

    @service.get("/open")
    async def public(request): ...

    paths = document_of(service)["paths"]
    assert paths["/mine"]["get"]["security"] == [{"bearer": []}]
    assert {"401", "403", "409"} <= paths["/mine"]["get"]["responses"].keys()
    assert paths["/other"]["get"]["security"] == [{"bearer": [], "key": []}]
    assert "said by the method" in paths["/other"]["get"]["responses"]["409"]["description"]
    assert paths["/open"]["get"]["security"] == []
    assert "409" not in paths["/open"]["get"]["responses"]


def test_a_scheme_that_the_settings_lack_is_refused_once(make_service):
    service = make_service()
    service.provide("user", anybody, security="bearer")

    @service.get("/one")
    async def one(request, user): ...

    @service.get("/other")
    async def other(request, user): ...

    with pytest.raises(ImproperlyConfigured) as caught:
        document_of(service)
    (problem,) = caught.value.problems
    assert problem.startswith(
        "service.provide('user', …): it names the scheme 'bearer', which is not"
    )


@pytest.mark.parametrize(
    ("schemes", "expected"),
    [
        ((), [{"bearer": []}]),
        (("bearer",), [{"bearer": []}]),
        (("bearer", "key"), [{"bearer": []}, {"bearer": [], "key": []}]),
    ],
)
def test_what_a_provider_enforces_adds_to_each_alternative(make_service, schemes, expected):
    scheme = {"type": "http", "scheme": "bearer", "x-enforced-by": "gateway"}
    known = {"bearer": scheme, "key": scheme}
    service = make_service(openapi={"security_schemes": known})
    service.provide("user", anybody, security="bearer")

    @service.get("/")
    @doc.security(*schemes)
    async def read(request, user): ...

    assert document_of(service)["paths"]["/"]["get"]["security"] == expected


def test_a_value_with_the_name_of_a_built_in_one_wins(service):
    service.provide("db", anybody)

    @service.get("/<cur>")
    async def read(request, cur, db, tx): ...

    (operation,) = service.operations
    assert [argument.source for argument in operation.arguments[1:]] == [
        Source.PATH,
        Source.PROVIDED,
        Source.PROVIDED,
    ]
    assert [argument.provider for argument in operation.arguments] == [None, None, anybody, None]


def test_a_built_in_value_leaves_a_default_as_it_is(service):
    service.provide("user", lambda request, cur=None: cur)

    @service.get("/")
    async def read(request, user, tx=None): ...

    (operation,) = service.operations
    assert [each.value.name for each in operation.provisions] == ["user"]
    assert [argument.name for argument in operation.arguments] == ["request", "user"]


def test_a_built_in_value_that_is_provided_too_late_is_refused(service):
    @service.get("/")
    async def read(request, tx): ...

    service.compile(strict=False)
    service.provide("tx", anybody)

    (problem,) = problems_of(service)
    assert "provide('tx', …) came after it was compiled" in problem
