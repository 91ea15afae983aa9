"""Statements straight to asyncpg's protocol, and BEGIN that travels with the first of them."""

import asyncio
import logging

import asyncpg
import pytest

from msframework.db import statement_cache
from msframework.db.statement_cache import StatementCache
from msframework.exceptions import DatabaseUnavailable, TransactionAborted
from tests.db.conftest import cancel_everywhere, lend_all
from tests.db.test_transaction import INSERT, backends, kill, names

ADD = "INSERT INTO items (name) VALUES ($1) RETURNING name"
WHICH = "SELECT pg_current_xact_id()::text"


@pytest.fixture
def pool_kind():
    return "light"


@pytest.fixture
def sent(monkeypatch):
    """The texts that were sent ahead of a statement."""
    texts = []
    send = StatementCache.send_opening

    def note(statements, begin):
        done = send(statements, begin)
        if done:
            texts.append(begin)
        return done

    monkeypatch.setattr(StatementCache, "send_opening", note)
    return texts


@pytest.fixture
async def one(open_database, table):
    """A database of one connection, on which a transaction was begun and `ADD` prepared."""
    async with open_database(max_size=1) as db:
        await warm_up(db)
        yield db


async def warm_up(db, **options):
    with pytest.raises(KeyError):
        async with db.transaction(**options) as cur:
            await cur.fetchval(WHICH)
            await cur.fetchval(ADD, "warm")
            raise KeyError


async def test_begin_goes_along_with_the_first_statement(one, sent):
    async with one.transaction() as cur:
        first = await cur.fetchval(WHICH)
        assert await cur.fetchval(WHICH) == first
        await cur.fetchval(ADD, "a")
    async with one.transaction() as cur:
        assert await cur.fetchval(WHICH) != first

    assert sent == ["BEGIN", "BEGIN"]
    assert await names(one) == ["a"]


async def test_an_exception_rolls_back_what_went_along(one, sent):
    with pytest.raises(KeyError):
        async with one.transaction() as cur:
            assert await cur.fetchval(ADD, "a") == "a"
            raise KeyError

    assert sent == ["BEGIN"]
    assert await names(one) == []


async def test_a_statement_that_is_not_prepared_waits_for_begin(one, sent):
    async with one.transaction() as cur:
        await cur.execute(INSERT, "a")
    async with one.transaction() as cur:
        await cur.fetch("SELECT 'new'")

    assert sent == []
    assert await names(one) == ["a"]


@pytest.mark.parametrize("level", ["repeatable_read", "serializable", "read_committed"])
async def test_each_kind_of_transaction_has_a_begin_of_its_own(one, sent, level):
    how = "SELECT current_setting($1)"
    for _ in range(2):
        async with one.transaction(isolation=level, readonly=True) as cur:
            assert await cur.fetchval(how, "transaction_isolation") == level.replace("_", " ")
            assert await cur.fetchval(how, "transaction_read_only") == "on"
        async with one.transaction() as cur:
            assert await cur.fetchval(how, "transaction_isolation") == "read committed"
            assert await cur.fetchval(how, "transaction_read_only") == "off"

    # The first of all found neither prepared.
    assert len(sent) == 3


async def test_it_begins_on_another_connection_when_its_first_is_dead(open_database, url, table):
    async with open_database(max_size=3) as db:
        pids = await backends(db)
        async with db.transaction() as cur, db.acquire() as other:
            await cur.fetchval(ADD, "a")
            await other.fetchval("SELECT 1")
        kill(url, pids)

        async with db.transaction() as cur:
            assert await cur.fetchval(ADD, "b") == "b"

        assert await names(db) == ["a", "b"]
        await lend_all(db, 3)


async def test_it_begins_on_a_new_connection_when_every_other_is_dead(open_database, url, table):
    async with open_database(max_size=2) as db:
        pids = await backends(db)
        await warm_up(db)
        kill(url, pids)

        async with db.transaction() as cur:
            assert await cur.fetchval(ADD, "a") == "a"
        await lend_all(db, 2)
        assert await names(db) == ["a"]


