"""Statements that stay prepared: how many, on which connections, and what if a table is altered."""

import asyncpg
import pytest

from tests.db.conftest import cancel_everywhere, lend_all

pytestmark = pytest.mark.usefixtures("table")
COUNT = "SELECT count(*)::int FROM pg_prepared_statements"
ALL = "SELECT * FROM items"


async def test_no_more_are_kept_than_the_setting_says(open_database):
    async with open_database(max_size=1, statement_cache_size=3) as db:
        for number in range(10):
            async with db.acquire() as cur:
                assert await cur.fetchval(f"SELECT {number}") == number
        async with db.acquire() as cur:
            await cur.fetchval("SELECT 'the last one is closed by the next'")
            assert await cur.fetchval(COUNT) <= 4


@pytest.mark.parametrize("pool_kind", ["light"])
async def test_none_is_kept_behind_pgbouncer(open_database):
    async with open_database(max_size=1, statement_cache_size=0) as db:
        for _ in range(3):
            async with db.acquire() as cur:
                await cur.fetch(ALL)
                assert await cur.fetchval(COUNT) == 0


@pytest.mark.parametrize("pool_kind", ["light"])
async def test_a_statement_is_prepared_once_for_a_connection(open_database):
    async with open_database(max_size=1) as db:
        for _ in range(3):
            async with db.acquire() as cur:
                await cur.fetch(ALL)
                await cur.fetchrow(ALL)
                names = await cur.fetchval(
                    "SELECT count(*)::int FROM pg_prepared_statements WHERE statement = $1", ALL
                )
                assert names == 1


async def test_one_text_may_be_run_in_every_way(open_database):
    text = "INSERT INTO items (name) VALUES ($1) RETURNING name"
    async with open_database(max_size=1, debug=False) as db, db.acquire() as cur:
        assert await cur.fetchval(text, "a") == "a"
        assert await cur.execute(text, "b") == "INSERT 0 1"
        assert await cur.fetchrow(text, "c") == {"name": "c"}
        assert await cur.fetchmany(text, [("d",), ("e",)]) == [{"name": "d"}, {"name": "e"}]
        await cur.executemany(text, [("f",), ("g",)])
        assert await cur.fetchval("SELECT count(*) FROM items") == 7


@pytest.mark.parametrize("method", ["fetch", "fetchrow", "fetchval", "record", "records"])
async def test_a_table_may_be_altered_under_what_is_prepared(open_database, admin, method):
    await admin.execute("INSERT INTO items (name) VALUES ('a')")
    async with open_database(max_size=2) as db:
        for number in range(3):
            async with db.acquire() as cur, db.acquire() as other:
                await getattr(cur, method)(ALL)
                await getattr(other, method)(ALL)
                assert (await cur.fetchrow(ALL)).get("more1") == (1 if number else None)
            await admin.execute(f"ALTER TABLE items ADD COLUMN more{number + 1} int DEFAULT 1")


async def test_what_an_altered_table_lacks_is_told(open_database, admin):
    async with open_database(max_size=1) as db:
        async with db.acquire() as cur:
            await cur.fetch("SELECT note FROM items")
        await admin.execute("ALTER TABLE items DROP COLUMN note")
        for _ in range(2):
            async with db.acquire() as cur:
                with pytest.raises(asyncpg.UndefinedColumnError):
                    await cur.fetch("SELECT note FROM items")
        await lend_all(db, 1)


async def test_a_borrower_cancelled_while_this_heals_gives_its_connection_back(
    open_database, admin
):
    async with open_database(max_size=1) as db:
        added = iter(range(100))

        async def alter():
            await lend_all(db, 1)
            async with db.acquire() as cur:
                await cur.fetch(ALL)
            await admin.execute(f"ALTER TABLE items ADD COLUMN extra{next(added)} int")

        async def work():
            async with db.acquire() as cur:
                await cur.fetch(ALL)

        async def check(cancelled):
            await alter()

        await alter()
        assert await cancel_everywhere(work, check) >= 2
