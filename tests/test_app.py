"""`create_app`: what it reads, what it refuses, and what it runs without a server."""

import sys
import textwrap

import pytest

from msframework import Client, ImproperlyConfigured, Resource, SetupClosed, create_app
from msframework.routing import Blueprint
from tests.conftest import with_settings


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that writes an app package of the given modules, importable by name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def make(name, **modules):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        for module, source in modules.items():
            (folder / f"{module}.py").write_text(textwrap.dedent(source))
        made.append(name)
        return name

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] in made]:
        del sys.modules[name]


RESOURCES = """
    from msframework import Blueprint, Resource

    things = Blueprint("things", url_prefix="/things")

    @things.resource("/")
    class Things(Resource):
        async def get(self, request):
            return []
"""
VIEWS = """
    from sanic import Blueprint
    from .resources import things   # an imported blueprint is mounted once

    plain = Blueprint("plain", url_prefix="/plain")

    @plain.get("/")
    async def listing(request):
        return []
"""


def test_blueprints_are_found_in_resources_and_views(package):
    package("shop_found", resources=RESOURCES, views=VIEWS)

    service = create_app(with_settings(installed_apps=("shop_found",)))

    assert [operation.name for operation in service.operations] == ["Things.get", "listing"]


def test_every_mistake_of_the_installed_apps_comes_in_one_message(package):
    package("shop_broken", resources="import nothing_of_that_name")
    package(
        "shop_wrong",
        resources="""
            from msframework import Blueprint, doc
            wrong = Blueprint("wrong")

            @wrong.post("/a")
            @doc.consumes(42)
            async def handler(request, body): ...

            @wrong.post("/a", name="other")
            async def handler_too(request): ...
        """,
    )

    with pytest.raises(ImproperlyConfigured) as caught:
        create_app(with_settings(installed_apps=("nowhere.shop", "shop_broken", "shop_wrong")))

    text = str(caught.value)
    for said in ("nowhere.shop", "nothing_of_that_name", "42", "/a"):
        assert said in text


def test_a_mistake_that_stops_an_import_is_told_as_it_is(package):
    source = "from msframework import ImproperlyConfigured\nraise ImproperlyConfigured('a', 'b')"
    package("shop_mistaken", resources=source)

    with pytest.raises(ImproperlyConfigured) as caught:
        create_app(with_settings(installed_apps=("shop_mistaken",)))

    assert caught.value.problems == ("a", "b")


def test_configure_names_a_function_that_is_called_with_the_service(package):
    package(
        "shop_configured",
        resources="""
            from msframework import Blueprint
            things = Blueprint("things")

            @things.get("/")
            async def listing(request, user):
                return user

            async def current_user(request):
                return "u"

            def configure(service):
                service.provide("user", current_user)
        """,
    )

    service = create_app(
        with_settings(
            installed_apps=("shop_configured",), configure="shop_configured.resources.configure"
        )
    )

    assert service.operations[0].arguments[1].name == "user"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("coroutine", "async def configure(service): ..."),
        ("returned", "async def f(): ...\ndef configure(service): return f()"),
        ("generator", "def configure(service): yield"),
        ("asynchronous", "async def configure(service): yield"),
    ],
)
def test_configure_that_would_have_to_be_awaited_is_refused(package, name, source):
    package(f"shop_{name}", hooks=source)

    with pytest.raises(ImproperlyConfigured, match="nothing runs what it returns"):
        create_app(with_settings(configure=f"shop_{name}.hooks.configure"))


async def test_running_starts_the_parts_without_a_server(make_service):
    service = make_service()
    order = []

    class Consumer:
        async def start(self):
            order.append("start")

        async def stop(self):
            order.append("stop")

    service.add_part(Consumer())
    async with service.running() as running:
        assert running is service
        assert order == ["start"]
        with pytest.raises(SetupClosed, match="after the service began to start"):
            service.provide("late", None)
    assert order == ["start", "stop"]


class Recorder:
    """A part that knows whether it was started."""

    started = False

    async def start(self):
        self.started = True

    async def stop(self): ...


@pytest.mark.parametrize("name", ["db", "clients", "own", "Recorder"])
async def test_a_part_is_replaced_by_its_name(make_service, name):
    service, other = make_service(), Recorder()
    service.add_part(Recorder(), name=None if name == "Recorder" else "own")

    service.replace_part(name, other)

    async with service.running():
        assert other.started
        with pytest.raises(SetupClosed, match="replace_part"):
            service.replace_part(name, other)
    assert getattr(service, name, other) is other


def test_app_client_says_what_to_assign(make_service):
    service = make_service()

    with pytest.raises(AttributeError, match="assign a Client"):
        service.client  # noqa: B018 - the property is what is tested

    client = Client(url="http://127.0.0.1:1")
    service.client = client
    assert service.client is client


def test_routes_cannot_be_alike_in_two_blueprints(make_service):
    service = make_service()
    for name in ("one", "two"):
        blueprint = Blueprint(name, url_prefix="/same")

        @blueprint.get("/<id:int>")
        async def handler(request, id): ...

        service.blueprint(blueprint)

    with pytest.raises(ImproperlyConfigured, match="same"):
        service.compile()


def test_two_blueprints_of_one_name_are_told_apart_by_their_paths(make_service):
    service = make_service()
    for prefix in ("/users", "/people"):
        service.blueprint(Blueprint("users", url_prefix=prefix))

    with pytest.raises(ImproperlyConfigured) as caught:
        service.compile()

    assert caught.value.problems == (
        "blueprint 'users': two blueprints have this name, at /users and /people. Rename one of "
        "them, or register it with name_prefix=….",
    )


def test_the_source_of_handlers_is_not_read(make_service, monkeypatch):
    def refuse(handler):
        raise AssertionError(f"the source of {handler} was read")

    monkeypatch.setattr("sanic.mixins.routes.getsource", refuse)
    service = make_service()
    things = Blueprint("things")

    @service.get("/a")
    async def on_the_service(request): ...

    @things.get("/b")
    async def on_a_blueprint(request): ...

    service.blueprint(things)

    assert [operation.path for operation in service.operations] == ["/a", "/b"]


def test_what_answers_by_itself_takes_one_route_a_path(make_service):
    service = make_service()
    things = Blueprint("things")

    @things.resource("/a")
    class Thing(Resource):
        async def get(self, request): ...

        async def put(self, request): ...

    service.blueprint(things)
    service.finalize()

    routes = [route for route in service.router.routes if route.path == "a"]
    assert sorted(sorted(route.methods) for route in routes) == [
        ["GET", "HEAD"],
        ["OPTIONS"],
        ["PUT"],
    ]


def test_one_function_for_several_methods_has_an_operation_for_each(make_service):
    service = make_service()

    @service.route("/both", methods=["GET", "POST"])
    async def both(request):
        return None

    assert [(item.method, item.id) for item in service.operations if item.path == "/both"] == [
        ("GET", "both_get"),
        ("POST", "both_post"),
    ]
