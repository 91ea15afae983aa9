"""`before_commit` and `after_commit` of a transaction."""

import asyncio
from functools import partial

import asyncpg
import pytest

from msframework.exceptions import TransactionAborted
from tests.db.conftest import cancel_everywhere, lend_all

INSERT = "INSERT INTO items (name) VALUES ($1)"


async def names(db):
    async with db.acquire() as cur:
        return [row["name"] for row in await cur.fetch("SELECT name FROM items ORDER BY id")]


async def test_callbacks_run_around_the_commit_in_their_order(db):
    seen = []

    async def note_names():
        seen.append(("after", await names(db)))

    async with db.transaction() as cur:
        cur.after_commit(note_names)
        cur.after_commit(lambda: seen.append("plain"))
        cur.before_commit(lambda: cur.execute(INSERT, "b"))
        await cur.execute(INSERT, "a")
        assert seen == []

    assert seen == [("after", ["a", "b"]), "plain"]
    await lend_all(db, 2)


async def test_after_commit_holds_no_connection(open_database, table):
    async with open_database(max_size=1, acquire_timeout=5) as db:
        seen = []

        async def read():
            seen.append(await names(db))

        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
            cur.after_commit(read)

        assert seen == [["a"]]


async def test_without_a_statement_callbacks_run_all_the_same(db):
    seen = []

    async with db.transaction() as cur:
        cur.before_commit(lambda: seen.append("before"))
        cur.after_commit(lambda: seen.append("after"))

    assert seen == ["before", "after"]


@pytest.mark.parametrize("statement", [True, False])
async def test_what_before_commit_raises_rolls_back_and_surfaces(db, statement):
    seen = []

    def refuse():
        raise KeyError("refused")

    with pytest.raises(KeyError, match="refused"):
        async with db.transaction() as cur:
            if statement:
                await cur.execute(INSERT, "a")
            cur.before_commit(refuse)
            cur.after_commit(lambda: seen.append("after"))

    assert seen == []
    assert await names(db) == []
    await lend_all(db, 2)


@pytest.mark.parametrize("exc", [KeyError, asyncio.CancelledError])
async def test_after_an_exception_nothing_runs(db, exc):
    seen = []

    with pytest.raises(exc):
        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
            cur.before_commit(lambda: seen.append("before"))
            cur.after_commit(lambda: seen.append("after"))
            raise exc

    assert seen == []


async def test_after_a_commit_that_fails_after_commit_does_not_run(db, admin):
    await admin.execute(
        "ALTER TABLE items DROP CONSTRAINT items_name,"
        " ADD CONSTRAINT items_name UNIQUE (name) DEFERRABLE INITIALLY DEFERRED"
    )
    seen = []

    with pytest.raises(asyncpg.UniqueViolationError):
        async with db.transaction() as cur:
            cur.after_commit(lambda: seen.append("after"))
            await cur.execute(INSERT, "a")
            await cur.execute(INSERT, "a")
    with pytest.raises(TransactionAborted):
        async with db.transaction() as cur:
            cur.after_commit(lambda: seen.append("after"))
            with pytest.raises(asyncpg.PostgresSyntaxError):
                await cur.execute("SELEC 1")

    assert seen == []


async def test_what_after_commit_raises_is_logged_and_undoes_nothing(db, caplog):
    seen = []

    def fail(row):
        raise KeyError("too late")

    async with db.transaction() as cur:
        await cur.execute(INSERT, "a")
        cur.after_commit(partial(fail, {"password": "swordfish"}))
        cur.after_commit(lambda: seen.append("after"))

    assert seen == ["after"]
    assert await names(db) == ["a"]
    (record,) = [each for each in caplog.records if each.name == "msframework.db"]
    assert "after_commit callback" in record.getMessage()
    assert "fail" in record.getMessage()
    assert "swordfish" not in record.getMessage()
    assert "too late" in str(record.exc_info[1])


async def test_a_savepoint_that_is_rolled_back_drops_what_was_registered_in_it(db):
    seen = []

    async with db.transaction() as cur:
        cur.after_commit(lambda: seen.append("outer"))
        with pytest.raises(KeyError):
            async with cur.transaction():
                cur.before_commit(lambda: seen.append("dropped"))
                async with db.transaction() as inner:
                    inner.after_commit(lambda: seen.append("dropped"))
                raise KeyError
        async with cur.transaction():
            cur.after_commit(lambda: seen.append("kept"))
        with pytest.raises(asyncpg.PostgresSyntaxError):
            async with cur.transaction():
                cur.after_commit(lambda: seen.append("dropped"))
                await cur.execute("SELEC 1")

    assert seen == ["outer", "kept"]


async def test_callbacks_may_register_others(db):
    seen = []

    async with db.transaction() as cur:
        cur.before_commit(lambda: cur.before_commit(lambda: seen.append("second")))

    assert seen == ["second"]


async def test_a_transaction_that_is_over_takes_no_callbacks(db):
    async with db.transaction() as cur:
        pass

    for register in (cur.before_commit, cur.after_commit):
        with pytest.raises(asyncpg.InterfaceError, match="closed"):
            register(print)


async def test_a_transaction_that_is_run_again_begins_without_callbacks(db):
    seen = []

    async def work(cur):
        cur.after_commit(lambda: seen.append("after"))
        if len(tries) < 1:
            tries.append(1)
            raise asyncpg.SerializationError("again")

    tries = []
    await db.retry(work)

    assert seen == ["after"]


async def test_wherever_it_is_cancelled_no_connection_is_lost_and_all_is_done_or_nothing(db):
    async def work():
        async with db.transaction() as cur:
            await cur.execute("DELETE FROM items")
            cur.before_commit(lambda: cur.execute(INSERT, "before"))
            cur.after_commit(lambda: asyncio.sleep(0))

    async def check(cancelled):
        await lend_all(db, 2)
        assert cancelled or await names(db) == ["before"]

    assert await cancel_everywhere(work, check) > 0
