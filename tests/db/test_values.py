"""Values at the edge of what PostgreSQL holds, over real sockets, on both paths."""

import datetime as dt
from dataclasses import replace

import aiohttp
import pytest
from playhouse.postgres_ext import BinaryJSONField, IntervalField
from playhouse.postgres_ext import JSONField as PlayhouseJSONField

from msframework import Blueprint, Resource, doc
from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.models import DateField, DateTimeField, DateTimeTZField, Model, TimeField
from tests.sessions import Client

TABLE = """
DROP TABLE IF EXISTS edges CASCADE;
CREATE TABLE edges (id int PRIMARY KEY, small smallint, name varchar(5), code uuid,
  seen timestamp, at timestamptz, day date, tags int[]);
INSERT INTO edges (id) VALUES (1);
"""


def declare(service):
    edges = Blueprint("edges", url_prefix="/edges")
    columns = {
        "id": int,
        "small": int,
        "name": str,
        "code": str,
        "seen": dt.datetime,
        "at": dt.datetime,
        "tags": [int],
    }

    @edges.resource("/<id:int>")
    class Edge(Resource):
        async def get(self, request, id):
            async with request.app.db.acquire(request) as cur:
                return await cur.fetchrow("SELECT id FROM edges WHERE id = $1", id)

        @doc.consumes(columns)
        async def patch(self, request, id, body):
            (column, value), *_ = body.items()
            async with request.app.db.transaction(request) as cur:
                sql = f"UPDATE edges SET {column} = $2 WHERE id = $1 RETURNING id"
                return await cur.fetchrow(sql, id, value)

    @edges.resource("/")
    class Edges(Resource):
        @doc.query({"small": int})
        async def get(self, request, query):
            async with request.app.db.acquire(request) as cur:
                return await cur.fetch("SELECT id FROM edges WHERE small = $1", query["small"])

        @doc.consumes({"rows": [{"small": int}]})
        async def post(self, request, body):
            async with request.app.db.transaction(request) as cur:
                for row in body["rows"]:
                    await cur.execute("UPDATE edges SET small = $1", row["small"])
                await cur.execute("UPDATE edges SET small = $1", 2**40)

        @doc.form({"small": int})
        async def put(self, request, form):
            async with request.app.db.transaction(request) as cur:
                await cur.execute("UPDATE edges SET small = $1", form["small"])

    @edges.get("/by-code/<code:str>")
    async def by_code(request, code):
        async with request.app.db.acquire(request) as cur:
            return await cur.fetchrow("SELECT id FROM edges WHERE code = $1", code)

    @edges.post("/value")
    async def value(request):
        async with request.app.db.acquire(request) as cur:
            return await cur.fetchrow(request.body.decode())

    service.blueprint(edges)


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
async def client(request, make_service, serve, url, admin):
    await admin.execute(TABLE)
    database = replace(DatabaseSettings(), url=url, max_size=2)
    service = make_service(server={"fast_path": request.param}, database=database)
    declare(service)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        yield Client(session, f"http://{host}:{port}")


@pytest.mark.parametrize(
    "path",
    [
        "/edges/2147483648",
        "/edges/-2147483649",
        "/edges/99999999999999999999999999999999999999999999",
        "/edges/by-code/no-uuid",
    ],
)
async def test_a_path_that_no_row_can_have_is_404(client, path):
    status, answer = await client("GET", path)

    assert (status, answer) == (404, {"code": 100404, "message": "Not Found"})


async def test_a_path_that_no_row_can_have_is_404_for_every_method(client):
    status, _ = await client("PATCH", "/edges/2147483648", json={"small": 1})

    assert status == 404


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("small", 40_000, "Value out of range."),
        ("small", -(2**62), "Value out of range."),
        ("tags", [1, 2**40], "Value out of range."),
        ("code", "no uuid", "Not a valid value."),
        ("at", "0001-01-01T00:00:00+14:00", "Value out of range."),
        (
            "seen",
            "2024-01-01T00:00:00+01:00",
            "Must be a moment as its column has it, with a zone or without.",
        ),
    ],
)
async def test_a_value_that_its_column_cannot_hold_is_named(client, field, value, message):
    status, answer = await client("PATCH", "/edges/1", json={field: value})

    assert status == 422
    assert answer["error"] == {"body": {field: [message]}}


