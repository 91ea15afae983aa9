"""Lending, by both pools: whatever is proved here holds for `DB_POOL = "asyncpg"` too."""

import asyncio
import logging
from contextlib import suppress
from types import SimpleNamespace

import asyncpg
import pytest

from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.db import connection as connection_module
from msframework.exceptions import DatabaseUnavailable, PoolExhausted
from tests.db.conftest import lend_all

pytestmark = pytest.mark.usefixtures("table")
REQUEST = SimpleNamespace(method="GET", path="/users/1", span=None, db_state=None)


async def count_backends(admin, db_conn_pids=None):
    return await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND pid <> pg_backend_pid()"
    )


async def pid_of(db):
    async with db.acquire() as cur:
        return await cur.fetchval("SELECT pg_backend_pid()")


async def until(condition):
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_a_statement_whose_arguments_could_not_be_sent_is_ended(open_database, admin):
    """Nothing ends what asyncpg began with it; PgBouncer keeps a connection for it until then."""
    last = "SELECT query FROM pg_stat_activity WHERE pid = $1"
    async with open_database(max_size=1) as db:
        pid = await pid_of(db)
        async with db.acquire() as cur:
            with pytest.raises(TypeError):
                await cur.fetchval("SELECT $1::int", "text")

        async def is_reset():
            return "UNLISTEN" in await admin.fetchval(last, pid)

        await until(is_reset)


async def test_a_cursor_takes_no_connection_before_its_first_statement(open_database):
    async with (
        open_database(max_size=1, acquire_timeout=30) as db,
        db.acquire(),
        db.transaction(),
        db.acquire() as cur,
    ):
        assert await cur.fetchval("SELECT 1") == 1


async def test_connections_are_lent_first_come_first_served(open_database):
    served = []

    async def borrow(number):
        async with db.acquire() as cur:
            await cur.fetchval("SELECT 1")
            served.append(number)

    async with open_database(max_size=1) as db:
        async with db.acquire() as cur:
            await cur.fetchval("SELECT 1")
            tasks = []
            for number in range(5):
                tasks.append(asyncio.create_task(borrow(number)))
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)

    assert served == [0, 1, 2, 3, 4]


async def test_the_pool_grows_only_as_far_as_it_is_needed_and_allowed(open_database, admin):
    before = await count_backends(admin)
    async with open_database(min_size=0, max_size=3) as db:
        assert await count_backends(admin) == before
        await pid_of(db)
        assert await count_backends(admin) == before + 1
        await asyncio.gather(*(pid_of(db) for _ in range(20)))
        assert await count_backends(admin) <= before + 3

    await until(lambda: _equals(count_backends(admin), before))


async def _equals(work, expected):
    return await work == expected


@pytest.mark.punctual
async def test_an_exhausted_pool_names_who_holds_its_connections(open_database):
    async with open_database(max_size=2, acquire_timeout=0.5) as db:
        async with db.acquire(REQUEST) as first, db.acquire() as second, db.acquire() as third:
            await first.fetchval("SELECT 1")
            await second.fetchval("SELECT 1")
            asyncio.current_task().set_name("nightly")
            with pytest.raises(PoolExhausted) as caught:
                await third.fetchval("SELECT 1")

    notes = "\n".join(caught.value.__notes__)
    assert "GET /users/1" in notes
    assert "task nightly" in notes
    assert caught.value.error is None
    assert caught.value.headers["Retry-After"]


@pytest.mark.punctual
async def test_after_exhaustion_the_pool_serves_again(open_database):
    async with open_database(max_size=1, acquire_timeout=0.5) as db:
        async with db.acquire() as cur:
            await cur.fetchval("SELECT 1")
            with pytest.raises(PoolExhausted):
                await pid_of(db)
        await lend_all(db, 1)


async def test_a_dead_connection_is_replaced(open_database, admin):
    async with open_database(max_size=1) as db:
        pid = await pid_of(db)
        await admin.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        await asyncio.sleep(0.05)

        assert await pid_of(db) != pid


async def test_a_connection_that_dies_under_a_statement_is_unavailable_and_replaced(
    open_database, admin
):
    async with open_database(max_size=1) as db:
        pid = await pid_of(db)

        async def sleep():
            async with db.acquire() as cur:
                await cur.fetchval("SELECT pg_sleep(30)")

        task = asyncio.create_task(sleep())
        await until(lambda: _sleeps(admin, pid))
        await admin.execute("SELECT pg_terminate_backend($1, 5000)", pid)

        with pytest.raises(DatabaseUnavailable) as caught:
            await task
        assert "pg_sleep" in "".join(caught.value.__notes__)
        await lend_all(db, 1)


