import asyncio

import asyncpg
import psycopg
import pytest

from msframework.exceptions import DatabaseUnavailable, TransactionAborted
from tests.db.conftest import lend_all

INSERT = "INSERT INTO items (name) VALUES ($1)"


async def names(db):
    async with db.acquire() as cur:
        return [row["name"] for row in await cur.fetch("SELECT name FROM items ORDER BY id")]


async def test_a_transaction_commits_at_the_end(db):
    async with db.transaction() as cur:
        await cur.execute(INSERT, "a")
        assert await names(db) == []

    assert await names(db) == ["a"]


@pytest.mark.parametrize("exc", [KeyError, asyncio.CancelledError, GeneratorExit])
async def test_an_exception_rolls_back(db, exc):
    with pytest.raises(exc):
        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
            raise exc

    assert await names(db) == []
    await lend_all(db, 2)


async def test_without_a_statement_nothing_is_sent(open_database, url):
    async with open_database(min_size=0, url="postgresql://nobody@/none?host=/nowhere") as db:
        async with db.transaction():
            pass
        with pytest.raises(KeyError):
            async with db.transaction():
                raise KeyError


async def test_a_commit_that_fails_raises(db, admin):
    await admin.execute(
        "ALTER TABLE items DROP CONSTRAINT items_name,"
        " ADD CONSTRAINT items_name UNIQUE (name) DEFERRABLE INITIALLY DEFERRED"
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
            await cur.execute(INSERT, "a")

    assert await names(db) == []
    await lend_all(db, 2)


async def test_a_commit_that_the_server_answers_with_a_rollback_raises(db):
    with pytest.raises(TransactionAborted):
        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
            with pytest.raises(asyncpg.UniqueViolationError):
                await cur.execute(INSERT, "a")

    assert await names(db) == []
    await lend_all(db, 2)


async def test_a_commit_on_a_lost_connection_is_unavailable(db, admin):
    with pytest.raises(DatabaseUnavailable):
        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
            pid = await cur.fetchval("SELECT pg_backend_pid()")
            await admin.execute("SELECT pg_terminate_backend($1, 5000)", pid)

    assert await names(db) == []


async def test_an_exception_on_a_lost_connection_surfaces_itself(db, admin):
    with pytest.raises(KeyError):
        async with db.transaction() as cur:
            pid = await cur.fetchval("SELECT pg_backend_pid()")
            await admin.execute("SELECT pg_terminate_backend($1, 5000)", pid)
            raise KeyError

    await lend_all(db, 2)


def kill(url, pids):
    """End backends without giving the event loop a chance to hear of it."""
    with psycopg.connect(url, autocommit=True) as conn:
        for pid in pids:
            conn.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def backends(db):
    async with db.acquire() as cur, db.acquire() as other:
        return [await one.fetchval("SELECT pg_backend_pid()") for one in (cur, other)]


async def test_a_transaction_begins_on_another_connection_when_its_first_is_dead(
    open_database, url, table
):
    async with open_database(max_size=3) as db:
        pids = await backends(db)
        await asyncio.sleep(0.05)  # asyncpg's pool takes them back in tasks of its own
        kill(url, pids)

        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")

        assert await names(db) == ["a"]


async def test_a_transaction_gives_up_when_every_connection_is_dead(open_database, url, table):
    async with open_database(max_size=2, pool="light") as db:
        kill(url, await backends(db))

        with pytest.raises(DatabaseUnavailable):
            async with db.transaction() as cur:
                await cur.execute(INSERT, "a")
        await lend_all(db, 2)


async def test_a_nested_transaction_is_a_savepoint(db):
    async with db.transaction() as cur:
        await cur.execute(INSERT, "a")
        with pytest.raises(asyncpg.UniqueViolationError):
            async with db.transaction() as inner:
                assert inner is cur
                await inner.execute(INSERT, "b")
                await inner.execute(INSERT, "a")
        async with cur.transaction() as inner:
            await inner.execute(INSERT, "c")
            async with db.transaction() as innermost:
                await innermost.execute(INSERT, "d")

    assert await names(db) == ["a", "c", "d"]


async def test_a_savepoint_whose_exception_was_caught_inside_rolls_back_and_raises(db):
    async with db.transaction() as cur:
        await cur.execute(INSERT, "a")
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            async with db.transaction():
                with pytest.raises(asyncpg.UniqueViolationError):
                    await cur.execute(INSERT, "a")
        await cur.execute(INSERT, "b")

    assert await names(db) == ["a", "b"]


async def test_a_savepoint_that_was_cancelled_dooms_its_transaction(db):
    with pytest.raises(TransactionAborted):
        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
            try:
                async with db.transaction():
                    raise asyncio.CancelledError
            except asyncio.CancelledError:
                pass

    assert await names(db) == []
    await lend_all(db, 2)


async def test_a_savepoint_that_cannot_begin_leaves_the_nesting_as_it_was(db):
    with pytest.raises(TransactionAborted):
        async with db.transaction() as cur:
            with pytest.raises(asyncpg.PostgresError):
                await cur.execute("SELECT 1 / 0")
            with pytest.raises(asyncpg.InFailedSQLTransactionError):
                async with cur.transaction():
                    pass


async def test_a_savepoint_that_cannot_roll_back_dooms_its_transaction(db, admin):
    with pytest.raises((DatabaseUnavailable, TransactionAborted)):
        async with db.transaction() as cur:
            with pytest.raises(KeyError):
                async with db.transaction():
                    pid = await cur.fetchval("SELECT pg_backend_pid()")
                    await admin.execute("SELECT pg_terminate_backend($1, 5000)", pid)
                    raise KeyError
    await lend_all(db, 2)


async def test_another_task_gets_a_transaction_of_its_own(db):
    async def other():
        async with db.transaction() as cur:
            await cur.execute(INSERT, "theirs")

    with pytest.raises(KeyError):
        async with db.transaction() as cur:
            await cur.execute(INSERT, "ours")
            await asyncio.create_task(other())
            raise KeyError

    assert await names(db) == ["theirs"]


async def test_a_nested_transaction_takes_no_options(db):
    async with db.transaction():
        with pytest.raises(ValueError, match="outermost"):
            db.transaction(isolation="serializable")


@pytest.mark.parametrize("level", ["read_committed", "repeatable_read", "serializable"])
async def test_the_isolation_level_is_set(db, level):
    async with db.transaction(isolation=level) as cur:
        assert await cur.fetchval("SHOW transaction_isolation") == level.replace("_", " ")


async def test_readonly_and_deferrable_are_set(db):
    async with db.transaction(isolation="serializable", readonly=True, deferrable=True) as cur:
        assert await cur.fetchval("SHOW transaction_read_only") == "on"
        assert await cur.fetchval("SHOW transaction_deferrable") == "on"


async def test_an_unknown_isolation_level_is_refused(db):
    with pytest.raises(ValueError, match="'chaos', expected one of read_committed"):
        db.transaction(isolation="chaos")


async def test_arguments_in_the_style_of_other_drivers_are_told_of(db, table):
    async with db.acquire() as cur:
        with pytest.raises(asyncpg.PostgresSyntaxError) as caught:
            await cur.fetch("SELECT * FROM items WHERE name = %s", "a")

    assert "Arguments are written $1, $2, … in SQL text." in caught.value.__notes__


async def test_in_debug_only_transactions_write(open_database, table):
    async with open_database(debug=True) as db:
        async with db.acquire() as cur:
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError) as caught:
                await cur.execute(INSERT, "a")
        async with db.transaction() as cur:
            await cur.execute(INSERT, "b")
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with db.transaction(readonly=True) as cur:
                await cur.execute(INSERT, "c")
        assert await names(db) == ["b"]

    assert "Use transaction() to write." in "\n".join(caught.value.__notes__)


