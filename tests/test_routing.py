"""Who registered a route, whatever the service, its groups and its copies are called."""

import re

import aiohttp
import pytest
from sanic import Blueprint as SanicBlueprint

from msframework import Blueprint, ImproperlyConfigured, NotFound, Resource, doc
from msframework.openapi.spec import build_document


async def current_user(request):
    return "somebody"


def fill(blueprint):
    """Declare the same endpoints on any kind of blueprint, and return it."""

    @blueprint.get("/plain/<id:int>")
    @doc.summary("Show it")
    async def show(request, id): ...

    @blueprint.post("/dotted", name="a.name.with.dots")
    async def dotted(request): ...

    if isinstance(blueprint, Blueprint):
        blueprint.provide("user", current_user)

        @blueprint.resource("/")
        class Things(Resource):
            async def get(self, request, user): ...

    return blueprint


def plain(service):
    service.blueprint(fill(SanicBlueprint("users", url_prefix="/users")))


def ours(service):
    service.blueprint(fill(Blueprint("users", url_prefix="/users")))


def versioned(service):
    service.blueprint(fill(Blueprint("users", url_prefix="/users", version=1)))


def grouped(service):
    inner = Blueprint.group(fill(Blueprint("users", url_prefix="/users")), url_prefix="/inner")
    service.blueprint(Blueprint.group(inner, version=2, url_prefix="/outer"))


def listed(service):
    service.blueprint([fill(Blueprint("users")), fill(SanicBlueprint("others", url_prefix="/o"))])


def prefixed(service):
    users = fill(Blueprint("users", url_prefix="/users"))
    service.blueprint(Blueprint.group(users, name_prefix="old"))


def prefixed_like_the_service(service):
    users = fill(Blueprint("list", url_prefix="/users"))
    service.blueprint(users, name_prefix="users")


def copied(service):
    users = fill(Blueprint("users", url_prefix="/users"))
    service.blueprint(users)
    service.blueprint(users.copy("copies", url_prefix="/copies", with_registration=False))


def copied_to_users(service):
    others = fill(Blueprint("others", url_prefix="/others"))
    service.blueprint(others)
    others.copy("users", url_prefix="/users")


def twice(service):
    users = fill(Blueprint("users", url_prefix="/users"))
    service.blueprint(users)
    service.blueprint(users, url_prefix="/again", name_prefix="again")


def late(service):
    users = Blueprint("users", url_prefix="/users")
    service.blueprint(users)
    fill(users)


def late_and_plain(service):
    users = SanicBlueprint("users", url_prefix="/users")
    service.blueprint(users)
    fill(users)


def facts(service):
    found = [
        (
            operation.id,
            operation.blueprint,
            operation.name,
            operation.method,
            operation.path,
            operation.text.tags,
            [(argument.name, argument.source) for argument in operation.arguments],
        )
        for operation in service.operations
    ]
    return sorted(found, key=repr)


@pytest.mark.parametrize(
    "register",
    [
        plain,
        ours,
        versioned,
        grouped,
        listed,
        prefixed,
        prefixed_like_the_service,
        copied,
        copied_to_users,
        twice,
        late,
        late_and_plain,
    ],
)
async def test_the_name_of_the_service_changes_nothing(make_service, serve, register):
    services = [make_service(service_name=name) for name in ("users", "testing", "show", "others")]
    for service in services:
        register(service)
    first, *rest = services

    assert len(facts(first)) >= 2
    documents = [build_document(service.operations, service.settings) for service in services]
    for document in documents:
        document["info"].pop("title")
    for service, document in zip(rest, documents[1:], strict=True):
        assert facts(service) == facts(first)
        assert document == documents[0]
    async with serve(first):
        pass


def test_the_blueprint_is_known_in_groups_with_a_prefix(make_service):
    service = make_service()
    prefixed(service)

    (things,) = [operation for operation in service.operations if operation.name == "Things.get"]

    assert things.blueprint == "old_users"
    assert things.id == "old_users_list"


def test_two_blueprints_of_one_name_are_a_problem(make_service):
    service = make_service()
    service.blueprint(fill(Blueprint("users", url_prefix="/users")))
    service.blueprint(fill(Blueprint("users", url_prefix="/others")))

    [problem] = service.problems
    assert problem.startswith("blueprint 'users': two blueprints have this name, at ")


