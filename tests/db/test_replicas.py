"""Reads go to replicas, writes to the primary.

Another database of the same server stands in for each replica: it answers, it can be cut off, and
a row tells it from the primary. How far a real standby is behind is tested with real ones, in
tests/acceptance.
"""

import asyncio
import logging
from contextlib import asynccontextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit

import asyncpg
import psycopg
import pytest

from msframework.db import replicas as replicas_module
from msframework.exceptions import DatabaseUnavailable, PoolExhausted

WHERE = "SELECT current_database()"


def with_name(url, name):
    path = urlsplit(url).path
    return url.replace(f"{path}?", f"/{name}?", 1)


NAMES = ("replica_1", "replica_2")


@pytest.fixture(scope="session")
def stand_ins(url):
    with psycopg.connect(url, autocommit=True) as conn:
        for name in NAMES:
            conn.execute(f"CREATE DATABASE {name}")
    return tuple(with_name(url, name) for name in NAMES)


@pytest.fixture
async def replicas(admin, stand_ins):
    yield stand_ins
    for name in NAMES:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@pytest.fixture
def open_replicated(open_database, replicas):
    @asynccontextmanager
    async def open_replicated(**changes):
        changes = {"replicas": replicas, "probe_interval": 60.0} | changes
        async with open_database(**changes) as db:
            yield db

    return open_replicated


@pytest.fixture
def cut_off(admin):
    """Return a function that makes a replica refuse everybody, and another that readmits."""

    async def cut(name, allow):
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allow}")
        if not allow:
            await admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
                name,
            )
            await asyncio.sleep(0.05)

    return cut


def make_request():
    return SimpleNamespace(method="GET", path="/", span=None, db_state=None)


async def where(db, request=None, **options):
    async with db.acquire(request, **options) as cur:
        return await cur.fetchval(WHERE)


async def spread(db, count=12):
    return {await where(db, make_request()) for _ in range(count)}


async def test_reads_are_spread_and_writes_go_to_the_primary(open_replicated, table):
    async with open_replicated() as db:
        assert await spread(db) == {"replica_1", "replica_2"}
        async with db.transaction(make_request()) as cur:
            assert await cur.fetchval(WHERE) == "postgres"
        assert await where(db, primary=True) == "postgres"


async def test_spans_tell_primary_from_replica(open_replicated, tracer):
    async with open_replicated(tracer=tracer) as db:
        with tracer.start_active_span("work"):
            await where(db)
            await where(db, primary=True)
            async with db.transaction() as cur:
                await cur.fetchval(WHERE)

    statements = [span for span in tracer.recorder.spans if span.operation_name == "db.select"]
    assert [span.tags["db.role"] for span in statements] == ["replica", "primary", "primary"]


async def test_a_request_that_wrote_reads_from_the_primary(open_replicated, table):
    async with open_replicated() as db:
        wrote, other = make_request(), make_request()
        async with db.transaction(wrote) as cur:
            await cur.execute("INSERT INTO items (name) VALUES ('a')")

        assert {await where(db, wrote) for _ in range(6)} == {"postgres"}
        assert "postgres" not in {await where(db, other) for _ in range(6)}


async def test_a_transaction_that_did_nothing_or_only_read_counts_as_no_write(
    open_replicated, table
):
    async with open_replicated() as db:
        request = make_request()
        async with db.transaction(request):
            pass
        async with db.transaction(request, readonly=True) as cur:
            await cur.fetchval("SELECT 1")

        assert await where(db, request) != "postgres"


async def test_without_a_request_the_trace_stands_for_it(open_replicated, table, tracer):
    async with open_replicated() as db:
        with tracer.start_active_span("one"):
            async with db.transaction() as cur:
                await cur.execute("INSERT INTO items (name) VALUES ('a')")
            assert await where(db) == "postgres"
            request = make_request()
            assert await where(db, request) == "postgres"
        with tracer.start_active_span("two"):
            assert await where(db) != "postgres"


async def test_without_anything_the_context_stands_for_it(open_replicated, table):
    async with open_replicated() as db:
        assert await where(db) != "postgres"

        async def write():
            async with db.transaction() as cur:
                await cur.execute("INSERT INTO items (name) VALUES ('a')")
            return await where(db)

        assert await asyncio.create_task(write()) == "postgres"
        assert await where(db) != "postgres"


async def test_a_replica_that_is_away_at_start_is_left_out(open_replicated, cut_off):
    await cut_off("replica_2", False)
    async with open_replicated() as db:
        assert await spread(db) == {"replica_1"}