async def test_without_a_statement_cache_debug_sends_nothing_that_pgbouncer_refuses(
    open_database, table
):
    async with open_database(debug=True, statement_cache_size=0) as db:
        async with db.acquire() as cur:
            assert await cur.fetchval("SHOW default_transaction_read_only") == "off"
        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
        assert await names(db) == ["a"]


async def test_outside_of_debug_acquire_can_write(db):
    async with db.acquire() as cur:
        await cur.execute(INSERT, "a")

    assert await names(db) == ["a"]


async def test_a_primary_that_became_read_only_is_unavailable_and_left(db, admin):
    async with db.transaction() as cur:
        pid = await cur.fetchval("SELECT pg_backend_pid()")
        await cur.execute("SET TRANSACTION READ ONLY")
        with pytest.raises(DatabaseUnavailable):
            await cur.execute(INSERT, "a")
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            await cur.execute("SELECT 1")
        raised = True
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            await cur.fetchval("SELECT 1")
        assert raised
        await cur.execute("ROLLBACK")
        await cur.execute("BEGIN")

    async def gone():
        return not await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid)

    async with asyncio.timeout(30):
        while not await gone():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("way", "ends"),
    [("transaction", "SET TRANSACTION READ ONLY"), ("acquire", "BEGIN READ ONLY")],
    ids=["transaction", "acquire"],
)
async def test_all_connections_to_a_primary_that_became_read_only_are_left(
    open_database, table, url, way, ends
):
    async def backends(db):
        async with db.acquire() as one, db.acquire() as two:
            return {await each.fetchval("SELECT pg_backend_pid()") for each in (one, two)}

    async with open_database(url=f"{url}&target_session_attrs=read-write") as db:
        before = await backends(db)
        with pytest.raises((DatabaseUnavailable, asyncpg.ReadOnlySQLTransactionError)):
            async with getattr(db, way)() as cur:
                await cur.execute(ends)
                await cur.execute(INSERT, "a")

        assert before.isdisjoint(await backends(db))


async def test_a_schema_change_before_the_first_statement_heals_inside_of_a_transaction(
    open_database, table, admin
):
    async with open_database(max_size=1) as db:
        for _ in range(2):
            async with db.transaction() as cur:
                await cur.fetch("SELECT * FROM items")
        await admin.execute("ALTER TABLE items ADD COLUMN more int DEFAULT 7")

        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
        async with db.transaction() as cur:
            assert await cur.fetchrow("SELECT * FROM items") == {
                "id": 1,
                "name": "a",
                "note": None,
                "more": 7,
            }
            await cur.execute(INSERT, "b")

        assert await names(db) == ["a", "b"]


