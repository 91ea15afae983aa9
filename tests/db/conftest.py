"""A PostgreSQL of these tests' own, and what they share."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.db.embedded import EmbeddedServer
from msframework.tracing import Tracer
from tests.processes import throw_away

POOLS = ("light", "asyncpg")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """An embedded server that these tests may restart and kill."""
    server = EmbeddedServer(tmp_path_factory.mktemp("data_layer"))
    server.start()
    yield server
    throw_away(server)


@pytest.fixture(scope="session")
def url(server):
    return server.url


@pytest.fixture
async def admin(url):
    """A connection beside the pools, to look at the server and to harm it."""
    conn = await asyncpg.connect(url)
    yield conn
    await conn.close()


@pytest.fixture(params=POOLS)
def pool_kind(request):
    return request.param


@pytest.fixture
def open_database(url, pool_kind):
    """Return a function that gives an open `Database`; its arguments are settings."""

    @asynccontextmanager
    async def open_database(*, debug=False, tracer=None, trace_arguments=False, **changes):
        changes = {"url": url, "pool": pool_kind, "max_size": 2} | changes
        settings = replace(DatabaseSettings(), **changes)
        db = Database(settings, tracer=tracer, debug=debug, trace_arguments=trace_arguments)
        await db.start()
        try:
            yield db
        finally:
            async with asyncio.timeout(30):
                await db.stop()

    return open_database


@pytest.fixture
async def db(open_database, table):
    async with open_database() as db:
        yield db


@pytest.fixture
async def table(admin):
    """An empty table `items(id, name unique, note)`."""
    await admin.execute(
        "DROP TABLE IF EXISTS items CASCADE;"
        "CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, note text,"
        " CONSTRAINT items_name UNIQUE (name), CONSTRAINT items_note CHECK (note <> 'bad'))"
    )
    return "items"


@pytest.fixture
def tracer():
    return Tracer("tests")


class CancelAt:
    """Awaits *work* and cancels the task at its suspension number *at*, and at *again* after it.

    `steps` tells how often *work* was suspended, so that a test knows when it has tried them all.
    """

    def __init__(self, work, at, again=None):
        self.work, self.at, self.steps = work, at, 0
        self.again = at + again if again else None

    def __await__(self):
        coroutine = self.work.__await__()
        resume, value = coroutine.send, None
        while True:
            try:
                waited = resume(value)
            except StopIteration as end:
                return end.value
            self.steps += 1
            if self.steps in (self.at, self.again):
                asyncio.current_task().cancel()
            try:
                value = yield waited
                resume = coroutine.send
            except BaseException as exc:
                resume, value = coroutine.throw, exc


async def cancel_everywhere(make_work, check, again=None):
    """Run `make_work()` cancelled at its first await, then at its second, until none is left.

    `await check(cancelled)` follows each run. Returns how many awaits there were.
    """
    at = 0
    while True:
        at += 1
        work = CancelAt(make_work(), at, again)

        async def run(work=work):
            return await work

        task = asyncio.create_task(run())
        await asyncio.wait([task])
        cancelled = task.cancelled()
        if not cancelled and task.exception() is not None:
            raise task.exception()
        await check(cancelled)
        if work.steps < at:
            return at - 1


async def lend_all(db, count):
    """Prove that *count* connections can be lent at once, and that each of them works."""
    async with asyncio.timeout(30):
        cursors = [db.acquire() for _ in range(count)]
        for cur in cursors:
            await cur.__aenter__()
            assert await cur.fetchval("SELECT 1") == 1
        for cur in cursors:
            await cur.__aexit__(None, None, None)