async def test_a_replica_that_goes_away_costs_no_request(open_replicated, cut_off, caplog):
    caplog.set_level(logging.INFO, "msframework.db")
    async with open_replicated(max_size=4) as db:
        await spread(db)
        await cut_off("replica_1", False)

        assert await spread(db) == {"replica_2"}
    assert "replica 1 is not read from any more" in caplog.text


async def test_a_probe_ejects_and_readmits(open_replicated, cut_off):
    async with open_replicated(probe_interval=1.0) as db:
        await cut_off("replica_1", False)
        async with asyncio.timeout(100):
            while await spread(db) != {"replica_2"}:
                await asyncio.sleep(0.05)
        await cut_off("replica_1", True)
        async with asyncio.timeout(100):
            while await spread(db) != {"replica_1", "replica_2"}:
                await asyncio.sleep(0.05)


async def test_with_all_replicas_gone_the_primary_serves(open_replicated, cut_off):
    async with open_replicated() as db:
        await cut_off("replica_1", False)
        await cut_off("replica_2", False)

        assert await spread(db) == {"postgres"}


@pytest.mark.punctual
async def test_an_exhausted_replica_is_not_ejected(open_replicated, replicas):
    async with open_replicated(replicas=replicas[:1], max_size=1, acquire_timeout=0.5) as db:
        async with db.acquire() as cur:
            await cur.fetchval(WHERE)
            with pytest.raises(PoolExhausted):
                await where(db)
        assert await where(db) == "replica_1"


async def test_those_who_wait_for_an_ejected_replica_go_on_to_the_next(open_replicated, replicas):
    async with open_replicated(replicas=replicas[:1], max_size=1) as db:
        async with db.acquire() as cur:
            await cur.fetchval(WHERE)
            task = asyncio.create_task(where(db))
            await asyncio.sleep(0.05)
            reader = db._replicas
            reader._eject(reader.replicas[0], "the test says so")

            assert await task == "postgres"


async def test_a_replica_that_is_behind_is_ejected_and_readmitted(
    open_replicated, monkeypatch, admin, table
):
    """The position that a replica has replayed is given here; the primary's is the real one."""
    position = await admin.fetchval(replicas_module._WRITTEN)
    async with open_replicated(max_lag=0.05) as db:
        monkeypatch.setattr(replicas_module, "_REPLAYED", f"SELECT {position}::bigint")
        await admin.execute("INSERT INTO items (name) VALUES ('a')")
        await db._replicas.probe()
        await asyncio.sleep(0.1)
        await db._replicas.probe()
        assert await spread(db) == {"postgres"}

        monkeypatch.setattr(replicas_module, "_REPLAYED", f"SELECT ({position} + 2 ^ 40)::bigint")
        await db._replicas.probe()
        assert await spread(db) == {"replica_1", "replica_2"}


async def test_a_primary_that_does_not_answer_the_probe_leaves_replicas_as_they_are(
    open_replicated, monkeypatch
):
    async with open_replicated() as db:
        monkeypatch.setattr(replicas_module, "_WRITTEN", "SELECT 1 / 0")
        await db._replicas.probe()

        assert await spread(db) == {"replica_1", "replica_2"}


async def test_a_replica_whose_pool_does_not_open_is_not_read_from(
    open_replicated, replicas, admin, monkeypatch
):
    async with open_replicated(min_size=1) as db:
        replica = db._replicas.replicas[0]
        await replica.pool.stop()
        replica.started = replica.healthy = False

        async def refuse():
            raise DatabaseUnavailable

        monkeypatch.setattr(replica.pool, "start", refuse)
        await db._replicas.probe()
        assert not replica.healthy


async def test_a_failing_round_does_not_end_the_watch(open_replicated, monkeypatch, caplog):
    async with open_replicated(probe_interval=0.02) as db:
        rounds = asyncio.Event()

        async def fail():
            if caplog.records:
                rounds.set()
            raise KeyError("odd")

        monkeypatch.setattr(db._replicas, "probe", fail)
        await asyncio.wait_for(rounds.wait(), 30)

    assert "the probe of the replicas failed" in caplog.text


async def test_in_debug_replicas_are_read_only_too(open_replicated):
    async with open_replicated(debug=True) as db:
        async with db.acquire(make_request()) as cur:
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await cur.execute("CREATE TABLE x (a int)")
