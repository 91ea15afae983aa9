"""Nothing of one borrower's session reaches the next, and nothing is reset that needn't be."""

from dataclasses import replace

import pytest

from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.db.functions import STATELESS_FUNCTIONS
from msframework.db.stateless import is_stateless

SNAPSHOT = """
SELECT jsonb_build_object(
  'settings', (SELECT jsonb_object_agg(name, setting) FROM pg_settings
               WHERE name NOT LIKE 'plpgsql.%'),
  'custom', nullif(current_setting('msf.custom', true), ''),
  'user', current_user, 'session_user', session_user,
  'channels', (SELECT jsonb_agg(c) FROM pg_listening_channels() c),
  'locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
  'temporary', (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()),
  'cursors', (SELECT count(*) FROM pg_cursors WHERE name <> ''),
  'prepared', (SELECT count(*) FROM pg_prepared_statements WHERE from_sql),
  'xact', (SELECT xact_start = query_start FROM pg_stat_activity WHERE pid = pg_backend_pid()))
"""
DIRTYING = [
    "SET statement_timeout = '9s'",
    "SET search_path TO pg_catalog",
    "SET msf.custom = 'theirs'",
    "SELECT set_config('msf.custom', 'theirs', false)",
    "SELECT set_config('role', 'pg_monitor', false)",
    "SET ROLE pg_monitor",
    "SET SESSION AUTHORIZATION pg_monitor",
    "SET default_transaction_isolation = 'serializable'",
    "LISTEN news",
    "SELECT pg_advisory_lock(42)",
    "SELECT pg_advisory_lock_shared(42)",
    "CREATE TEMP TABLE theirs (a int)",
    "SELECT 1 AS a INTO TEMP theirs",
    "PREPARE theirs AS SELECT 1",
    "DECLARE theirs CURSOR WITH HOLD FOR SELECT 1",
    "BEGIN; SELECT 1",
    "BEGIN",
    "DO $$ BEGIN PERFORM set_config('msf.custom', 'theirs', false); END $$",
    "CREATE TEMP TABLE theirs (a serial); INSERT INTO theirs DEFAULT VALUES",
]
RUNNABLE = [
    "SELECT coalesce(max(id), 0), CAST(1 AS numeric(10, 2)) FROM items",
    "SELECT id FROM items FOR UPDATE SKIP LOCKED",
    "INSERT INTO items (name) VALUES ('a') ON CONFLICT (name) DO UPDATE SET note = upper('x')",
    "UPDATE items SET note = lower(name) RETURNING id",
    "WITH gone AS (DELETE FROM items RETURNING *) SELECT count(*) FROM gone",
    "MERGE INTO items USING (VALUES ('b')) AS v(n) ON (name = v.n)"
    " WHEN NOT MATCHED THEN INSERT (name) VALUES (v.n)",
    "SELECT pg_notify('news', 'x'), random(), nextval('items_id_seq'), pg_sleep(0)",
    "SELECT * FROM generate_series(1, 3) AS g(i)",
]
WHERE_FROM = "SELECT pg_backend_pid()"


@pytest.mark.parametrize("sql", DIRTYING)
async def test_what_a_borrower_changed_is_gone_for_the_next(open_database, sql):
    async with open_database(max_size=1) as db:
        async with db.acquire() as cur:
            pid = await cur.fetchval(WHERE_FROM)
            before = await cur.fetchval(SNAPSHOT)
        async with db.acquire() as cur:
            await cur.execute(sql)
        async with db.acquire() as cur:
            assert await cur.fetchval(SNAPSHOT) == before
            assert await cur.fetchval(WHERE_FROM) == pid


@pytest.mark.parametrize("sql", DIRTYING)
async def test_it_is_gone_also_after_an_exception(open_database, sql):
    async with open_database(max_size=1) as db:
        async with db.acquire() as cur:
            before = await cur.fetchval(SNAPSHOT)
        with pytest.raises(KeyError):
            async with db.acquire() as cur:
                await cur.execute(sql)
                raise KeyError
        async with db.acquire() as cur:
            assert await cur.fetchval(SNAPSHOT) == before


# What is volatile for the planner only: time, chance, sequences, transaction numbers, a NOTIFY that
# is sent at the end of the transaction.
HARMLESS_VOLATILE = {
    "array_sample", "array_shuffle", "clock_timestamp", "gen_random_uuid", "nextval",
    "pg_is_in_recovery", "pg_notify", "pg_relation_size", "pg_sleep", "pg_table_size",
    "pg_total_relation_size", "random", "random_normal", "timeofday", "uuidv4",
    "uuidv7",
}  # fmt: skip


async def test_functions_that_count_as_stateless_change_nothing_by_their_own_account(admin):
    rows = await admin.fetch(
        "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace "
        "AND provolatile = 'v' AND proname = ANY($1::text[])",
        sorted(STATELESS_FUNCTIONS),
    )

    assert {row["proname"] for row in rows} == HARMLESS_VOLATILE


@pytest.mark.parametrize("sql", RUNNABLE)
async def test_a_statement_that_counts_as_stateless_leaves_nothing(admin, table, sql):
    assert is_stateless(sql)
    before = await admin.fetchval(SNAPSHOT)
    await admin.fetch(sql)

    assert await admin.fetchval(SNAPSHOT) == before


async def resets(admin, db, sql):
    """Return what the connection ran last, after *sql* on it and its return."""
    async with db.acquire() as cur:
        pid = await cur.fetchval("SELECT pg_backend_pid()")
        await cur.fetch(sql)
    # Whoever borrows it next waits for a reset that is under way.
    async with db.acquire() as cur:
        await cur.connection()
        return await admin.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", pid)


@pytest.mark.parametrize(
    ("sql", "reset", "expected"),
    [
        ("SELECT 1", "auto", False),
        ("SELECT pg_advisory_xact_lock(1)", "auto", True),
        ("SELECT 1", "always", True),
    ],
)
async def test_a_reset_is_sent_when_it_is_needed_or_asked_for(admin, url, sql, reset, expected):
    settings = replace(DatabaseSettings(), url=url, max_size=1, reset=reset)
    db = Database(settings)
    await db.start()
    try:
        last = await resets(admin, db, sql)
    finally:
        await db.stop()

    assert ("RESET ALL" in last) is expected


async def test_the_raw_connection_is_closed_after_the_block(open_database):
    async with open_database(max_size=1) as db:
        async with db.acquire() as cur:
            conn = await cur.connection()
            pid = conn.get_server_pid()
            await conn.set_type_codec("int4", schema="pg_catalog", encoder=str, decoder=str)
            assert await cur.fetchval("SELECT 1::int4") == "1"
        async with db.acquire() as cur:
            assert await cur.fetchval("SELECT 1::int4") == 1
            assert await cur.fetchval("SELECT pg_backend_pid()") != pid


async def test_a_listener_hears_while_the_block_lasts_and_not_after(open_database, admin):
    heard = []

    def listen(conn, pid, channel, payload):
        heard.append(payload)

    async with open_database(max_size=1) as db:
        async with db.acquire() as cur:
            await cur.add_listener("news", listen)
            await admin.execute("SELECT pg_notify('news', 'one')")
            while not heard:
                await cur.fetchval("SELECT 1")
        async with db.acquire() as cur:
            await admin.execute("SELECT pg_notify('news', 'two')")
            await cur.fetchval("SELECT 1")
            await cur.add_listener("news", listen)
            await cur.remove_listener("news", listen)
            await admin.execute("SELECT pg_notify('news', 'three')")
            await cur.fetchval("SELECT 1")

    assert heard == ["one"]
