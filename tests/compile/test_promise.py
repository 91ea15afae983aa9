"""A method that returns something else than it promised: a 500 that names both, never a 200."""

import asyncio
import dataclasses
import json
import logging
from collections import OrderedDict, namedtuple
from datetime import date
from decimal import Decimal
from enum import Enum

import aiohttp
import pytest
import pytest_asyncio
from marshmallow import post_dump, pre_dump

from msframework import (
    Blueprint,
    NotFound,
    PageResult,
    Reply,
    Resource,
    Schema,
    doc,
)
from msframework.models import CharField, Model
from msframework.schemas import fields
from tests.conftest import new_service, serve_service

pytestmark = pytest.mark.asyncio(loop_scope="module")


class City(Schema):
    """What is nested."""

    name = fields.String(required=True)


class Thing(Schema):
    """What most methods promise."""

    id = fields.Integer(required=True)
    title = fields.String()
    city = fields.Nested(City)
    cities = fields.List(fields.Nested(City))


class Row(Model):
    """A row that is no dict."""

    title = CharField()


@dataclasses.dataclass
class Plain:
    """An object of a service's own."""

    id: int
    title: str


class Colour(Enum):
    """An enum, whose members have names and values."""

    RED = 1


class Unrelated:
    """An object that has nothing of what is promised."""


Named = namedtuple("Named", "id title")


async def fetch():
    return {"id": 1}


async def stream():
    yield {"id": 1}