async def _sleeps(admin, pid):
    return await admin.fetchval(
        "SELECT state = 'active' AND query LIKE '%pg_sleep%' FROM pg_stat_activity WHERE pid = $1",
        pid,
    )


@pytest.mark.punctual
async def test_a_statement_over_its_time_is_unavailable_and_its_connection_serves_on(
    open_database,
):
    async with open_database(max_size=1, command_timeout=0.5) as db:
        pid = await pid_of(db)
        async with db.acquire() as cur:
            with pytest.raises(DatabaseUnavailable) as caught:
                await cur.fetchval("SELECT pg_sleep(30)")
        assert await pid_of(db) == pid

    assert "longer than its time limit: SELECT pg_sleep(30)" in caught.value.__notes__[0]


async def test_idle_connections_are_closed_down_to_the_minimum(open_database, admin):
    before = await count_backends(admin)
    async with open_database(min_size=1, max_size=3, idle_timeout=0.2) as db:
        await lend_all(db, 3)
        assert await count_backends(admin) == before + 3

        await until(lambda: _equals(count_backends(admin), before + 1))
        await lend_all(db, 3)


async def test_a_connection_is_renewed_at_the_end_of_its_lifetime(open_database):
    async with open_database(max_size=1, max_lifetime=0.2) as db:
        pid = await pid_of(db)

        async def renewed():
            return await pid_of(db) != pid

        await until(renewed)


async def test_stopping_waits_for_what_is_lent(open_database):
    order = []

    async with open_database(max_size=1) as db:
        entered = asyncio.Event()

        async def work():
            async with db.acquire() as cur:
                await cur.fetchval("SELECT 1")
                entered.set()
                await cur.fetchval("SELECT pg_sleep(0.2)")
                order.append("worked")

        task = asyncio.create_task(work())
        await entered.wait()
        await db.stop()
        order.append("stopped")
        await task

        with pytest.raises(DatabaseUnavailable):
            await pid_of(db)

    assert order == ["worked", "stopped"]


