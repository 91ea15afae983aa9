"""The question whether PostgreSQL answers, on a connection of its own."""

import asyncio
import os
import signal
from contextlib import contextmanager

import asyncpg
import pytest

from msframework.conf.settings import DatabaseSettings
from msframework.db import Database
from msframework.db.probe import PrimaryProbe

PATIENCE = 0.3


@pytest.fixture
async def probe(url):
    """Yield a probe that has asked nothing yet."""
    probe = PrimaryProbe(url, DatabaseSettings(url=url, connect_timeout=60.0))
    probe.start()
    yield probe
    await probe.stop()


@contextmanager
def frozen(pid):
    """Hold a process for the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def pid_of(probe):
    """Return the process that the probe asks."""
    return (await probe.fetch("SELECT pg_backend_pid()"))[0][0]


async def test_an_exhausted_pool_is_no_failure(open_database):
    async with open_database(max_size=1) as db:
        async with db.acquire() as cur:
            await cur.execute("SELECT 1")
            assert await db.ready() is None


async def test_one_connection_is_kept_and_closed_at_the_end(probe, admin):
    assert await probe.ready() is None
    pid = await pid_of(probe)
    assert await probe.ready() is None

    assert await pid_of(probe) == pid
    await probe.stop()

    async with asyncio.timeout(30):
        while await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid):
            await asyncio.sleep(0.01)
    assert await probe.ready() == "InterfaceError was raised"


async def test_a_connection_that_was_ended_is_no_failure(probe, admin):
    pid = await pid_of(probe)
    await admin.execute("SELECT pg_terminate_backend($1, 5000)", pid)

    assert await probe.ready() is None
    assert await pid_of(probe) != pid


async def test_a_server_that_hangs_is_asked_once_at_a_time_and_found_again(probe, monkeypatch):
    pid = await pid_of(probe)
    with frozen(pid), monkeypatch.context() as hasty:
        hasty.setattr(probe, "_timeout", PATIENCE)
        first = asyncio.create_task(probe.ready())
        await asyncio.sleep(0)
        second = asyncio.create_task(probe.ready())
        first.cancel()

        assert await second == f"no answer within {PATIENCE} s"

    assert await probe.ready() is None
    assert await pid_of(probe) != pid  # the old one was given up


async def test_a_question_that_hangs_is_answered_when_the_server_goes_on(probe):
    pid = await pid_of(probe)
    with frozen(pid):
        asking = asyncio.create_task(probe.ready())
        await asyncio.wait([asking], timeout=0.05)

    assert await asking is None
    assert await pid_of(probe) == pid


async def test_the_stop_does_not_wait_for_a_server_that_hangs(probe):
    pid = await pid_of(probe)
    with frozen(pid):
        asking = asyncio.create_task(probe.ready())
        await asyncio.wait([asking], timeout=0.05)
        async with asyncio.timeout(30):
            await probe.stop()


async def test_a_server_that_is_not_there_is_named_by_no_more_than_the_error(tmp_path):
    url = f"postgresql://user:secret@/x?host={tmp_path}"
    probe = PrimaryProbe(url, DatabaseSettings(url=url))

    assert await probe.ready() == "FileNotFoundError was raised"
    await probe.stop()


async def test_a_server_that_has_no_connection_left_answers(probe, monkeypatch):
    async def refuse(*args, **options):
        raise asyncpg.TooManyConnectionsError("sorry, too many clients already")

    monkeypatch.setattr(asyncpg, "connect", refuse)

    assert await probe.ready() is None


async def test_a_database_without_an_address_is_not_asked():
    assert await Database(DatabaseSettings()).ready() is None