WRONG_OBJECTS = {
    "coroutine": fetch,
    "future": lambda: asyncio.get_running_loop().create_future(),
    "task": lambda: asyncio.ensure_future(asyncio.sleep(0)),
    "async generator": stream,
    "generator": lambda: (row for row in [{"id": 1}]),
    "iterator": lambda: iter([{"id": 1}]),
    "text": lambda: "a text",
    "empty text": lambda: "",
    "bytes": lambda: b"bytes",
    "number": lambda: 5,
    "float": lambda: 5.5,
    "bool": lambda: True,
    "decimal": lambda: Decimal("5"),
    "date": lambda: date(2024, 1, 1),
    "None": lambda: None,
    "list": lambda: [{"id": 1}],
    "empty list": list,
    "tuple": lambda: ({"id": 1},),
    "set": lambda: {1, 2},
    "values": lambda: {"a": {"id": 1}}.values(),
    "exception": lambda: NotFound("no"),
    "exception class": lambda: NotFound,
    "class": lambda: Plain,
    "function": lambda: fetch,
    "method": lambda: "a".title,
    "module": lambda: json,
    "query": lambda: Row.select(),
    "expression": lambda: Row.title == "a",
    "unrelated": Unrelated,
    "object": object,
    "reply in a reply": lambda: Reply(Reply({"id": 1})),
    "reply of a coroutine": lambda: Reply(fetch()),
    "page": lambda: PageResult([{"id": 1}], {"page": 1}),
    "rows and a dict": lambda: ([{"id": 1}], {"page": 1}),
    "status": lambda: ({"id": 1}, 201),
    "status and headers": lambda: ({"id": 1}, 201, {"X-A": "b"}),
    "headers": lambda: ({"id": 1}, {"X-A": "b"}),
    "nested coroutine": lambda: {"id": 1, "city": fetch()},
    "text of a coroutine": lambda: {"id": 1, "title": fetch()},
    "text of a query": lambda: {"id": 1, "title": Row.select(Row.title)},
    "nested text": lambda: {"id": 1, "city": "Paris"},
    "nested list": lambda: {"id": 1, "city": [{"name": "Paris"}]},
    "list of texts": lambda: {"id": 1, "cities": ["Paris"]},
}
RIGHT_OBJECTS = {
    "dict": lambda: {"id": 1, "title": "a"},
    "ordered": lambda: OrderedDict(id=1, title="a"),
    "dataclass": lambda: Plain(1, "a"),
    "named tuple": lambda: Named(1, "a"),
    "named tuple like a status": lambda: Named(1, 201),
    "model": lambda: Row(id=1, title="a"),
    "reply": lambda: Reply({"id": 1}),
}
WRONG_LISTS = {
    name: WRONG_OBJECTS[name]
    for name in (
        "coroutine",
        "task",
        "async generator",
        "text",
        "empty text",
        "bytes",
        "number",
        "bool",
        "None",
        "exception",
        "class",
        "function",
        "query",
        "unrelated",
        "status",
        "status and headers",
        "reply in a reply",
    )
} | {
    "one": lambda: {"id": 1},
    "empty dict": dict,
    "one object": lambda: Plain(1, "a"),
    "one model": lambda: Row(id=1),
    "one named tuple": lambda: Named(1, "a"),
    "list of coroutines": lambda: [fetch()],
    "list of lists": lambda: [[{"id": 1}]],
    "list of texts": lambda: ["a"],
    "list of numbers": lambda: [1],
    "list of nothing": lambda: [None],
    "list of pairs": lambda: [(1, "a")],
    "list of exceptions": lambda: [NotFound("no")],
    "one wrong of many": lambda: [{"id": 1}, {"id": 2}, "a"],
    "list of unrelated": lambda: [Unrelated()],
}
RIGHT_LISTS = {
    "list": lambda: [{"id": 1}],
    "empty": list,
    "tuple": lambda: ({"id": 1},),
    "two rows": lambda: ({"id": 1}, {"id": 2}),
    "generator": lambda: (row for row in [{"id": 1}]),
    "values": lambda: {"a": {"id": 1}}.values(),
    "objects": lambda: [Plain(1, "a"), Row(id=2)],
    "mixed": lambda: [{"id": 1}, Plain(2, "a")],
    "page": lambda: PageResult([{"id": 1}], {"page": 1}),
    "rows and a dict": lambda: ([{"id": 1}], {"page": 1}),
}
WRONG_PAGES = {name: make for name, make in WRONG_LISTS.items() if name != "list of coroutines"} | {
    "page of coroutines": lambda: PageResult([fetch()], {"page": 1}),
    "plain list": lambda: [{"id": 1}],
    "plain tuple": lambda: ({"id": 1},),
    "page of one": lambda: PageResult({"id": 1}, {"page": 1}),
    "page of a coroutine": lambda: PageResult(fetch(), {"page": 1}),
    "page of texts": lambda: PageResult(["a"], {"page": 1}),
    "page of a text": lambda: PageResult("ab", {"page": 1}),
    "rows and a number": lambda: ([{"id": 1}], 7),
}
WRONG_ANYTHING = {
    name: WRONG_OBJECTS[name]
    for name in (
        "coroutine",
        "task",
        "async generator",
        "generator",
        "exception",
        "exception class",
        "function",
        "module",
        "query",
        "unrelated",
        "status",
        "status and headers",
        "headers",
        "reply in a reply",
    )
}
CASES = [
    (kind, name)
    for kind, cases in (
        ("object", WRONG_OBJECTS),
        ("list", WRONG_LISTS),
        ("page", WRONG_PAGES),
        ("anything", WRONG_ANYTHING),
    )
    for name in cases
]
PROMISED = {
    "object": "an object (Thing) for status 200",
    "list": "a list of objects (Thing) for status 200",
    "page": "a page",
    "anything": "data for status 200",
}


def declare(service):
    things = Blueprint("things", url_prefix="/things")

    @things.resource("/object/<name>")
    class One(Resource):
        @doc.produces(Thing)
        async def get(self, request, name):
            return (WRONG_OBJECTS | RIGHT_OBJECTS)[name]()

    @things.resource("/list/<name>")
    class Several(Resource):
        @doc.produces([Thing])
        async def get(self, request, name):
            return (WRONG_LISTS | RIGHT_LISTS)[name]()

    @things.resource("/page/<name>")
    class Paged(Resource):
        @doc.paginate()
        @doc.produces([Thing])
        async def get(self, request, name, page):
            return (WRONG_PAGES | RIGHT_LISTS)[name]()

    @things.resource("/anything/<name>")
    class Anything(Resource):
        async def get(self, request, name):
            return (WRONG_ANYTHING | {"pair": lambda: (1, 200)})[name]()

    service.blueprint(things)


