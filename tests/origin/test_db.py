"""Chapter DB: reading with `acquire`, writing with `transaction`, over asyncpg."""

import asyncio

import asyncpg
import pytest

from msframework.db import Database
from msframework.models import Model
from msframework.testing import TestClient
from tests.conftest import with_settings
from tests.origin.support import reading, settle

ACQUIRE = "acquire() 函数为非事务, 对于只涉及到查询的使用非事务，可以提高查询效率"
TRANSACTION = "tansaction() 函数为事务操作，对于增删改必须使用事务操作"
SPAN = "传入request参数是为了获取到span，用于日志追踪"
TABLE = (
    "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL,"
    " CONSTRAINT items_name UNIQUE (name) DEFERRABLE INITIALLY DEFERRED)"
)


@pytest.fixture
async def db(url, query):
    """The data layer on a database with one table, as it is at the desk (DEBUG)."""
    query(TABLE)
    db = Database(with_settings(database={"url": url, "max_size": 3}).database, debug=True)
    await db.start()
    yield db
    await db.stop()


@pytest.fixture
def serve_handler(make_service, serve, url, query):
    """Serves a handler on a database with one table, calls it, and returns the answer."""

    async def call(handler):
        query(TABLE)
        service = make_service(
            database={"url": url, "max_size": 3}, tracing={"flush_interval": 0.01}
        )
        service.post("/")(handler)
        async with serve(service) as (host, port):
            async with TestClient(f"http://{host}:{port}", service.operations) as client:
                return await client.post("/")

    return call


@pytest.mark.origin("DB, code 1", ACQUIRE, TRANSACTION)
async def test_the_row_is_found_as_printed(client, person):
    await client.create_user(json={**person, "age": 7})

    answer = await client.get_visit()

    row = answer.json["data"]
    assert (row["name"], row["age"], row["sex"], row["id"]) == ("test", 7, "male", 1)


@pytest.mark.origin("DB, code 1")
async def test_no_row_is_none(client):
    answer = await client.get_visit()

    assert answer.json == {"code": 0, "data": None}


@pytest.mark.origin(
    "使用asyncpg为数据库驱动，进行数据库连接，执行sql语句执行。",
    "使用asyncpg为数据库驱动, 对数据库连接进行封装, 执行数据库操作。",
)
async def test_connections_are_asyncpg_s(db):
    async with db.acquire() as cur:
        one = await cur.fetchval("SELECT $1::int + 1", 1)
        with pytest.raises(asyncpg.UndefinedTableError):
            await cur.fetch("SELECT * FROM nothing_of_that_name")
    async with db.acquire() as cur:
        names = await cur.fetch("SELECT client_port FROM pg_stat_activity WHERE pid = $1", 0)
        stamp = await cur.fetchval("SELECT timestamptz '2017-12-28 12:00+08'")

    assert (one, names) == (2, [])
    assert stamp.utcoffset() is not None


@pytest.mark.origin("ORM使用peewee, 只是用来做模型设计和migration, 数据操作使用asyncpg。")
def test_a_model_has_no_connection(mysite):
    from service.models import Users

    assert issubclass(Users, Model)
    assert Users._meta.database is None


@pytest.mark.origin(ACQUIRE)
async def test_acquire_is_no_transaction(db):
    async with db.acquire() as cur:
        first = await cur.fetchval("SELECT now()")
        second = await cur.fetchval("SELECT now()")
    async with db.transaction() as cur:
        third = await cur.fetchval("SELECT now()")
        fourth = await cur.fetchval("SELECT now()")

    assert first < second  # now() stands still within a transaction
    assert third == fourth


@pytest.mark.origin(TRANSACTION)
async def test_writing_needs_a_transaction(db):
    async with db.acquire() as cur:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await cur.execute("INSERT INTO items (name) VALUES ('a')")
    async with db.transaction() as cur:
        await cur.execute("INSERT INTO items (name) VALUES ('a')")
        await cur.execute("UPDATE items SET name = 'b'")
    async with db.acquire() as cur:
        assert await cur.fetch("SELECT name FROM items") == [{"name": "b"}]
    async with db.transaction() as cur:
        assert await cur.execute("DELETE FROM items") == "DELETE 1"


@pytest.mark.origin(TRANSACTION)
@pytest.mark.parametrize("failure", [RuntimeError, asyncio.CancelledError])
async def test_a_failure_rolls_back(db, failure):
    with pytest.raises(failure):
        async with db.transaction() as cur:
            await cur.execute("INSERT INTO items (name) VALUES ('a')")
            raise failure

    async with db.acquire() as cur:
        assert await cur.fetchval("SELECT count(*) FROM items") == 0


@pytest.mark.origin(TRANSACTION)
async def test_a_handler_that_fails_stores_nothing(serve_handler, query):
    async def write(request):
        async with request.app.db.transaction(request) as cur:
            await cur.execute("INSERT INTO items (name) VALUES ('a')")
            raise RuntimeError("half way")

    answer = await serve_handler(write)

    assert (answer.status, answer.json["code"]) == (500, 100500)
    assert query("SELECT count(*) FROM items") == [(0,)]


@pytest.mark.origin(TRANSACTION)
async def test_a_commit_that_fails_is_no_success(serve_handler, query):
    async def write(request):
        async with request.app.db.transaction(request) as cur:
            # The constraint is deferred: PostgreSQL looks at it when COMMIT comes.
            await cur.execute("INSERT INTO items (name) VALUES ('a'), ('a')")
            found = await cur.fetchval("SELECT count(*) FROM items")
        return {"stored": found}

    answer = await serve_handler(write)

    assert answer.status == 409
    assert "stored" not in answer.text
    assert query("SELECT count(*) FROM items") == [(0,)]


@pytest.mark.origin(SPAN, "对于DB，Client都加上了tracing", "DB, code 1")
async def test_statements_have_spans_below_that_of_the_request(client, spans):
    answer = await client.get_visit()
    trace_id = answer.headers["x-trace-id"]

    def finished(lines):
        return any(
            each.get("traceId") == trace_id and each.get("kind") == "SERVER" for each in lines
        )

    found = [each for each in spans.wait(finished) if each["traceId"] == trace_id]
    (root,) = [each for each in found if each.get("kind") == "SERVER"]
    statements = [
        each for each in found if "db.statement" in each["tags"] and "WHERE name" in str(each)
    ]
    assert len(statements) == 2
    assert {each["parentId"] for each in statements} == {root["id"]}
    assert {each["kind"] for each in statements} == {"CLIENT"}
    assert "SELECT * FROM users WHERE name=$1" in statements[0]["tags"]["db.statement"]
    assert "'test'" not in str(statements)


@pytest.mark.origin(SPAN)
async def test_a_span_is_found_without_the_request_too(make_service, serve, url):
    service = make_service(database={"url": url}, tracing={"flush_interval": 0.01})

    @service.get("/")
    async def read(request):
        async with request.app.db.acquire() as cur:
            return await cur.fetchval("SELECT 1")

    with reading("zipkin") as lines:
        async with serve(service) as (host, port):
            async with TestClient(f"http://{host}:{port}", service.operations) as client:
                answer = await client.get("/")
            await settle(lambda: service.queue.exported >= 2)
        found = lines.of_trace(answer.headers["x-trace-id"], "get /")

    (statement,) = [each for name, each in found.items() if name != "get /"]
    assert statement["parentId"] == found["get /"]["id"]
