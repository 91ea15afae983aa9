"""What the settings of the service as a whole do."""

import pytest

from msframework import ImproperlyConfigured, PageResult, doc
from msframework.models import CharField, IntegerField, Model
from tests.client.conftest import Upstream, upstream  # noqa: F401 - a fixture


def failing(service):
    @service.get("/fails")
    async def fails(request):
        raise ZeroDivisionError


async def test_debug(serve, database):
    for debug in (True, False):
        async with serve(failing, DEBUG=debug, DATABASE_URL=database) as running:
            answer = await running.ask("/fails")

        assert answer.status == 500
        assert ("ZeroDivisionError" in await answer.text()) is debug


async def test_service_name(serve):
    async with serve(SERVICE_NAME="orders") as running:
        document = (await running.ask("/openapi/spec.json")).said

    assert document["info"]["title"] == "orders"
    assert running.service.tracer.service_name == "orders"


def test_app_id(read):
    assert read(APP_ID="orders").service_name == "orders"


async def test_installed_apps(serve, tmp_path, monkeypatch):
    (tmp_path / "effect_app").mkdir()
    (tmp_path / "effect_app" / "__init__.py").touch()
    (tmp_path / "effect_app" / "resources.py").write_text(
        "from msframework import Blueprint\n\n"
        "things = Blueprint('things', url_prefix='/things')\n\n\n"
        "@things.get('/')\nasync def get(request):\n    return 5\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    async with serve(INSTALLED_APPS=("effect_app",)) as running:
        assert (await running.ask("/things")).said["data"] == 5


def five(service):
    @service.get("/five")
    async def get(request):
        return 5


async def test_envelope(serve):
    async with serve(five, ENVELOPE=None) as running:
        assert (await running.ask("/five")).said == 5


class Account(Model):
    name = CharField()
    pin = CharField()
    password = CharField()


async def test_sensitive_fields(serve):
    def routes(service):
        @service.get("/account")
        @doc.produces(Account)
        async def get(request):
            return {"id": 1, "name": "Ada", "pin": "1234", "password": "x"}

    async with serve(routes, SENSITIVE_FIELDS=("pin",)) as running:
        data = (await running.ask("/account")).said["data"]

    assert data == {"id": 1, "name": "Ada", "password": "x"}


class Visitor(Model):
    name = CharField()
    ssn = CharField()
    account_id = IntegerField(help_text=Account)


class Visit(Model):
    visitor_id = IntegerField(help_text=Visitor)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
async def test_sensitive_fields_of_related_models(serve, fast):
    account = {"id": 3, "name": "Ada", "pin": "1234", "password": "x"}
    visit = {"id": 1, "visitor_id": {"id": 2, "name": "Bo", "ssn": "5", "account_id": account}}

    def routes(service):
        @service.get("/visits")
        @doc.paginate()
        @doc.produces([Visit])
        async def get_all(request, page):
            return PageResult([visit], {})

        @service.get("/visit")
        @doc.produces({"visit": Visit})
        async def get(request):
            return {"visit": visit}

    settings = {"SENSITIVE_FIELDS": ("pin", "ssn"), "FAST_PATH": fast}
    async with serve(routes, **settings) as running:
        page = (await running.ask("/visits")).said["data"]
        one = (await running.ask("/visit")).said["data"]["visit"]
        document = await (await running.ask("/openapi/spec.json")).text()

    account = {"id": 3, "name": "Ada"}
    assert one == {"id": 1, "visitor_id": {"id": 2, "name": "Bo", "account_id": account}}
    assert page == [one]
    assert '"name"' in document
    assert '"ssn"' not in document
    assert '"pin"' not in document


async def test_configure(serve, tmp_path, monkeypatch):
    (tmp_path / "effect_hook.py").write_text("def configure(service):\n    service.ctx.seen = 1\n")
    monkeypatch.syspath_prepend(tmp_path)

    async with serve(CONFIGURE="effect_hook.configure") as running:
        assert running.service.ctx.seen == 1


async def test_extra(serve):
    def routes(service):
        @service.get("/extra")
        async def get(request):
            return request.app.settings.extra["limit"]

    async with serve(routes, EXTRA={"limit": 7}) as running:
        assert (await running.ask("/extra")).said["data"] == 7


class SourceText(str):
    """A value that is written into the settings module as it stands."""

    __repr__ = str.__str__


async def test_extra_schema(serve):
    settings = {"EXTRA": {"limit": "7"}, "EXTRA_SCHEMA": {"limit": SourceText("int")}}
    with pytest.raises(ImproperlyConfigured, match="EXTRA"):
        async with serve(**settings):
            pass


# Other services. `upstream` echoes what it is asked.


def asking(service):
    @service.get("/ask")
    async def ask(request):
        return await request.client("other").call("GET", "/thing")

    @service.get("/open")
    async def open_(request):
        async with request.client("other").get("/thing") as answer:
            return (await answer.json())["data"]


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def called(request, serve, upstream):  # noqa: F811
    """Return a function that asks through a service, both ways, what *entry* leads to."""

    async def called(entry, *paths):
        services = {"other": {"url": upstream.url, **entry} if isinstance(entry, dict) else entry}
        async with serve(asking, SERVICES=services, FAST_PATH=request.param) as running:
            return [await running.ask(path) for path in paths or ("/ask", "/open")]

    return called


async def test_services(called, upstream):  # noqa: F811
    for answer in await called(upstream.url):
        assert answer.said["data"]["target"] == "/thing"


async def test_services_url(called, upstream):  # noqa: F811
    for answer in await called({"url": f"{upstream.url}/below/"}):
        assert answer.said["data"]["target"] == "/below/thing"


async def test_services_headers(called):
    for answer in await called({"headers": {"X-Api-Key": "k", "Accept": "text/csv"}}):
        assert answer.status == 200
        assert answer.said["data"]["headers"]["x-api-key"] == "k"
        assert answer.said["data"]["headers"]["accept"] == "text/csv"


async def never(reader, writer):
    """Say nothing."""


async def test_services_total_timeout(called, upstream):  # noqa: F811
    upstream.answers["/thing"] = never

    for answer in await called({"total_timeout": 0.05}):
        assert answer.status == 504


async def test_services_connect_timeout(called):
    # TEST-NET-1 (RFC 5737): nothing answers there, or the system says that no way leads to it.
    for answer in await called({"url": "http://192.0.2.1", "connect_timeout": 0.05}):
        assert answer.status in (502, 503, 504)


async def test_services_limit(called, upstream):  # noqa: F811
    (answer,) = await called({"limit": 3}, "/ask")

    assert answer.status == 200
    assert upstream.connections == 1


async def test_services_limit_is_kept(make, upstream):  # noqa: F811
    service = make(SERVICES={"other": {"url": upstream.url, "limit": 3}})
    async with service.running():
        assert service.clients["other"].session().connector.limit == 3