# What turns out when the schema reads it.
LATER = (
    "nested",
    "list of",
    "one wrong",
    "page of texts",
    "page of coroutines",
    "date",
    "unrelated",
    "object",
    "text of",
)
METHODS = {"object": "One.get", "list": "Several.get", "page": "Paged.get", "anything": "Anything"}


class Site:
    """A served service, and a session to it."""

    def __init__(self, session, base):
        self.session, self.base = session, base

    async def get(self, path):
        async with self.session.get(self.base + path) as response:
            return response.status, json.loads(await response.read())


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def site(request):
    service = new_service(server={"fast_path": request.param})
    service.endpoints.check_members = lambda: None  # as in production
    declare(service)
    async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:
        yield Site(session, f"http://{host}:{port}")


@pytest.mark.parametrize(("kind", "name"), CASES)
async def test_what_was_not_promised_is_a_500_that_names_method_and_promise(
    site, caplog, kind, name
):
    with caplog.at_level(logging.ERROR, "msframework.errors"):
        status, body = await site.get(f"/things/{kind}/{name}")

    assert (status, body) == (500, {"code": 100500, "message": "Internal Server Error"})
    (record,) = caplog.records
    text = str(record.exc_info[1])
    assert METHODS[kind] in text
    assert "test_promise.py:" in text
    found_later = name.startswith(LATER)
    assert PROMISED[kind] in text or (found_later and "; expected a" in text)
    assert "Reply(" in text if name.startswith(("status", "headers")) else True


@pytest.mark.parametrize("name", RIGHT_OBJECTS)
async def test_whatever_has_the_members_is_an_object(site, name):
    status, body = await site.get(f"/things/object/{name}")

    assert status == 200
    assert body["data"]["id"] == 1


@pytest.mark.parametrize("name", RIGHT_LISTS)
async def test_whatever_gives_objects_is_a_list(site, name):
    status, body = await site.get(f"/things/list/{name}")

    assert status == 200
    assert isinstance(body["data"], list)
    assert ("pagination" in body) == (name in ("page", "rows and a dict"))


@pytest.mark.parametrize("name", ["page", "rows and a dict"])
async def test_rows_and_a_dict_are_a_page(site, name):
    status, body = await site.get(f"/things/page/{name}")

    assert (status, body["data"][0]["id"], body["pagination"]) == (200, 1, {"page": 1})


async def test_two_numbers_are_data_where_nothing_is_promised(site):
    assert await site.get("/things/anything/pair") == (200, {"code": 0, "data": [1, 200]})


async def test_with_debug_the_body_shows_what_was_promised(make_service, serve):
    service = make_service(debug=True)
    declare(service)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        site = Site(session, f"http://{host}:{port}")

        status, body = await site.get("/things/object/text")

    assert status == 500
    assert "it returned a text, but promised an object (Thing)" in json.dumps(body)


class Wrapped(Schema):
    """A schema whose hooks make objects of texts, and wrap what they write."""

    name = fields.String(required=True)

    @pre_dump
    def read(self, data, **kwargs):
        return {"name": data}


class Outer(Schema):
    """A schema whose answer has members that it does not declare."""

    name = fields.String(required=True)

    @post_dump(pass_collection=True)
    def wrap(self, data, **kwargs):
        return {"wrapped": data}


class Called(Schema):
    """A schema that only calls functions."""

    length = fields.Function(len)
    name = fields.Method("get_name")

    def get_name(self, value):
        return value.upper()


class Picked(Schema):
    """A schema that reads its members in a way of its own."""

    first = fields.String(required=True)

    def get_attribute(self, obj, attr, default):
        return obj[0]


class Own(Schema):
    """A schema with a dump of its own."""

    first = fields.String(required=True)

    def dump(self, obj, *, many=None):
        return {"kind": str(obj)}


