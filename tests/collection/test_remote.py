"""`Remote`: objects of other services within the rows of this one, which asks for them at once."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest
from sanic import Sanic

from msframework import Blueprint, ModelResource, ModelSchema, Remote
from msframework.conf.settings import DatabaseSettings, ServiceEntry
from msframework.exceptions import ImproperlyConfigured
from msframework.models import CharField, FloatField, Model, UUIDField
from msframework.openapi.spec import build_document
from msframework.testing import budget
from msframework.testing.client import TestClient
from msframework.testing.server import BackgroundServer
from tests.client.conftest import Upstream
from tests.collection.places import TABLES, PlaceApi, places
from tests.conftest import new_service


@pytest.fixture(scope="module")
def service(shop_url):
    Sanic._app_registry.clear()
    services = {name: ServiceEntry(name, "http://127.0.0.1:1") for name in ("towns", "roles")}
    database = replace(
        DatabaseSettings(), url=shop_url, min_size=1, max_size=1, acquire_timeout=1.0
    )
    service = new_service(database=database, services=services)
    service.blueprint(places)
    return service


@pytest.fixture(scope="module")
def server(service):
    with BackgroundServer(service) as server:
        service.clients["towns"].relocate(server.url)
        yield server


@pytest.fixture(scope="module")
def roles(server, service):
    """The roles service: it answers whatever a test says, on the loop of the server."""
    upstream = Upstream()

    async def listen():
        found = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
        service.clients["roles"].relocate(f"http://127.0.0.1:{found.sockets[0].getsockname()[1]}")
        return found

    async def end():
        listening.close()
        for task in upstream.tasks:
            task.cancel()
        await asyncio.gather(*upstream.tasks, return_exceptions=True)

    listening = server.thread.run(listen())
    yield upstream
    server.thread.run(end())


@pytest.fixture
async def people(shop_url, server, service, roles):
    conn = await asyncpg.connect(shop_url)
    if await conn.fetchval("SELECT to_regclass('elsewhere.people')") is None:
        await conn.execute(TABLES)
    await conn.close()
    roles.requests.clear()
    roles.answers.clear()
    for number, name in ((7, "poet"), (8, "smith")):
        roles.answers[f"/roles/{number}"] = 200, {"code": 0, "data": {"id": number, "name": name}}
    roles.arrived.clear()
    async with TestClient(server.url, service.operations) as client:
        yield client


async def get(client, path, statements, **options):
    with budget(statements=statements) as spent:
        response = await client.get(path, **options)
    assert response.status == 200, response.text
    assert len(spent) == statements
    return response.json["data"]


LYON, PARIS = {"id": 1, "name": "Lyon"}, {"id": 2, "name": "Paris"}


async def test_a_list_is_asked_once_while_the_only_connection_is_free(people):
    rows = await get(people, "/people?expand=town", 4)

    assert [row["town"] for row in rows] == [LYON, PARIS, LYON, None, None]
    assert rows[0] == {"id": 1, "name": "Ada", "town_id": 1, "town": LYON}


async def test_one_row_has_remote_objects_beside_the_chosen_fields(people, roles):
    row = await get(people, "/people/1?fields=name&expand=town,role", 3)

    assert row == {"name": "Ada", "town": LYON, "role": {"id": 7, "name": "poet"}}


async def test_an_object_is_asked_for_once_for_each_key(people, roles):
    rows = await get(people, "/people?expand=role", 2)

    assert [row["role"] and row["role"]["name"] for row in rows] == [
        *("poet", None, "poet", "smith", "smith"),
    ]
    assert sorted(each["target"] for each in roles.requests) == ["/roles/7", "/roles/8"]


@pytest.mark.parametrize("path", ["/people", "/people?expand=role&page=9", "/people/2?expand=role"])
async def test_the_other_service_is_not_asked_where_there_are_no_keys(people, roles, path):
    await people.get(path)

    assert roles.requests == []


async def test_joined_objects_have_remote_objects_too(people):
    rows = await get(people, "/people?expand=boss.town", 4)

    assert [row["boss"] for row in rows] == [
        None,
        {"name": "Ada", "town": LYON},
        {"name": "Bob", "town": PARIS},
        {"name": "Ada", "town": LYON},
        {"name": "Dan", "town": None},
    ]


async def test_a_remote_object_may_always_be_answered(people):
    rows = await get(people, "/townsmen", 4)
    row = await get(people, "/townsmen/2", 4)

    assert [row["town"] for row in rows] == [LYON, PARIS, LYON, None, None]
    assert row == {"id": 2, "name": "BOB", "town_id": 2, "town": PARIS}


async def test_only_the_named_headers_are_forwarded(people, roles):
    headers = {"Authorization": "Bearer x", "X-Other": "y"}

    await get(people, "/people/1?expand=role", 1, headers=headers)

    sent = roles.requests[0]["headers"]
    assert sent["authorization"] == "Bearer x"
    assert "x-other" not in sent
    assert "traceparent" in sent


@pytest.mark.parametrize(
    ("answer", "status"),
    [((404, {}), 200), ((500, {"error": "inside"}), 502), ((503, {}), 503), ((403, {}), 502)],
)
async def test_a_failure_is_that_of_the_client(people, roles, answer, status):
    roles.answers["/roles/8"] = answer

    response = await people.get("/people?expand=role")

    assert response.status == status, response.text
    assert "inside" not in response.text
    if status == 200:
        assert [row["role"] for row in response.json["data"]][3:] == [None, None]


async def test_a_caller_who_hangs_up_ends_the_calls(people, roles, server):
    async def never(reader, writer):
        hangs.append(writer)
        await reader.read()  # ends when the caller hangs up
        ended.append(writer)
        if len(ended) == 2:
            gone.set()

    hangs, ended, gone = [], [], asyncio.Event()
    roles.answers["/roles/7"] = roles.answers["/roles/8"] = never
    host, port = server.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /people?expand=role HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.to_thread(server.thread.run, roles.arrived.wait(), 5)

    writer.transport.abort()

    await asyncio.to_thread(server.thread.run, gone.wait(), 5)
    assert {*ended} == {*hangs}


def test_the_document_has_remote_objects_and_their_failures(service, server):
    document = build_document(service.operations, service.settings)
    schema = document["components"]["schemas"]["PersonPartExpanded"]
    answers = document["paths"]["/people"]["get"]["responses"]

    assert schema["properties"]["town"] == {
        "anyOf": [{"$ref": "#/components/schemas/Place"}, {"type": "null"}],
        "readOnly": True,
    }
    assert [name for name in document["components"]["schemas"] if "Place" in name] == ["Place"]
    assert {"502", "503", "504"} <= answers.keys()
    assert "504" not in document["paths"]["/people"]["post"]["responses"]
    assert "504" not in document["paths"]["/towns"]["get"]["responses"]


class Odd(Model):
    name = CharField()
    share = FloatField()
    uuid = UUIDField()


class OddSchema(ModelSchema):
    class Meta:
        model = Odd
        fields = ("id", "name")


def remote(*args, **options):
    given = {"key": "uuid", "schema": PlaceApi} | options
    return Remote(*(args or ("towns", "/towns")), **given)


MISTAKES = {
    "service": ({"town": remote("moon", "/x")}, "asks 'moon', which SERVICES lacks; expected one"),
    "no service": ({"town": remote("", "/x")}, "is of the service ''"),
    "key": ({"town": remote(key="town_id")}, "has the key 'town_id', no column of Odd; expected"),
    "no key": ({"town": remote(key=None)}, "has the key None, no column of Odd"),
    "kind of key": ({"town": remote(key="share")}, "has the key 'share', a FloatField; expected"),
    "name of a field": ({"name": remote()}, "takes the name of a field that the schema has"),
    "two parameters": ({"town": remote("towns", "/a/{b}/{c}")}, "with one parameter"),
    "bracket": ({"town": remote("towns", "/a/{b")}, "has the path '/a/{b'"),
    "no path": ({"town": remote("towns", "towns")}, "has the path 'towns'"),
    "another host": ({"town": remote("towns", "//moon/x")}, "has the path '//moon/x'"),
    "dots": ({"town": remote("towns", "/a/../b")}, "which would lead to another path"),
    "encoded dots": ({"town": remote("towns", "/a/%2e%2E/b")}, "would lead to another path"),
    "parameter": ({"town": remote("towns", "/a/{json}")}, "parameter cannot be called 'json'"),
    "number as parameter": ({"town": remote("towns", "/a/{0}")}, "cannot be called '0'"),
    "member": ({"town": remote(by="")}, "has by=''"),
    "header": ({"town": remote(forward=("a b",))}, "forwards 'a b'; expected the name of a header"),
    "text of headers": ({"town": remote(forward="A")}, "Write forward=('A',)."),
    "framing": ({"town": remote(forward=("Content-Length",))}, "forwards Content-Length, which"),
    "size": ({"town": remote(batch_size=101)}, "has batch_size=101; expected a number from 1 to"),
    "at once": ({"town": remote(at_once=0)}, "has at_once=0; expected a number from 1 to 100"),
    "time": ({"town": remote(timeout=0)}, "has timeout=0; expected a number from 0.001 to 60"),
    "no schema": ({"town": remote(schema=7)}, "cannot be shown. its schema: 7 is no schema"),
    "schema of a list": ({"town": remote(schema=[PlaceApi])}, "has the schema of a list"),
    "through": (
        {"town": remote(), "town.mayor": remote()},
        "expand['town.mayor'] goes through 'town'",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_reported_at_start_up(case):
    expand, found = MISTAKES[case]
    service = new_service(services={"towns": ServiceEntry("towns", "http://towns:8000")})
    blueprint = Blueprint("wrong", url_prefix="/wrong")
    members = {"schema": OddSchema, "expand": expand}
    blueprint.collection("/", item="/<id:int>")(type("Wrong", (ModelResource,), members))
    service.blueprint(blueprint)

    with pytest.raises(ImproperlyConfigured) as info:
        service.compile()

    assert found in str(info.value)
