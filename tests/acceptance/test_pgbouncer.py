"""`DB_STATEMENT_CACHE_SIZE = 0` behind PgBouncer in transaction mode, with two server connections.

So few that the clients' statements lie between each other's all the time.
"""

import asyncio
import shutil
import subprocess
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import asyncpg
import psycopg
import pytest

from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.db.cluster import PORT, SUPERUSER
from msframework.exceptions import DatabaseUnavailable
from tests.acceptance.postgres import Server
from tests.processes import free_port

PGBOUNCER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(600),
    pytest.mark.skipif(PGBOUNCER is None, reason="no pgbouncer here: apt-get install pgbouncer"),
]

CLIENTS = 12
CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 100
logfile = {directory}/pgbouncer.log
pidfile = {directory}/pgbouncer.pid
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("bounced"))
    try:
        server.make_primary().start()
        server.query("CREATE TYPE mood AS ENUM ('good', 'bad')")
        server.query("CREATE TABLE items (id serial PRIMARY KEY, name text, mood mood, more jsonb)")
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def url(server):
    """The address of a PgBouncer in front of the server."""
    home, listen = server.home, free_port()
    directory = home.log.parent
    path = directory / "pgbouncer.ini"
    path.write_text(
        CONFIGURATION.format(
            host=home.run, port=PORT, user=SUPERUSER, listen=listen, directory=directory
        )
    )
    path.chmod(0o644)
    user = home.user
    process = subprocess.Popen(
        [PGBOUNCER, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=None if user is None else user.uid,
        group=None if user is None else user.gid,
        extra_groups=None if user is None else [],
    )
    url = f"postgresql://{SUPERUSER}@127.0.0.1:{listen}/postgres"
    try:
        wait_ready(process, url)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def wait_ready(process, url):
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return


@pytest.fixture(params=("light", "asyncpg"))
def open_database(request, url):
    @asynccontextmanager
    async def open_database(*, debug=False, **changes):
        changes = {"statement_cache_size": 0, "max_size": CLIENTS, "min_size": 0} | changes
        settings = replace(DatabaseSettings(), url=url, pool=request.param, **changes)
        db = Database(settings, debug=debug)
        await db.start()
        try:
            yield db
        finally:
            async with asyncio.timeout(60):
                await db.stop()

    return open_database


def make_request():
    return SimpleNamespace(method="GET", path="/", span=None, db_state=None)


async def side_by_side(work):
    """Run `work(number)` as many clients at once."""
    async with asyncio.timeout(60):
        await asyncio.gather(*(work(number) for number in range(CLIENTS)))


@pytest.mark.parametrize("debug", [False, True])
async def test_reads_answer_what_was_asked(open_database, debug):
    """NOTE: a statement must not be parsed on one server connection and executed on another."""
    async with open_database(debug=debug) as db:

        async def read(number):
            for count in range(25):
                async with db.acquire(make_request()) as cur:
                    sql = f"SELECT $1::int AS sent, {number} AS client"
                    expected = {"sent": count, "client": number}
                    assert await cur.fetchrow(sql, count) == expected
                    assert await cur.fetch(sql, count) == [expected]
                    assert await cur.fetchval(sql, count, column=1) == number

        await side_by_side(read)


async def test_types_that_must_be_looked_up(open_database):
    async with open_database() as db:

        async def read(number):
            for _ in range(5):
                async with db.acquire(make_request()) as cur:
                    sql = "SELECT $1::mood AS mood, $2::mood[] AS moods, $3::jsonb AS more"
                    row = await cur.fetchrow(sql, "good", ["bad", "good"], {"n": number})
                    assert row == {"mood": "good", "moods": ["bad", "good"], "more": {"n": number}}

        await side_by_side(read)


@pytest.mark.parametrize("debug", [False, True])
async def test_transactions_commit_and_roll_back(open_database, server, debug):
    server.query("TRUNCATE items")
    async with open_database(debug=debug) as db:

        async def write(number):
            for count in range(10):
                name = f"{number}-{count}"
                try:
                    async with db.transaction(make_request()) as cur:
                        sql = "INSERT INTO items (name, more) VALUES ($1, $2) RETURNING name"
                        assert await cur.fetchval(sql, name, {"n": count}) == name
                        async with cur.transaction():
                            sql = "UPDATE items SET mood = 'good' WHERE name = $1"
                            await cur.execute(sql, name)
                        if count % 2:
                            raise LookupError
                except LookupError:
                    pass

        await side_by_side(write)

    rows = server.query("SELECT name, mood::text FROM items")
    committed = [(f"{n}-{c}", "good") for n in range(CLIENTS) for c in range(0, 10, 2)]
    assert sorted(rows) == sorted(committed)


async def test_streams_prepared_statements_and_copies(open_database, server):
    server.query("TRUNCATE items")
    async with open_database() as db:

        async def work(number):
            async with db.transaction(make_request()) as cur:
                records = [(f"{number}-{count}",) for count in range(20)]
                await cur.copy_records_to_table("items", records=records, columns=["name"])
            like = f"{number}-%"
            async with db.acquire(make_request()) as cur:
                sql = "SELECT name FROM items WHERE name LIKE $1 ORDER BY id"
                names = [row["name"] async for row in cur.cursor(sql, like, prefetch=5)]
                assert names == [name for (name,) in records]
            async with db.acquire(make_request()) as cur:
                sql_of_mine = f"SELECT count(*) + {number} FROM items WHERE name LIKE $1"
                statement = await cur.prepare(sql_of_mine)
                for _ in range(20):
                    assert await statement.fetchval(like) == 20 + number
                assert await cur.fetchval("SELECT $1::int", number) == number
                assert await statement.fetchval(like) == 20 + number
            got = bytearray()

            async def keep(data):
                got.extend(data)

            async with db.acquire(make_request()) as cur:
                await cur.copy_from_query(sql, like, output=keep)
            assert got.decode().split() == names

        await side_by_side(work)


async def test_many_of_one_statement(open_database, server):
    server.query("TRUNCATE items")
    async with open_database() as db:

        async def write(number):
            async with db.transaction(make_request()) as cur:
                sql = "INSERT INTO items (name) VALUES ($1)"
                await cur.executemany(sql, [(f"{number}-{count}",) for count in range(10)])
            async with db.acquire(make_request()) as cur:
                sql = f"SELECT $1::int + {number} AS sum"
                rows = await cur.fetchmany(sql, [(1,), (2,)])
                assert rows == [{"sum": number + 1}, {"sum": number + 2}]

        await side_by_side(write)
    assert server.query("SELECT count(*) FROM items") == [(CLIENTS * 10,)]


async def test_a_failed_statement_leaves_nothing_open(open_database):
    async with open_database(max_size=1) as db:
        for _ in range(3):
            async with db.acquire(make_request()) as cur:
                with pytest.raises(asyncpg.DivisionByZeroError):
                    await cur.fetchval("SELECT 1 / $1::int", 0)
                assert await cur.fetchval("SELECT $1::int", 7) == 7


async def test_arguments_that_cannot_be_sent_hold_no_connection_of_the_server(open_database, url):
    """asyncpg has parsed the statement by then, and ends that exchange with the next one only."""
    async with open_database() as db:

        async def mistake(number):
            async with db.acquire(make_request()) as cur:
                with pytest.raises(TypeError, match=r"parameter \$1"):
                    await cur.fetchval(f"SELECT $1::int + {number}", "text")

        await side_by_side(mistake)
        async with asyncio.timeout(60):
            conn = await asyncpg.connect(url, statement_cache_size=0)
            try:
                assert await conn.fetchval("SELECT $1::int", 1) == 1
            finally:
                await conn.close()


async def test_a_statement_that_took_too_long_is_cancelled_behind_pgbouncer(open_database, server):
    async with open_database() as db:

        async def wait(number):
            with pytest.raises(DatabaseUnavailable):
                async with db.acquire(make_request()) as cur:
                    await cur.fetchval("SELECT pg_sleep($1)", 500, timeout=0.3)

        await asyncio.gather(wait(0), wait(1))
        async with asyncio.timeout(60), db.acquire(make_request()) as cur:
            assert await cur.fetchval("SELECT $1::int", 1) == 1
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep'"
    )
    assert server.query(sleeping) == [(0,)]
