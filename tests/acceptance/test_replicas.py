"""A primary and two standbys that stream from it: who is read from while they come and go."""

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest

from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.exceptions import DatabaseUnavailable
from tests.acceptance.postgres import replicated

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

WHERE = "SELECT current_setting('data_directory')"
# Seconds, many, as other work shares the cores, and a probe without an answer by then has failed.
PROBE, MAX_LAG = 2.0, 3.0
READERS = 8
RECENT = 5 * READERS  # reads, of which each server that is read from has some
BOUND = 30.0  # seconds for whatever is waited for


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The primary and its standbys."""
    with replicated(tmp_path_factory.mktemp("replicas")) as servers:
        servers[0].query("CREATE TABLE entries (id serial PRIMARY KEY, name text)")
        yield servers


@pytest.fixture
def names(servers):
    """Which server a data directory belongs to."""
    roles = ("primary", "first", "second")
    return {str(server.home.data): role for server, role in zip(servers, roles, strict=True)}


@pytest.fixture(params=("light", "asyncpg"))
def open_database(request, servers):
    """Return a function that gives an open `Database`; its arguments are settings."""
    primary, *replicas = (server.url for server in servers)
    own = {"url": primary, "replicas": tuple(replicas), "pool": request.param, "max_size": READERS}
    own |= {"probe_interval": PROBE, "max_lag": MAX_LAG}

    @asynccontextmanager
    async def open_database(**changes):
        db = Database(replace(DatabaseSettings(), **(own | changes)))
        await db.start()
        try:
            yield db
        finally:
            async with asyncio.timeout(60):
                await db.stop()

    return open_database


def make_request():
    return SimpleNamespace(method="GET", path="/", span=None, db_state=None)


async def where(db, names, request=None):
    async with db.acquire(request or make_request()) as cur:
        return names[await cur.fetchval(WHERE)]


class Readers:
    """Tasks that read all the time; a context manager.

    Attributes:
        reads: which server answered each read.
        failed: why reads failed.
    """

    def __init__(self, db, names):
        self.db, self.names = db, names
        self.reads, self.failed = [], []

    async def __aenter__(self):
        self.tasks = [asyncio.create_task(self._read()) for _ in range(READERS)]
        return self

    async def __aexit__(self, *exc_info):
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)
        died = [task.exception() for task in self.tasks if not task.cancelled()]
        assert died == []

    async def _read(self):
        while True:
            try:
                self.reads.append(await where(self.db, self.names))
            except DatabaseUnavailable as exc:
                self.failed.append(exc)
            await asyncio.sleep(0.005)

    async def pass_on(self):
        """Wait for some more reads."""
        count = len(self.reads)
        async with asyncio.timeout(BOUND):
            while len(self.reads) < count + RECENT:
                await asyncio.sleep(0.05)

    async def until(self, wanted):
        """Wait until these servers alone answer."""
        async with asyncio.timeout(BOUND):
            while set(self.reads[-RECENT:]) != wanted or len(self.reads) < RECENT:
                await asyncio.sleep(0.05)


def ejections(caplog):
    return [r.getMessage() for r in caplog.records if "is not read from any more" in r.getMessage()]


async def until_ejected(caplog, count):
    """Wait until *count* standbys were ejected; no more of them may be."""
    async with asyncio.timeout(BOUND):
        while len(ejections(caplog)) < count:
            await asyncio.sleep(0.02)
    assert len(ejections(caplog)) == count


@pytest.fixture(autouse=True)
def watch_log(caplog):
    caplog.set_level(logging.INFO, logger="msframework.db")


async def test_reads_spread_over_the_standbys_and_writes_go_to_the_primary(
    open_database, servers, names
):
    async with open_database() as db:
        counts = Counter([await where(db, names) for _ in range(40)])
        assert counts == {"first": 20, "second": 20}
        async with db.transaction(make_request()) as cur:
            assert names[await cur.fetchval(WHERE)] == "primary"


async def test_a_request_reads_what_it_wrote_while_the_standbys_are_behind(
    open_database, servers, names
):
    for standby in servers[1:]:
        standby.query("SELECT pg_wal_replay_pause()")
    try:
        # NOTE: with a limit that is not reached, so that both are read from all the time.
        async with open_database(max_lag=60.0) as db:
            request, sql = make_request(), "SELECT name FROM entries WHERE id = $1"
            async with db.transaction(request) as cur:
                made = await cur.fetchval("INSERT INTO entries (name) VALUES ('a') RETURNING id")
            async with db.acquire(request) as cur:
                assert await cur.fetchval(sql, made) == "a"
            async with db.acquire(make_request()) as cur:
                assert await cur.fetchval(sql, made) is None
            async with db.acquire(make_request(), primary=True) as cur:
                assert await cur.fetchval(sql, made) == "a"
    finally:
        for standby in servers[1:]:
            standby.query("SELECT pg_wal_replay_resume()")


async def test_a_killed_standby_is_left_and_comes_back(open_database, servers, names, caplog):
    first = servers[1]
    async with open_database() as db, Readers(db, names) as readers:
        await readers.until({"first", "second"})
        await asyncio.to_thread(first.kill)
        await readers.until({"second"})
        await until_ejected(caplog, 1)
        failed = len(readers.failed)
        await readers.pass_on()
        assert len(readers.failed) == failed
        await asyncio.to_thread(first.start)
        await readers.until({"first", "second"})

    assert failed == len(readers.failed) <= READERS
    assert "primary" not in readers.reads


async def test_a_killed_standby_is_left_when_nobody_reads(open_database, servers, names, caplog):
    first = servers[1]
    async with open_database() as db:
        await asyncio.to_thread(first.kill)
        await until_ejected(caplog, 1)
        assert {await where(db, names) for _ in range(10)} == {"second"}
        await asyncio.to_thread(first.start)


async def test_a_standby_that_does_not_replay_is_left_and_comes_back(
    open_database, servers, names, caplog
):
    primary, first, _ = servers
    async with open_database() as db, Readers(db, names) as readers:
        await readers.until({"first", "second"})
        await asyncio.to_thread(first.query, "SELECT pg_wal_replay_pause()")
        try:
            await asyncio.to_thread(primary.query, "INSERT INTO entries (name) VALUES ('late')")
            await readers.until({"second"})
            assert "s behind" in ejections(caplog)[0]
        finally:
            await asyncio.to_thread(first.query, "SELECT pg_wal_replay_resume()")
        await readers.until({"first", "second"})

    assert readers.failed == []
    assert "primary" not in readers.reads


async def test_the_primary_serves_while_all_standbys_are_gone(
    open_database, servers, names, caplog
):
    standbys = servers[1:]
    async with open_database() as db, Readers(db, names) as readers:
        await readers.until({"first", "second"})
        for standby in standbys:
            await asyncio.to_thread(standby.kill)
        await readers.until({"primary"})
        await until_ejected(caplog, 2)
        failed = len(readers.failed)
        await readers.pass_on()
        for standby in standbys:
            await asyncio.to_thread(standby.start)
        await readers.until({"first", "second"})

    # Each reader may have had one read in flight on each of them.
    assert failed == len(readers.failed) <= READERS * len(standbys)