async def test_stopping_that_takes_too_long_cuts_off_what_is_lent(open_database, admin):
    before = await count_backends(admin)
    async with open_database(max_size=1) as db, db.acquire() as cur:
        await cur.fetchval("SELECT 1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await db.stop()
        with pytest.raises((DatabaseUnavailable, asyncpg.InterfaceError)):
            await cur.fetchval("SELECT 1")

    await until(lambda: _equals(count_backends(admin), before))


async def test_a_server_that_is_away_is_unavailable_at_once_and_served_from_again(
    open_database, server, caplog
):
    caplog.set_level(logging.INFO, "msframework.db")
    async with open_database(max_size=2, acquire_timeout=60) as db:
        await pid_of(db)
        server.stop()
        try:
            async with asyncio.timeout(30):
                results = await asyncio.gather(
                    *(pid_of(db) for _ in range(8)), return_exceptions=True
                )
            assert {type(result) for result in results} == {DatabaseUnavailable}
        finally:
            server.start()

        await lend_all(db, 2)


async def test_starting_without_a_server_is_refused(open_database, tmp_path):
    with pytest.raises(DatabaseUnavailable) as caught:
        async with open_database(url=f"postgresql://nobody@/none?host={tmp_path}"):
            pass

    assert isinstance(caught.value.__cause__, OSError)
    said = str(caught.value)
    assert said.startswith(f"PostgreSQL at {tmp_path}, database 'none', cannot be reached (")
    assert type(caught.value.__cause__).__name__ in said


@pytest.mark.punctual
async def test_starting_takes_what_it_gets_as_long_as_it_gets_one(open_database, admin, url):
    await admin.execute("DROP ROLE IF EXISTS lonely; CREATE ROLE lonely LOGIN CONNECTION LIMIT 1")
    lonely = url.replace("postgresql://postgres@", "postgresql://lonely@")
    assert lonely != url
    try:
        async with open_database(url=lonely, min_size=2, pool="light", acquire_timeout=1.0) as db:
            await lend_all(db, 1)
            assert await _connections_of(admin, "lonely") == 1
            async with db.acquire() as cur, db.acquire() as other:
                await cur.fetchval("SELECT 1")
                db._pool._acquire_timeout = 0.1
                with pytest.raises(DatabaseUnavailable) as caught:
                    await other.fetchval("SELECT 1")
    finally:
        await until(lambda: _equals(_connections_of(admin, "lonely"), 0))
        await admin.execute("DROP ROLE lonely")

    assert type(caught.value) is DatabaseUnavailable
    assert isinstance(caught.value.__cause__, asyncpg.TooManyConnectionsError)


async def _connections_of(admin, role):
    return await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = $1", role)


async def test_with_too_many_connections_the_pool_shares_those_it_has(open_database, admin, url):
    await admin.execute("DROP ROLE IF EXISTS lonely; CREATE ROLE lonely LOGIN CONNECTION LIMIT 1")
    lonely = url.replace("postgresql://postgres@", "postgresql://lonely@")
    try:
        async with open_database(url=lonely, max_size=4, min_size=1, pool="light") as db:
            pids = await asyncio.gather(*(pid_of(db) for _ in range(10)))
        assert len(set(pids)) == 1
    finally:
        await until(lambda: _equals(_connections_of(admin, "lonely"), 0))
        await admin.execute("DROP ROLE lonely")


async def test_a_refresh_replaces_what_connections_know_of_the_schema(open_database, admin):
    async with open_database(max_size=2) as db:
        async with db.acquire() as cur, db.acquire() as other:
            await cur.fetch("SELECT * FROM items")
            await other.fetch("SELECT * FROM items")
        await admin.execute("ALTER TABLE items ADD COLUMN more int DEFAULT 7")

        for _ in range(4):
            async with db.transaction() as cur:
                await cur.fetch("SELECT * FROM items")
        async with db.transaction() as cur:
            await cur.execute("INSERT INTO items (name) VALUES ('x')")
            assert (await cur.fetchrow("SELECT * FROM items"))["more"] == 7


@pytest.mark.parametrize("sql", ["SET x.y = 1", "SELECT pg_sleep(30)"])
async def test_stopping_cuts_off_what_the_pool_itself_is_doing(open_database, admin, sql):
    before = await count_backends(admin)
    async with open_database(max_size=1) as db:
        task = asyncio.create_task(_run(db, sql))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        # The connection is being reset, or its statement cancelled.
        stop = asyncio.create_task(db.stop())
        await asyncio.sleep(0)
        stop.cancel()
        await asyncio.wait([stop])

    await until(lambda: _equals(count_backends(admin), before))


async def _run(db, sql):
    async with db.acquire() as cur:
        await cur.execute(sql)
        await cur.execute("SELECT pg_sleep(30)")


async def test_stopping_cuts_off_connections_that_are_being_opened(open_database, admin):
    before = await count_backends(admin)
    async with open_database(max_size=1, min_size=0, pool="light") as db:
        task = asyncio.create_task(pid_of(db))
        await asyncio.sleep(0)
        stop = asyncio.create_task(db.stop())
        await asyncio.sleep(0)
        stop.cancel()
        await asyncio.wait([stop, task])
        assert isinstance(task.exception(), DatabaseUnavailable)

    await until(lambda: _equals(count_backends(admin), before))


async def test_starting_that_is_cancelled_leaves_nothing_open(url, admin):
    before = await count_backends(admin)
    db = Database(DatabaseSettings(url=url, min_size=2))
    task = asyncio.create_task(db.start())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    await until(lambda: _equals(count_backends(admin), before))


async def test_a_connection_whose_codecs_cannot_be_set_is_not_left_open(
    open_database, admin, monkeypatch
):
    before = await count_backends(admin)
    monkeypatch.setattr(connection_module, "_FIND_HSTORE", "SELECT 1 / 0")
    with pytest.raises(DatabaseUnavailable):
        async with open_database(min_size=1):
            pass

    await until(lambda: _equals(count_backends(admin), before))


@pytest.mark.punctual
async def test_a_borrower_whose_time_is_up_is_passed_over(open_database):
    async with open_database(max_size=1, acquire_timeout=0.5) as db:
        async with db.acquire() as cur:
            await cur.fetchval("SELECT 1")
            first = asyncio.create_task(pid_of(db))
            await asyncio.sleep(0.3)
            second = asyncio.create_task(pid_of(db))
            await asyncio.wait([first])
            assert isinstance(first.exception(), PoolExhausted)
            assert not second.done()
        assert await second


async def test_a_server_that_accepts_and_says_nothing_is_unavailable(open_database):
    callers = set()

    async def say_nothing(reader, writer):
        callers.add(writer)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        callers.discard(writer)

    async def all_left():
        return not callers

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    url = f"postgresql://nobody@127.0.0.1:{port}/none?sslmode=disable"
    async with open_database(url=url, min_size=0, acquire_timeout=0.1) as db:
        with pytest.raises(DatabaseUnavailable) as caught:
            await pid_of(db)
        # Nothing is held, so nobody is to be named.
        assert type(caught.value) is DatabaseUnavailable
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await db.stop()
    silent.close()
    await until(all_left)
