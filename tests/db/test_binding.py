"""`db`, `cur` and `tx`: what comes with the framework and methods take by name."""

import asyncio

import aiohttp
import pytest

from msframework import Blueprint, Conflict, NotFound, Resource, doc
from msframework.db import Cursor, RequestDatabase, Transaction
from tests.conftest import serve_service

INSERT = "INSERT INTO items (name) VALUES ($1)"


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def service(make_service, request, url, table):
    """A service that has one connection only, so that a second one would not be lent."""
    database = {"url": url, "min_size": 0, "max_size": 1, "acquire_timeout": 60}
    return make_service(database=database, server={"fast_path": request.param})


async def call(service, path="/", method="GET", **options):
    """Serve *service*, and return status and data of one request."""
    async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:
        url = f"http://{host}:{port}{path}"
        async with session.request(method, url, **options) as response:
            return response.status, (await response.json()).get("data")


async def names(admin):
    return [row["name"] for row in await admin.fetch("SELECT name FROM items ORDER BY id")]


async def test_a_method_reads_and_writes(service, admin):
    things = Blueprint("things")

    @things.resource("/")
    class Things(Resource):
        async def get(self, request, cur):
            assert isinstance(cur, Cursor)
            return await cur.fetchval("SELECT count(*) FROM items")

        async def post(self, request, tx):
            assert type(tx) is Transaction
            await tx.execute(INSERT, "a")
            return await names(admin)

        async def delete(self, request, db):
            assert type(db) is RequestDatabase
            async with db.acquire(primary=True) as cur:
                before = await cur.fetchval("SELECT count(*) FROM items")
            async with db.transaction(isolation="serializable") as tx:
                level = await tx.fetchval("SHOW transaction_isolation")
            return [before, level, await db.retry(lambda cur: cur.execute("DELETE FROM items"))]

    service.blueprint(things)
    await admin.execute(INSERT, "before")

    assert await call(service, method="GET") == (200, 1)
    assert await call(service, method="POST") == (200, ["before"])
    assert await names(admin) == ["before", "a"]
    assert await call(service, method="DELETE") == (200, [2, "serializable", "DELETE 2"])


async def test_a_transaction_is_committed_before_the_answer_is_written(service, admin):
    await admin.execute(
        "ALTER TABLE items DROP CONSTRAINT items_name,"
        " ADD CONSTRAINT items_name UNIQUE (name) DEFERRABLE INITIALLY DEFERRED"
    )

    @service.post("/")
    async def create(request, tx):
        await tx.executemany(INSERT, [("a",), ("a",)])
        return {}

    assert (await call(service, method="POST"))[0] == 409
    assert await names(admin) == []


async def test_what_a_method_raises_rolls_back(service, admin):
    @service.post("/")
    async def create(request, tx):
        await tx.execute(INSERT, "a")
        raise Conflict()

    assert (await call(service, method="POST"))[0] == 409
    assert await names(admin) == []


@pytest.mark.parametrize("name", ["cur", "tx", "db"])
async def test_no_connection_is_taken_before_the_first_statement(make_service, name):
    service = make_service(
        database={"url": "postgresql://nobody@/none?host=/nowhere", "min_size": 0}
    )
    scope = {}
    exec(f"async def read(request, {name}): return {{}}", scope)
    service.get("/")(scope["read"])

    async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}/") as response:
            assert response.status == 200


async def test_cursor_and_transaction_of_one_request_are_one(service, admin):
    async def user(request, cur):
        return await cur.fetchval("SELECT 'ada'")

    service.provide("user", user)

    @service.post("/")
    async def create(request, user, tx, cur):
        await tx.execute(INSERT, user)
        assert cur is tx
        return await cur.fetchval("SELECT count(*) FROM items")

    assert await call(service, method="POST") == (200, 1)
    assert await names(admin) == ["ada"]


class Items:
    def __init__(self, tx):
        self.tx = tx

    async def add(self, name):
        await self.tx.execute(INSERT, name)


@pytest.mark.parametrize("fails", [False, True])
async def test_what_a_provider_made_of_a_transaction_works_in_the_method(service, admin, fails):
    service.provide("items", Items)

    @service.post("/<name>")
    async def create(request, name, items):
        await items.add(name)
        if fails:
            raise NotFound()

    assert (await call(service, "/a", method="POST"))[0] == (404 if fails else 200)
    assert await names(admin) == ([] if fails else ["a"])


@pytest.mark.parametrize("fails", [False, True])
async def test_a_generator_may_hold_a_transaction_of_its_own(service, admin, fails):
    async def session(db):
        async with db.transaction() as cur:
            yield cur

    service.provide("session", session)

    @service.post("/")
    async def create(request, session):
        await session.execute(INSERT, "a")
        if fails:
            raise NotFound()

    assert (await call(service, method="POST"))[0] == (404 if fails else 200)
    assert await names(admin) == ([] if fails else ["a"])


async def test_refused_input_opens_nothing(service, admin):
    @service.post("/")
    @doc.consumes({"name": str})
    async def create(request, body, tx): ...

    source = service.sources["create"]
    call_at = source.index("async with request.app.db.transaction(request) as provided_tx:")
    assert source.index("refuse(request, errors)") < call_at
    assert (await call(service, method="POST", json={}))[0] == 422


async def test_a_client_that_hangs_up_rolls_back(service, admin):
    waiting, done = asyncio.Event(), asyncio.Event()

    @service.post("/")
    async def create(request, tx):
        await tx.execute(INSERT, "a")
        tx.after_commit(lambda: pytest.fail("it was committed"))
        waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            done.set()

    @service.get("/")
    async def read(request, cur):
        return await cur.fetchval("SELECT count(*) FROM items")

    async with serve_service(service) as (host, port):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            await waiting.wait()
            writer.close()
            await done.wait()
            async with session.get(f"http://{host}:{port}/") as response:
                assert (await response.json())["data"] == 0  # the only connection is back


async def test_callbacks_of_a_method_run_before_its_answer(service, admin):
    seen = []

    async def note():
        seen.append(await names(admin))

    @service.post("/")
    async def create(request, tx):
        await tx.execute(INSERT, "a")
        tx.after_commit(note)
        return {}

    assert await call(service, method="POST") == (200, {})
    assert seen == [["a"]]