@pytest.mark.punctual
async def test_it_is_unavailable_when_the_server_is_away(open_database, url, table, monkeypatch):
    async with open_database(max_size=1, acquire_timeout=1.0) as db:
        pids = await backends_of_one(db)
        await warm_up(db)
        kill(url, pids)

        async def refuse():
            raise ConnectionRefusedError

        monkeypatch.setattr(db._pool, "_opener", refuse)
        with pytest.raises(DatabaseUnavailable):
            async with db.transaction() as cur:
                await cur.fetchval(ADD, "a")
        monkeypatch.undo()
        await lend_all(db, 1)
        assert await names(db) == []


async def backends_of_one(db):
    async with db.acquire() as cur:
        return [await cur.fetchval("SELECT pg_backend_pid()")]


@pytest.mark.parametrize("wrong", [(1,), (), ("a", "b")])
async def test_arguments_that_cannot_be_sent_leave_a_block_that_begins_with_the_next(
    one, sent, wrong
):
    with pytest.raises(KeyError):
        async with one.transaction() as cur:
            with pytest.raises((TypeError, asyncpg.InterfaceError)):
                await cur.fetchval(ADD, *wrong)
            assert await cur.fetchval(ADD, "a") == "a"
            raise KeyError
    assert await names(one) == []

    async with one.transaction() as cur:
        with pytest.raises((TypeError, asyncpg.InterfaceError)):
            await cur.fetchval(ADD, *wrong)
        assert await cur.fetchval(ADD, "b") == "b"
    assert await names(one) == ["b"]
    await lend_all(one, 1)


async def test_the_statement_is_not_run_where_begin_fails(one, sent):
    (lease,) = one._pool._leases
    begin = lease.statements.openings["BEGIN"]
    await lease.statements.prepare_opening("SELECT 1 / 0")
    lease.statements.openings["BEGIN"] = lease.statements.openings.pop("SELECT 1 / 0")

    async with one.transaction() as cur:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await cur.fetchval(ADD, "a")
        lease.statements.openings["BEGIN"] = begin
        await cur.fetchval(ADD, "b")

    assert await names(one) == ["b"]
    await lend_all(one, 1)


async def test_a_statement_that_fails_aborts_the_transaction_it_began(one, sent):
    async with one.transaction() as cur:
        await cur.execute(INSERT, "a")
    with pytest.raises(TransactionAborted):
        async with one.transaction() as cur:
            with pytest.raises(asyncpg.UniqueViolationError):
                await cur.fetchval(ADD, "a")

    assert sent == ["BEGIN"]
    await lend_all(one, 1)


@pytest.mark.punctual
@pytest.mark.parametrize("options", [{"timeout": 0.3}, {}], ids=["its own", "the setting's"])
@pytest.mark.parametrize("warm", [True, False])
async def test_a_late_first_statement_that_is_caught_aborts_its_transaction(
    open_database, admin, table, warm, options
):
    async with open_database(max_size=1, command_timeout=30 if options else 0.3) as db:
        if warm:
            await warm_up(db)
        async with admin.transaction():
            await admin.execute("LOCK items")
            with pytest.raises(TransactionAborted):
                async with db.transaction() as cur:
                    with pytest.raises(DatabaseUnavailable):
                        await cur.fetchval(ADD, "a", **options)
                    with pytest.raises(asyncpg.InFailedSQLTransactionError):
                        await cur.fetchval("SELECT 1")
        await lend_all(db, 1)
        assert await names(db) == []


@pytest.mark.parametrize("together", [True, False])
async def test_a_cancelled_begin_that_is_caught_commits_nothing(one, sent, together, monkeypatch):
    slow = "SELECT pg_sleep(5)"
    if together:
        (lease,) = one._pool._leases
        await lease.statements.prepare_opening(slow)
        lease.statements.openings["BEGIN"] = lease.statements.openings.pop(slow)
    else:
        monkeypatch.setattr(one, "_plain_begin", slow)

    with pytest.raises(TransactionAborted):
        async with one.transaction() as cur:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await cur.fetchval(ADD, "a")
            if together:
                lease.statements.openings.clear()
                assert await cur.fetchval(ADD, "b") == "b"

    monkeypatch.undo()
    assert await names(one) == []
    await lend_all(one, 1)


