"""A block that listens ends when its connection does."""

import asyncio

import pytest

from msframework.exceptions import DatabaseUnavailable


async def end(admin, cur):
    pid = await cur.fetchval("SELECT pg_backend_pid()")
    await admin.execute("SELECT pg_terminate_backend($1)", pid)


async def test_the_end_of_the_connection_ends_the_block(db, admin):
    heard = []
    with pytest.raises(DatabaseUnavailable) as caught:
        async with db.acquire() as cur:
            await cur.add_listener("news", lambda *args: heard.append(args[-1]))
            await admin.execute("NOTIFY news, 'one'")
            await cur.fetchval("SELECT 1")
            await end(admin, cur)
            await asyncio.wait_for(asyncio.Event().wait(), 30)

    assert "the connection that listened ended" in caught.value.__notes__[0]
    assert heard == ["one"]
    assert asyncio.current_task().cancelling() == 0
    async with db.acquire() as cur:
        assert await cur.fetchval("SELECT 1") == 1


async def test_a_statement_that_runs_then_fails_as_any_other(db, admin):
    with pytest.raises(DatabaseUnavailable):
        async with db.acquire() as cur:
            await cur.add_listener("news", print)
            pid = await cur.fetchval("SELECT pg_backend_pid()")
            sleeping = "SELECT pg_sleep(30)"
            async with asyncio.TaskGroup() as group:
                group.create_task(terminate(admin, pid))
                await cur.execute(sleeping)

    assert asyncio.current_task().cancelling() == 0


async def terminate(admin, pid):
    await asyncio.sleep(0.1)
    await admin.execute("SELECT pg_terminate_backend($1)", pid)


async def test_a_cancellation_from_elsewhere_stays_one(db):
    async def listen():
        async with db.acquire() as cur:
            await cur.add_listener("news", print)
            listening.set()
            await asyncio.Event().wait()

    listening = asyncio.Event()
    task = asyncio.create_task(listen())
    await listening.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_after_the_block_nothing_is_watched(db, admin):
    async with db.acquire() as cur:
        await cur.add_listener("news", print)
        pid = await cur.fetchval("SELECT pg_backend_pid()")
    await admin.execute("SELECT pg_terminate_backend($1)", pid)

    await asyncio.sleep(0.1)

    assert asyncio.current_task().cancelling() == 0
