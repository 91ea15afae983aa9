"""The statements of a block: run by code that was copied into its caller, and by its plain twin."""

import random

import pytest

from msframework.db.failure import explain
from msframework.db.rows import as_it_is
from msframework.db.statement_cache import EXECUTE, FETCH, FETCHROW, TABLE

METHODS = [FETCH, FETCHROW, TABLE, EXECUTE]
STATEMENTS = [
    ("SELECT 1 AS a", ()),
    ("SELECT $1::int AS a", (1,)),
    ("SELECT $1::int AS a", ("x",)),
    ("SELECT $1::int AS a", ()),
    ("SELECT $1::int AS a", (1, 2)),
    ("SELECT 1 AS a WHERE false", ()),
    ("SELECT 1 / $1::int AS a", (0,)),
    ("SELECT n, n * 1.5 AS price FROM generate_series(1, 3) AS n", ()),
    ("SELECT 1 AS a, 2 AS a", ()),
    ("no SQL", ()),
    ("UPDATE items SET note = $1", ("a",)),
]


@pytest.fixture
def pool_kind():
    return "light"


def shape_of(result):
    """Return *result* as something that can be compared."""
    if isinstance(result, list):
        return [tuple(row.items()) for row in result]
    return tuple(result.items()) if hasattr(result, "items") else result


async def outcome_of(work, conn=None, sql=""):
    """Return the result of *work*, or its failure as a session tells it."""
    try:
        return shape_of(await work)
    except Exception as exc:
        exc = exc if conn is None else explain(exc, conn, sql)
        return type(exc), str(exc), getattr(exc, "__notes__", [])


@pytest.mark.parametrize("seed", range(4))
async def test_statements_run_as_the_cache_of_their_connection_runs_them(
    open_database, admin, table, seed
):
    await admin.execute("INSERT INTO items (name) VALUES ('a'), ('b')")
    chance = random.Random(seed)
    seen = set()
    async with open_database(max_size=2, statement_cache_size=4) as db, db.acquire() as cur:
        await cur.fetchval("SELECT 1")
        twin = await db._pool.take()
        kept, plain = cur.lease.statements, twin.statements
        plain.forget()
        kept.forget()
        for _ in range(120):
            method, (sql, args) = chance.choice(METHODS), chance.choice(STATEMENTS)
            timeout = chance.choice([None, 5])
            if chance.random() < 0.05:
                plain.forget()
                kept.forget()

            found = await outcome_of(cur._run(method, as_it_is, sql, args, timeout))
            expected = await outcome_of(plain.run(method, sql, args, timeout), twin.conn, sql)

            assert found == expected
            for name in ("prepared", "tables", "texts"):
                assert getattr(kept, name).keys() == getattr(plain, name).keys()
            seen.add((METHODS.index(method), sql, args, str(found)[:20]))
        db._pool.give(twin, clean=True)
    assert len(seen) > 30
