"""`DB_COMMAND_TIMEOUT`: what takes too long is ended, and nothing else is.

The light pool ends a late statement by cancelling its task, so most of these tests ask whether
somebody else's cancellation survives that.
"""

import asyncio

import pytest

from msframework.exceptions import DatabaseUnavailable
from tests.db.conftest import lend_all

pytestmark = pytest.mark.punctual
SLOW = "SELECT pg_sleep(100)"
ENDED_BY_US = {"command_timeout": 0.15, "max_size": 1}


async def fetch(db):
    async with db.acquire() as cur:
        await cur.fetch(SLOW)


async def fetch_prepared(db):
    async with db.acquire() as cur:
        statement = await cur.prepare(SLOW)
        await statement.fetch()


async def stream(db):
    async with db.acquire() as cur:
        async for _ in cur.cursor(SLOW):
            pass


async def copy(db):
    async with db.acquire() as cur:

        async def sink(_):
            pass

        await cur.copy_from_query(SLOW, output=sink)


async def savepoint(db):
    async with db.transaction() as cur, cur.transaction():
        await cur.fetch(SLOW)


async def commit(db):
    async with db.transaction() as cur:
        await cur.execute("INSERT INTO items (name) VALUES ('slow')")


async def raw(db):
    async with db.acquire() as cur:
        conn = await cur.connection()
        try:
            await conn.fetch(SLOW)
        except TimeoutError:
            # It is asyncpg's connection itself, and raises what asyncpg raises.
            raise DatabaseUnavailable() from None


@pytest.fixture
async def slow_commit(table, admin):
    """Committing a row of `items` takes long."""
    await admin.execute(
        "CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(100); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION wait()"
    )


@pytest.mark.usefixtures("slow_commit")
@pytest.mark.parametrize("work", [fetch, fetch_prepared, stream, copy, savepoint, commit, raw])
async def test_whatever_takes_too_long_is_ended(open_database, admin, work):
    async with open_database(**ENDED_BY_US) as db:
        async with asyncio.timeout(30):
            with pytest.raises(DatabaseUnavailable):
                await work(db)
        assert asyncio.current_task().cancelling() == 0
        await lend_all(db, 1)
        running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(100)' AND "
        assert await admin.fetchval(f"{running} state = 'active' AND pid <> pg_backend_pid()") == 0
    assert await admin.fetchval("SELECT count(*) FROM items") == 0


async def test_a_time_that_is_given_counts_instead(open_database):
    async with open_database(**ENDED_BY_US) as db, db.acquire() as cur:
        await cur.fetch("SELECT pg_sleep(0.4)", timeout=3)
        with pytest.raises(DatabaseUnavailable):
            await cur.fetch(SLOW, timeout=0.05)


async def test_each_statement_has_the_whole_time(open_database):
    async with (
        open_database(command_timeout=0.4, max_size=1) as db,
        db.transaction() as cur,
    ):
        for _ in range(4):
            await cur.fetch("SELECT pg_sleep(0.15)")
            await asyncio.sleep(0.05)


async def test_the_time_for_a_connection_does_not_count(open_database):
    async with open_database(command_timeout=0.4, max_size=1) as db:

        async def sleep():
            async with db.acquire() as cur:
                await cur.fetch("SELECT pg_sleep(0.2)")

        await asyncio.gather(*(sleep() for _ in range(4)))


async def test_a_task_that_was_cancelled_before_can_still_run_out_of_time(open_database):
    async with open_database(**ENDED_BY_US) as db:

        async def work():
            try:
                await asyncio.sleep(10)
            finally:
                with pytest.raises(DatabaseUnavailable):
                    await fetch(db)

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    assert task.cancelled()


@pytest.fixture
def run_late(open_database):
    """Return a function that lets a statement be late while `around(task)` runs; gives the task."""

    async def run_late(work, before=None, after=None):
        async with open_database(command_timeout=60, max_size=1) as db:
            task = asyncio.create_task(work(db))
            async with asyncio.timeout(30):
                while not any(lease.deadline.task is task for lease in db._pool._leases):
                    await asyncio.sleep(0.01)
            [lease] = db._pool._leases
            # All of this happens before the task can run again.
            if before is not None:
                before(task)
            lease.deadline.due = 0.0
            db._pool._deadlines._sweep()
            if after is not None:
                after(task)
            await asyncio.wait([task], timeout=30)
            await lend_all(db, 1)
            return task

    return run_late


@pytest.mark.parametrize("pool_kind", ["light"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_cancellation_that_comes_with_the_end_of_the_time_survives(run_late, when):
    task = await run_late(fetch, **{when: asyncio.Task.cancel})

    assert task.cancelled()
    assert task.cancelling() == 1


@pytest.mark.parametrize("pool_kind", ["light"])
async def test_without_one_nothing_is_left_of_ours(run_late):
    task = await run_late(fetch)

    assert isinstance(task.exception(), DatabaseUnavailable)
    assert isinstance(task.exception().__cause__, TimeoutError)
    assert task.cancelling() == 0


@pytest.mark.parametrize("pool_kind", ["light"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_timeout_of_the_callers_own_stays_his(run_late, when):
    limits = []

    async def work(db):
        async with asyncio.timeout(None) as limit:
            limits.append(limit)
            await fetch(db)

    task = await run_late(work, **{when: lambda _: limits[0]._on_timeout()})

    assert type(task.exception()) is TimeoutError
    assert task.cancelling() == 0


@pytest.mark.parametrize("pool_kind", ["light"])
async def test_a_task_group_is_told_that_a_statement_was_late(run_late):
    async def work(db):
        async with asyncio.TaskGroup():
            await fetch(db)

    task = await run_late(work)

    [failure] = task.exception().exceptions
    assert isinstance(failure, DatabaseUnavailable)


@pytest.mark.parametrize("pool_kind", ["light"])
async def test_one_timer_serves_all_statements(open_database):
    async with open_database(command_timeout=60, max_size=4) as db:
        await lend_all(db, 4)
        timer = db._pool._deadlines._timer
        await lend_all(db, 4)

        assert timer is not None
        assert db._pool._deadlines._timer is timer
    assert db._pool._deadlines._timer is None