def version_of_a_blueprint(service):
    service.blueprint(fill(Blueprint("users", url_prefix="/users", version=1)))
    return "/v1/users"


def version_of_a_group(service):
    users = fill(Blueprint("users", url_prefix="/users"))
    service.blueprint(Blueprint.group(Blueprint.group(users, url_prefix="/in"), version=2))
    return "/v2/in/users"


def version_of_a_registration(service):
    service.blueprint(fill(SanicBlueprint("users", url_prefix="/users")), version="3.1")
    return "/v3.1/users"


def prefix_of_a_version(service):
    service.blueprint(Blueprint.group(fill(Blueprint("u")), version=1, version_prefix="/ver"))
    return "/ver1"


def prefix_without_a_slash(service):
    service.blueprint(fill(Blueprint("u", version="v4", version_prefix="edition")))
    return "/edition4"


def no_version(service):
    service.blueprint(fill(Blueprint("users", url_prefix="/users")))
    return "/users"


@pytest.mark.parametrize("prefix", ["", "/api", "/a/b"])
@pytest.mark.parametrize(
    "register",
    [
        version_of_a_blueprint,
        version_of_a_group,
        version_of_a_registration,
        prefix_of_a_version,
        prefix_without_a_slash,
        no_version,
    ],
)
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_the_prefix_of_all_urls_comes_first(make_service, serve, register, prefix, fast):
    service = make_service(server={"url_prefix": prefix, "fast_path": fast})
    expected = prefix + register(service)

    assert f"{expected}/plain/<id:int>" in [operation.path for operation in service.operations]
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}{expected}/plain/1") as response:
            assert response.status == 200
        async with session.get(f"http://{host}:{port}/openapi/spec.json") as response:
            assert response.status == (404 if prefix else 200)


async def test_websockets_and_files_stand_below_the_prefix_too(make_service, serve, tmp_path):
    service = make_service(server={"url_prefix": "/api"})
    (tmp_path / "a.txt").write_text("a file")
    things = Blueprint("things", url_prefix="/things", version=1)
    things.static("/files", tmp_path)

    @things.websocket("/socket")
    async def talk(request, ws):
        await ws.send("hello")

    service.blueprint(things)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.ws_connect(f"http://{host}:{port}/api/v1/things/socket") as ws:
            assert await ws.receive_str() == "hello"
        # NOTE: Sanic gives the files of a blueprint no version.
        async with session.get(f"http://{host}:{port}/api/things/files/a.txt") as response:
            assert await response.text() == "a file"


@pytest.mark.parametrize(
    "name",
    [
        "get",
        "post",
        "put",
        "patch",
        "delete",
        "head",
        "options",
        "websocket",
        "exception",
        "signal",
    ],
)
@pytest.mark.parametrize("of", ["blueprint", "service"])
def test_a_decorator_without_a_call_is_refused(make_service, name, of):
    owner = make_service() if of == "service" else Blueprint("things")

    async def read(request): ...

    with pytest.raises(ImproperlyConfigured) as caught:
        getattr(owner, name)(read)

    said = f"@{of}.{name} is written without a call, and was given what it decorates."
    line = read.__code__.co_firstlineno
    assert f"tests/test_routing.py:{line} " in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("base", [Resource, object])
def test_resource_without_a_call_is_refused(base):
    with pytest.raises(ImproperlyConfigured) as caught:

        @Blueprint("things").resource
        class Thing(base): ...

    assert re.search(
        r"tests/test_routing.py:\d+ .*Thing: @blueprint.resource is", str(caught.value)
    )


@pytest.mark.parametrize("base", [Resource, object])
def test_what_is_mounted_and_cannot_answer_is_told_with_its_place(base):
    things = Blueprint("things")

    @things.resource("/")
    class Thing(base): ...

    (problem,) = things.problems
    assert re.match(r"tests/test_routing.py:\d+: blueprint 'things': ", problem)


def test_the_raises_of_a_blueprint_is_refused_as_a_decorator():
    things = Blueprint("things")
    things.raises(NotFound)

    @things.get("/")
    @things.raises(NotFound)
    async def read(request): ...

    (problem,) = things.problems
    assert re.match(r"tests/test_routing.py:\d+ .*read: @blueprint.raises", problem)
    with pytest.raises(ImproperlyConfigured, match="raises is written without a call"):
        things.raises(read)
