"""Threads that hash: bounded, gone when idle, and none the worse for cancellation or a fork."""

import asyncio
import os
import threading

import pytest

from msframework.access.hashing import HashingThreads
from msframework.exceptions import ServiceUnavailable

NAME = "msframework-password"


def crew():
    """Return the threads that hash."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(NAME)]


@pytest.fixture
def gate():
    """Return the event that work waits for; it is set in the end, so that no thread is left."""
    opened = threading.Event()
    yield opened
    opened.set()
    for thread in crew():
        thread.join(60)
    assert crew() == []


async def test_it_returns_what_the_function_returns():
    threads = HashingThreads(1, 0)

    assert await threads.run(divmod, 7, 2) == (3, 1)


async def test_the_loop_goes_on_while_a_thread_works(gate):
    work = asyncio.ensure_future(HashingThreads(1, 0).run(gate.wait, 10))

    await asyncio.sleep(0)
    gate.set()

    assert await work


async def test_an_exception_surfaces():
    with pytest.raises(ZeroDivisionError):
        await HashingThreads(1, 0).run(divmod, 1, 0)


async def test_what_is_beyond_the_bound_is_a_503_at_once(gate):
    threads = HashingThreads(1, 2)
    work = [asyncio.ensure_future(threads.run(gate.wait, 10)) for _ in range(3)]
    await asyncio.sleep(0)

    with pytest.raises(ServiceUnavailable) as caught:
        await threads.run(divmod, 7, 2)

    assert caught.value.headers == {"Retry-After": "1"}
    gate.set()
    assert await asyncio.gather(*work) == [True] * 3
    assert await threads.run(divmod, 7, 2) == (3, 1)


async def test_no_more_threads_than_asked_for_work_at_once(gate):
    threads = HashingThreads(2, 8)
    work = [asyncio.ensure_future(threads.run(gate.wait, 10)) for _ in range(10)]
    await asyncio.sleep(0)

    assert len(crew()) == 2
    gate.set()
    await asyncio.gather(*work)


async def test_the_threads_end_with_the_work(gate):
    threads = HashingThreads(2, 8)
    gate.set()

    await asyncio.gather(*(threads.run(gate.wait, 10) for _ in range(5)))
    for thread in crew():
        thread.join(60)

    assert crew() == []


async def test_what_is_cancelled_before_it_began_never_runs_and_gives_its_place_back(gate):
    threads, ran = HashingThreads(1, 1), []
    first = asyncio.ensure_future(threads.run(gate.wait, 10))
    second = asyncio.ensure_future(threads.run(ran.append, "second"))
    await asyncio.sleep(0)

    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    third = asyncio.ensure_future(threads.run(ran.append, "third"))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, third)

    assert ran == ["third"]


async def test_what_is_cancelled_amid_its_work_keeps_its_place_as_it_keeps_its_memory(gate):
    threads, began = HashingThreads(1, 0), threading.Event()

    def work():
        began.set()
        gate.wait(60)

    task = asyncio.ensure_future(threads.run(work))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    with pytest.raises(ServiceUnavailable):
        await threads.run(divmod, 7, 2)
    (thread,) = crew()
    gate.set()
    await asyncio.to_thread(thread.join, 10)

    assert await threads.run(divmod, 7, 2) == (3, 1)


async def test_a_fork_begins_with_threads_of_its_own(gate, monkeypatch):
    threads = HashingThreads(1, 0)
    work = asyncio.ensure_future(threads.run(gate.wait, 10))
    await asyncio.sleep(0)

    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        assert await threads.run(divmod, 7, 2) == (3, 1)
    gate.set()

    assert await work


def test_another_loop_may_use_the_same_threads():
    threads = HashingThreads(1, 0)

    assert [asyncio.run(threads.run(divmod, 7, 2)) for _ in range(2)] == [(3, 1)] * 2