async def test_a_schema_change_in_the_middle_is_told_and_heals_for_the_next(
    open_database, table, admin
):
    async with open_database(max_size=1) as db:
        async with db.acquire() as cur:
            await cur.fetch("SELECT * FROM items")
        await admin.execute("ALTER TABLE items ADD COLUMN more int DEFAULT 7")
        # asyncpg's own pool drops the statement when it sees the column for the first time.
        with pytest.raises(asyncpg.InvalidCachedStatementError):
            async with db.transaction() as cur:
                await cur.fetchval("SELECT 1")
                await cur.fetch("SELECT * FROM items")
        async with db.transaction() as cur:
            await cur.fetchval("SELECT 1")
            await cur.fetch("SELECT * FROM items")


async def test_retry_runs_again_after_a_serialization_failure(db, admin):
    await admin.execute("INSERT INTO items (name) VALUES ('counter')")
    runs = []

    async def work(cur):
        runs.append(1)
        await cur.fetchval("SELECT count(*) FROM items")
        if len(runs) < 3:
            await admin.execute("UPDATE items SET note = 'x'")
        return await cur.execute("UPDATE items SET note = 'y'")

    assert await db.retry(work, isolation="repeatable_read") == "UPDATE 1"
    assert len(runs) == 3


async def test_retry_gives_up_after_its_attempts(db, admin):
    await admin.execute("INSERT INTO items (name) VALUES ('counter')")
    runs = []

    async def work(cur):
        runs.append(1)
        await cur.fetchval("SELECT count(*) FROM items")
        await admin.execute("UPDATE items SET note = 'x'")
        await cur.execute("UPDATE items SET note = 'y'")

    with pytest.raises(asyncpg.SerializationError):
        await db.retry(work, isolation="repeatable_read", attempts=2)
    assert len(runs) == 2


async def test_retry_breaks_a_deadlock(db, admin):
    await admin.execute("INSERT INTO items (name) VALUES ('a'), ('b')")
    barrier = asyncio.Barrier(2)

    def swap(first, second):
        async def work(cur):
            await cur.execute("UPDATE items SET note = $1 WHERE name = $2", first, first)
            if barrier.n_waiting < 2 and not met:
                await barrier.wait()
                met.append(1)
            await cur.execute("UPDATE items SET note = $1 WHERE name = $2", first, second)

        met = []
        return work

    await asyncio.gather(db.retry(swap("a", "b")), db.retry(swap("b", "a")))


async def test_retry_lets_other_failures_through_at_once(db):
    runs = []

    async def work(cur):
        runs.append(1)
        await cur.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await db.retry(work)
    assert len(runs) == 1


async def test_retry_inside_of_a_transaction_is_refused(db):
    async with db.transaction():
        with pytest.raises(ValueError, match="around it"):
            await db.retry(None)
    with pytest.raises(ValueError, match="at least one"):
        await db.retry(None, attempts=0)


async def test_a_statement_still_running_at_the_end_is_refused_and_rolled_back(db):
    with pytest.raises(asyncpg.InterfaceError, match="still running"):
        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
            task = asyncio.create_task(cur.fetchval("SELECT pg_sleep(30)"))
            await asyncio.sleep(0.05)
    with pytest.raises(Exception, match=r".*"):
        await task

    assert await names(db) == []
    await lend_all(db, 2)


async def test_a_transaction_that_fails_while_another_task_uses_it_is_rolled_back(db):
    with pytest.raises(KeyError):
        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
            task = asyncio.create_task(cur.fetchval("SELECT pg_sleep(30)"))
            await asyncio.sleep(0.05)
            raise KeyError
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, DatabaseUnavailable)):
        await task

    assert await names(db) == []
    await lend_all(db, 2)


async def test_a_savepoint_that_is_cancelled_while_it_rolls_back_dooms_its_transaction(db):
    with pytest.raises(asyncio.CancelledError):
        async with db.transaction() as cur:
            await cur.execute(INSERT, "a")
            async with db.transaction():
                asyncio.current_task().cancel()
                raise KeyError

    asyncio.current_task().uncancel()
    assert await names(db) == []
    await lend_all(db, 2)


async def test_a_statement_that_fails_again_after_the_schema_changed_says_why(
    open_database, table, admin
):
    sql = (
        "SELECT *, 1 / (SELECT count(*) FROM items) AS part "
        "FROM items RIGHT JOIN (SELECT 1) x ON true"
    )
    async with open_database(max_size=1) as db:
        await admin.execute("INSERT INTO items (name) VALUES ('a')")
        for _ in range(2):
            async with db.transaction() as cur:
                await cur.fetch(sql)
        await admin.execute("ALTER TABLE items ADD COLUMN more int; DELETE FROM items")

        with pytest.raises(asyncpg.DivisionByZeroError):
            async with db.transaction() as cur:
                await cur.fetch(sql)
        await lend_all(db, 1)
