"""What lending a connection costs: microseconds of this process's CPU for one read or one write.

64 tasks on 16 connections read one row each, over a connection of their own, over asyncpg's pool,
and through `Database.acquire()` with either pool; then they write one row each in a transaction of
its own, on a connection of their own and through `Database.transaction()`. Prints JSON; the figures
are medians of rounds that take turns, so that a busy machine hurts all alike.

    python benchmarks/lending.py [postgresql://…]

Without a URL it uses the embedded server of this checkout.
"""

import asyncio
import json
import platform
import statistics
import sys
from pathlib import Path
from time import process_time

import asyncpg
import uvloop

from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.db.embedded import EmbeddedServer

TASKS, CONNECTIONS, STATEMENTS, ROUNDS = 64, 16, 200, 7
WRITE = "INSERT INTO lending (name, email) VALUES ($1, $2) RETURNING id"
TABLE = (
    "DROP TABLE IF EXISTS lending;"
    "CREATE UNLOGGED TABLE lending (id serial PRIMARY KEY, name text, email text)"
)
SQL = "SELECT $1::int AS id, 'a name' AS name, 'someone@example.com' AS email, now() AS at"


async def measure(read) -> float:
    """Return the CPU time of one `await read()` in microseconds."""

    async def work():
        for _ in range(STATEMENTS):
            await read()

    before = process_time()
    await asyncio.gather(*(work() for _ in range(TASKS)))
    return (process_time() - before) / (TASKS * STATEMENTS) * 1e6


async def read_held(conn):
    """Read a row."""
    await conn.fetchrow(SQL, 1)


async def write_held(conn):
    """Write a row, with the three statements that a transaction takes."""
    await conn.execute("BEGIN")
    await conn.fetchrow(WRITE, "a name", "someone@example.com")
    await conn.execute("COMMIT")


async def measure_held(connections, use) -> float:
    """Return the same for tasks that own a connection each: the floor."""

    async def work(conn):
        for _ in range(STATEMENTS * TASKS // CONNECTIONS):
            await use(conn)

    before = process_time()
    await asyncio.gather(*(work(conn) for conn in connections))
    return (process_time() - before) / (TASKS * STATEMENTS) * 1e6


async def run(url: str) -> dict[str, float]:
    """Return the median of each way."""
    held = [await asyncpg.connect(url, command_timeout=30) for _ in range(CONNECTIONS)]
    pool = await asyncpg.create_pool(
        url, min_size=CONNECTIONS, max_size=CONNECTIONS, command_timeout=30
    )
    databases = {
        name: Database(
            DatabaseSettings(url=url, min_size=CONNECTIONS, max_size=CONNECTIONS, **options)
        )
        for name, options in {
            "acquire, light": {},
            "acquire, light, DB_RESET=always": {"reset": "always"},
            "acquire, asyncpg": {"pool": "asyncpg"},
        }.items()
    }
    for database in databases.values():
        await database.start()
    await held[0].execute(TABLE)

    def writer(database):
        async def write():
            async with database.transaction() as cur:
                await cur.fetchrow(WRITE, "a name", "someone@example.com")

        return write

    def reader(database):
        async def read():
            async with database.acquire() as cur:
                await cur.fetchrow(SQL, 1)

        return read

    async def read_by_pool():
        async with pool.acquire() as conn:
            await conn.fetchrow(SQL, 1)

    ways = {
        "held connection": lambda: measure_held(held, read_held),
        "asyncpg pool": lambda: measure(read_by_pool),
        **{name: (lambda db=db: measure(reader(db))) for name, db in databases.items()},
        "write, held connection": lambda: measure_held(held, write_held),
        "write, transaction, light": lambda: measure(writer(databases["acquire, light"])),
        "write, transaction, asyncpg": lambda: measure(writer(databases["acquire, asyncpg"])),
    }
    times = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            taken = await way()
            if number:  # the first round warms up
                times[name].append(taken)
    for database in databases.values():
        await database.stop()
    await pool.close()
    for conn in held:
        await conn.close()
    return {name: round(statistics.median(taken), 1) for name, taken in times.items()}


def main() -> None:
    """Measure, and print JSON."""
    url = sys.argv[1] if len(sys.argv) > 1 else EmbeddedServer(Path.cwd()).start()
    result = {
        "what": "CPU microseconds of one row read or written",
        "tasks": TASKS,
        "connections": CONNECTIONS,
        "python": platform.python_version(),
        "asyncpg": asyncpg.__version__,
        "median": uvloop.run(run(url)),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