OWN_CODE = {
    "wrapped": (Wrapped, lambda: "a", {"name": "a"}),
    "wrapped list": ([Wrapped], lambda: ["a"], [{"name": "a"}]),
    "outer": (Outer, lambda: {"name": "a"}, {"wrapped": {"name": "a"}}),
    "called": (Called, lambda: "ab", {"length": 2, "name": "AB"}),
    "called list": ([Called], lambda: ["a"], [{"length": 1, "name": "A"}]),
    "picked": (Picked, lambda: ["a"], {"first": "a"}),
    "own": (Own, lambda: 5, {"kind": "5"}),
    "colour": ({"name": str, "value": int}, lambda: Colour.RED, {"name": "RED", "value": 1}),
    "day": ({"year": int}, lambda: date(2024, 1, 1), {"year": 2024}),
}
OWN_CODE_WRONG = {
    "coroutine for a hook": (Wrapped, fetch),
    "coroutine for a function": (Called, fetch),
    "coroutine for an own dump": (Own, fetch),
    "exception for a function": (Called, lambda: NotFound("no")),
    "hooked list of a coroutine": ([Outer], lambda: [fetch()]),
}


def declare_own(service):
    things = Blueprint("things", url_prefix="/things")
    for number, (schema, make, *_) in enumerate((OWN_CODE | OWN_CODE_WRONG).values()):

        def declare(schema=schema, make=make, number=number):
            @things.get(f"/{number}", name=f"n{number}")
            @doc.operation_id(f"n{number}")
            @doc.produces(schema)
            async def get(request):
                return make()

        declare()
    service.blueprint(things)
    return list(OWN_CODE | OWN_CODE_WRONG)


@pytest_asyncio.fixture(
    params=[True, False], ids=["checked", "unchecked"], scope="module", loop_scope="module"
)
async def own(request):
    service = new_service()
    if not request.param:
        service.endpoints.check_members = lambda: None
    names = declare_own(service)
    async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:
        site = Site(session, f"http://{host}:{port}")
        yield lambda name: site.get(f"/things/{names.index(name)}")


@pytest.mark.parametrize("name", OWN_CODE)
async def test_a_schemas_own_code_may_read_anything(own, name):
    assert await own(name) == (200, {"code": 0, "data": OWN_CODE[name][-1]})


@pytest.mark.parametrize("name", OWN_CODE_WRONG)
async def test_no_code_reads_what_is_no_data(own, name):
    status, _ = await own(name)

    assert status == 500


class Complete(Thing):
    """A thing of which several members are required."""

    city = fields.Nested(City, required=True, data_key="town")


def make_incomplete(**changes):
    service = new_service(**changes)

    @service.get("/one")
    @doc.produces(Complete)
    async def one(request):
        return {"title": "a"}

    @service.get("/nested")
    @doc.produces(Complete)
    async def nested(request):
        return {"id": 1, "city": {}}

    @service.get("/several")
    @doc.produces([Complete])
    async def several(request):
        return [{"id": 1, "city": {"name": "a"}}, {"id": 1}]

    @service.get("/page")
    @doc.paginate()
    @doc.produces([Complete])
    async def page(request, page):
        return page.result([{"id": 1}], 1)

    @service.get("/reply")
    @doc.produces(Complete)
    async def reply(request):
        return Reply({"id": 1})

    @service.get("/whole")
    @doc.produces(Complete)
    async def whole(request):
        return {"id": 1, "city": {"name": "a"}}

    return service


@pytest_asyncio.fixture(
    params=[True, False], ids=["debug", "tests"], scope="module", loop_scope="module"
)
async def incomplete(request):
    service = make_incomplete(debug=request.param)
    if request.param:
        service.endpoints.check_members = lambda: None  # DEBUG alone is enough
    async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:
        yield Site(session, f"http://{host}:{port}")


LACKING = {
    "/one": "id, town",
    "/nested": "town.name",
    "/several": "[].town",
    "/page": "[].town",
    "/reply": "town",
}


@pytest.mark.parametrize("path", LACKING)
async def test_tests_and_debug_refuse_answers_without_required_members(incomplete, caplog, path):
    whole, _ = await incomplete.get("/whole")
    status, _ = await incomplete.get(path)

    assert (whole, status) == (200, 500)
    assert f"its answer lacks {LACKING[path]}." in str(caplog.records[-1].exc_info[1])


async def test_in_production_members_are_not_looked_at(serve):
    service = make_incomplete()
    service.endpoints.check_members = lambda: None
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        site = Site(session, f"http://{host}:{port}")

        assert await site.get("/one") == (200, {"code": 0, "data": {"title": "a"}})
