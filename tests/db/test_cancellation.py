"""Sanic cancels a handler when its client hangs up: at every await, everything is given back."""

import asyncio
from uuid import uuid4

import pytest

from tests.db.conftest import cancel_everywhere, lend_all

INSERT = "INSERT INTO items (name) VALUES ($1)"


async def read(db):
    async with db.acquire() as cur:
        await cur.fetchrow("SELECT * FROM items WHERE id = $1", 1)
        await cur.fetch("SELECT * FROM items")


async def read_with_state(db):
    async with db.acquire() as cur:
        await cur.execute("SET statement_timeout = '10s'")
        await cur.fetchval("SELECT pg_advisory_lock(7)")


async def stream(db):
    async with db.acquire() as cur:
        async for _ in cur.cursor("SELECT generate_series(1, 20)", prefetch=5):
            pass


async def prepared(db):
    async with db.transaction() as cur:
        statement = await cur.prepare("SELECT $1::int")
        await statement.fetchval(1)


async def copy(db):
    async with db.transaction() as cur:
        await cur.copy_records_to_table("items", columns=["name"], records=[(str(uuid4()),)])


async def raw(db):
    async with db.acquire() as cur:
        conn = await cur.connection()
        await conn.execute("SELECT 1")


@pytest.mark.parametrize("again", [None, 1])
@pytest.mark.parametrize("work", [read, read_with_state, stream, prepared, copy, raw])
async def test_a_borrower_that_is_cancelled_gives_its_connection_back(
    open_database, table, work, again
):
    async with open_database(max_size=2, min_size=0) as db:

        async def check(cancelled):
            await lend_all(db, 2)
            async with db.acquire() as cur:
                assert await cur.fetchval("SHOW statement_timeout") == "0"

        assert await cancel_everywhere(lambda: work(db), check, again) >= 1


@pytest.mark.parametrize("again", [None, 1])
async def test_a_transaction_that_is_cancelled_leaves_all_or_nothing(
    open_database, table, admin, again
):
    async with open_database(max_size=2, min_size=0) as db:
        done = []

        async def work():
            async with db.transaction() as cur:
                await cur.execute(INSERT, "a")
                async with db.transaction():
                    await cur.execute(INSERT, "b")
                await cur.execute(INSERT, "c")
            done.append(1)

        async def check(cancelled):
            await lend_all(db, 2)
            rows = await admin.fetchval("SELECT count(*) FROM items")
            assert rows in (0, 3)
            if done:
                assert rows == 3
            done.clear()
            await admin.execute("TRUNCATE items")
            assert not await admin.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
            )

        assert await cancel_everywhere(work, check, again) >= 7


async def test_a_borrower_that_is_cancelled_while_it_waits_loses_nothing(open_database, table):
    async with open_database(max_size=1) as db:

        async def work():
            async with db.acquire() as other:
                await other.fetchval("SELECT 1")

        async def hold_and_work():
            # The inner one waits for the connection that the outer one holds, then gets it.
            async with db.acquire() as cur:
                await cur.fetchval("SELECT 1")
                task = asyncio.create_task(work())
                await asyncio.sleep(0)
            await task

        async def check(cancelled):
            await lend_all(db, 1)

        assert await cancel_everywhere(hold_and_work, check) >= 2


async def test_a_retry_that_is_cancelled_gives_its_connection_back(open_database, table, admin):
    async with open_database(max_size=1, min_size=0) as db:

        async def work():
            runs = []

            async def once(cur):
                runs.append(1)
                await cur.execute("UPDATE items SET note = 'y'")
                if len(runs) == 1:
                    await cur.execute("DO $$ BEGIN RAISE serialization_failure; END $$")

            await db.retry(once)

        async def check(cancelled):
            await lend_all(db, 1)

        assert await cancel_everywhere(work, check) >= 5


@pytest.mark.parametrize("pool_kind", ["asyncpg"])
async def test_a_borrower_cancelled_as_it_is_lent_a_connection_keeps_none(open_database):
    """asyncpg's pool has lent it by then, and the borrower's task has not run since."""
    async with open_database(max_size=1) as db:
        for _ in range(5):
            async with db.acquire() as cur:
                await cur.fetchval("SELECT 1")
                borrower = asyncio.create_task(lend_all(db, 1))
                while not db._pool._waiting:
                    await asyncio.sleep(0)
                [lending] = db._pool._waiting
            while not lending.done():
                await asyncio.sleep(0)
            borrower.cancel()
            await asyncio.wait([borrower])
            assert borrower.cancelled()
        await lend_all(db, 1)