async def test_what_is_deallocated_is_prepared_again(one, sent):
    async with one.acquire() as cur:
        await cur.execute("DEALLOCATE ALL")
        with pytest.raises(asyncpg.InvalidSQLStatementNameError):
            await cur.fetchval(WHICH)
    for name in ("a", "b", "c"):
        async with one.transaction() as cur:
            await cur.fetchval(ADD, name)

    assert await names(one) == ["a", "b", "c"]
    assert sent == ["BEGIN", "BEGIN"]


@pytest.mark.punctual
async def test_a_late_statement_that_began_a_transaction_is_ended(open_database, admin, table):
    async with open_database(max_size=1, command_timeout=0.3) as db:
        await warm_up(db)
        async with admin.transaction():
            await admin.execute("LOCK items")
            with pytest.raises(DatabaseUnavailable) as caught:
                async with db.transaction() as cur:
                    await cur.fetchval(ADD, "a")
        assert "longer than its time limit" in "\n".join(caught.value.__notes__)
        await lend_all(db, 1)
        assert await names(db) == []


async def test_a_borrower_cancelled_anywhere_leaves_nothing_begun(
    open_database, admin, table, sent
):
    async with open_database(max_size=1) as db:
        await warm_up(db)

        async def work():
            async with db.transaction() as cur:
                await cur.fetchval(ADD, "a")
                begun.append(await cur.fetchval(WHICH))

        async def check(cancelled):
            await lend_all(db, 1)
            # One that was cancelled in its COMMIT may have taken place.
            if cancelled and not begun:
                assert await names(db) == []
            begun.clear()
            await admin.execute("DELETE FROM items")
            await warm_up(db)

        begun = []
        assert await cancel_everywhere(work, check) >= 3
        assert len(sent) >= 3


async def test_a_composite_type_may_be_altered_under_what_is_prepared(open_database, admin):
    await admin.execute(
        "DROP TYPE IF EXISTS pair CASCADE; CREATE TYPE pair AS (x int, y int);"
        "CREATE TEMP TABLE held (both_ pair); DROP TABLE held"
    )
    read = "SELECT ROW(1, 2)::pair AS value"
    async with open_database(max_size=1) as db:
        async with db.acquire() as cur:
            await cur.fetchval(read)
        await admin.execute("ALTER TYPE pair DROP ATTRIBUTE y, ADD ATTRIBUTE z text")
        async with db.acquire() as cur:
            with pytest.raises(asyncpg.OutdatedSchemaCacheError):
                await cur.fetchval(read)
            assert tuple(await cur.fetchval(read)) == (1, "2")


async def test_an_untested_asyncpg_runs_statements_by_its_own_methods(
    open_database, table, monkeypatch, caplog, sent
):
    monkeypatch.setattr(statement_cache, "TESTED_ASYNCPG", ())
    with caplog.at_level(logging.WARNING, "msframework.db"):
        async with open_database(max_size=1) as db:
            await warm_up(db)
            async with db.transaction() as cur:
                assert await cur.fetchval(ADD, "a") == "a"
            assert await names(db) == ["a"]

    assert sent == []
    (record,) = caplog.records
    assert f"not tested with asyncpg {asyncpg.__version__}" in record.getMessage()


async def test_many_transactions_at_once_share_few_connections(open_database, table, sent):
    async with open_database(max_size=3) as db:

        async def add(number):
            async with db.transaction() as cur:
                return await cur.fetchval(ADD, f"{number:02}")

        for start in (0, 20, 40):
            await asyncio.gather(*(add(number) for number in range(start, start + 20)))
        assert sorted(await names(db)) == [f"{number:02}" for number in range(60)]
        assert len(sent) >= 40