async def test_a_value_deep_in_a_body_a_form_or_a_query_is_named(client):
    rows = {"rows": [{"small": 1}, {"small": 40_000}]}
    status, answer = await client("POST", "/edges/", json=rows)
    assert (status, answer["error"]) == (
        422,
        {"body": {"rows": {"1": {"small": ["Value out of range."]}}}},
    )

    status, answer = await client("PUT", "/edges/", data={"small": "40000"})
    assert (status, answer["error"]) == (422, {"form": {"small": ["Value out of range."]}})

    status, answer = await client("GET", "/edges/?small=40000")
    assert (status, answer["error"]) == (422, {"query": {"small": ["Value out of range."]}})


async def test_a_value_of_the_handlers_own_says_no_number_of_an_argument(client):
    status, answer = await client("POST", "/edges/", json={"rows": []})

    assert (status, answer["error"]) == (422, "a value does not fit its column")


async def test_a_text_too_long_for_its_column_shows_nothing_of_the_inside(client):
    status, answer = await client("PATCH", "/edges/1", json={"name": "s3cret"})

    assert (status, answer["error"]) == (422, "a value does not fit its column")


JSON_OF = [
    (r"'\xff00'::bytea", "/wA="),
    (r"ARRAY['\x01'::bytea, NULL]", ["AQ==", None]),
    ("'[1,5)'::int4range", "[1,5)"),
    ("'empty'::int4range", "empty"),
    ("'(,)'::int4range", "(,)"),
    ("'[1.50,2]'::numrange", "[1.50,2]"),
    ("tsrange('2024-01-01', NULL, '(]')", "(2024-01-01T00:00:00,)"),
    ("'{[1,5),[7,9)}'::int4multirange", ["[1,5)", "[7,9)"]),
    ("B'10101'::bit(5)", "10101"),
    ("''::varbit", ""),
    ("'((1,2),(3,4))'::path", [[1.0, 2.0], [3.0, 4.0]]),
    ("'((1,2),(3,4))'::polygon", [[1.0, 2.0], [3.0, 4.0]]),
    ("'<(1,2),3>'::circle", [[1.0, 2.0], 3.0]),
    ("'(1,2)'::point", [1.0, 2.0]),
    (r"row(1, row(NULL, '\xff'::bytea))", [1, [None, "/w=="]]),
    ("'10.0.0.1/8'::inet", "10.0.0.1/8"),
    ("'08:00:2b:01:02:03'::macaddr", "08:00:2b:01:02:03"),
    ("'NaN'::numeric", "NaN"),
    ("'-Infinity'::numeric", "-Infinity"),
    ("'NaN'::float8", None),
    ("'Infinity'::float4", None),
    ("'1e400'::json", "1e400"),
    ("'12345678901234567890123'::jsonb", 12345678901234567890123),
    ("'10000-01-01'::timestamptz", "10000-01-01T00:00:00+00:00"),
    ("'0044-03-15 BC'::date", "0044-03-15 BC"),
    ("'infinity'::interval", "infinity"),
    ("'infinity'::date", "9999-12-31"),
    ("'24:00'::time", "24:00:00"),
    ("'12.50'::money", "$12.50"),
    ("ARRAY[1, NULL, 3]", [1, None, 3]),
]


@pytest.mark.parametrize(("expression", "value"), JSON_OF)
async def test_every_value_has_a_form_in_json(client, expression, value):
    status, answer = await client("POST", "/edges/value", data=f"SELECT {expression} AS v")

    assert (status, answer["data"]) == (200, {"v": value})


class Edge(Model):
    """A row of every kind of time."""

    seen = DateTimeField(null=True)
    at = DateTimeTZField(null=True)
    day = DateField(null=True)
    clock = TimeField(null=True)
    wait = IntervalField(null=True)

    class Meta:
        table_name = "times"


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
async def times(request, make_service, serve, url, admin):
    await admin.execute(
        "DROP TABLE IF EXISTS times; CREATE TABLE times"
        " (id serial PRIMARY KEY, seen timestamp, at timestamptz, day date, clock time,"
        " wait interval)"
    )
    database = replace(DatabaseSettings(), url=url, max_size=2)
    service = make_service(server={"fast_path": request.param}, database=database)
    blueprint = Blueprint("times", url_prefix="/times")

    @blueprint.resource("/")
    class Times(Resource):
        @doc.paginate(per_page=10)
        @doc.produces([Edge])
        async def get(self, request, page):
            async with request.app.db.acquire(request) as cur:
                return await page.fetch(cur, Edge.select().order_by(Edge.id))

        @doc.consumes(Edge)
        @doc.produces({"id": int})
        async def post(self, request, body):
            async with request.app.db.transaction(request) as cur:
                return await cur.fetchrow(Edge.insert(**body).returning(Edge.id))

    @blueprint.resource("/<id:int>")
    class Time(Resource):
        @doc.produces(Edge)
        async def get(self, request, id):
            async with request.app.db.acquire(request) as cur:
                return await cur.fetchrow(Edge.select().where(Edge.id == id))

    service.blueprint(blueprint)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        yield Client(session, f"http://{host}:{port}")


@pytest.mark.parametrize(
    ("column", "stored", "text"),
    [
        ("at", "infinity", "9999-12-31T23:59:59.999999+00:00"),
        ("at", "-infinity", "0001-01-01T00:00:00+00:00"),
        ("seen", "infinity", "9999-12-31T23:59:59.999999"),
        ("seen", "-infinity", "0001-01-01T00:00:00"),
        ("day", "infinity", "9999-12-31"),
        ("day", "-infinity", "0001-01-01"),
    ],
)
async def test_what_is_infinite_comes_back_and_stays_infinite(times, admin, column, stored, text):
    await admin.execute(f"INSERT INTO times ({column}) VALUES ('{stored}'), (now())")

    for path in ("/times/1", "/times/"):
        _, answer = await times("GET", path)
        row = answer["data"] if path.endswith("1") else answer["data"][0]
        assert row[column] == text

    status, answer = await times("POST", "/times/", json={column: text})
    assert status == 200
    back = await admin.fetchval(f"SELECT {column}::text FROM times WHERE id = 3")
    assert back == stored


@pytest.mark.parametrize(
    ("column", "stored", "text"),
    [
        ("at", "10000-01-01 00:00+00", "10000-01-01T00:00:00+00:00"),
        ("seen", "0044-03-15 BC", "0044-03-15T00:00:00 BC"),
        ("day", "10000-01-01", "10000-01-01"),
        ("clock", "24:00", "24:00:00"),
        ("wait", "infinity", "infinity"),
    ],
)
async def test_what_python_does_not_hold_is_dumped_by_a_models_schema(
    times, admin, column, stored, text
):
    await admin.execute(f"INSERT INTO times ({column}) VALUES ('{stored}'), (NULL)")

    for path in ("/times/1", "/times/"):
        status, answer = await times("GET", path)
        assert status == 200
        row = answer["data"] if path.endswith("1") else answer["data"][0]
        assert row[column] == text


@pytest.mark.parametrize("column", ["at", "seen"])
async def test_a_moment_that_utc_has_no_year_for_is_refused(times, column):
    for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        status, answer = await times("POST", "/times/", json={column: text})

        assert status == 422
        assert answer["error"] == {"body": {column: ["Not a valid datetime."]}}


class Paper(Model):
    page = BinaryJSONField(null=True, index=False)
    plain = PlayhouseJSONField(null=True)

    class Meta:
        table_name = "papers"


async def test_the_json_fields_of_playhouse_store_documents(url, admin):
    await admin.execute(
        "DROP TABLE IF EXISTS papers; "
        "CREATE TABLE papers (id serial PRIMARY KEY, page jsonb, plain json)"
    )
    database = Database(replace(DatabaseSettings(), url=url, max_size=1))
    await database.start()
    try:
        async with database.transaction() as cur:
            for _ in range(3):
                row = await cur.fetchrow(Paper.insert(page={"a": 1}, plain=[1]).returning(Paper))
                assert (row["page"], row["plain"]) == ({"a": 1}, [1])
            await cur.execute(Paper.update(page=Paper.page["b"].set(None)).where(Paper.id == 1))
            await cur.execute(Paper.update(page=Paper.page.concat({"c": [2]})))
            await cur.execute(Paper.update(page=Paper.page["d"].set("x"), plain="text"))
            assert await cur.fetchval("SELECT page::text FROM papers WHERE id = 1") == (
                '{"a": 1, "b": null, "c": [2], "d": "x"}'
            )
            assert await cur.fetchval("SELECT json_typeof(plain) FROM papers") == "string"
            for where in (
                Paper.page.contains({"a": 1, "c": [2]}),
                Paper.page["c"].contains([2]),
                Paper.page == {"a": 1, "c": [2], "d": "x"},
            ):
                assert await cur.fetch(Paper.select().where(where, Paper.id > 1).limit(2))
    finally:
        await database.stop()
