"""Several calls at once, all or nothing: `async_request` and `together`."""

import asyncio

import pytest

from msframework.aio import async_request, run_concurrently


async def give(value, after=0.0):
    await asyncio.sleep(after)
    return value


async def fail(after=0.0):
    await asyncio.sleep(after)
    raise LookupError(after)


async def test_results_go_where_they_belong_whatever_the_order():
    first, second = {}, {"kept": 0}
    future = asyncio.get_running_loop().create_future()
    future.set_result(3)

    await async_request(
        [
            [first, "a", give(1, 0.02)],
            (second, "b", give(2)),
            [second, "c", future],
            [second, "d", asyncio.ensure_future(give(4, 0.01))],
            [first, "e", future],
        ]
    )

    assert first == {"a": 1, "e": 3}
    assert second == {"kept": 0, "b": 2, "c": 3, "d": 4}


async def test_they_run_at_once():
    arrived = []

    async def meet():
        arrived.append(1)
        while len(arrived) < 3:
            await asyncio.sleep(0)

    record = {}
    await asyncio.wait_for(async_request([[record, n, meet()] for n in range(3)]), 30)

    assert record == {0: None, 1: None, 2: None}


async def test_nothing_to_wait_for_is_fine():
    await async_request([])


async def test_the_first_failure_is_raised_and_the_others_are_cancelled():
    record, ended = {}, []

    async def slow():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append(asyncio.current_task().cancelling())

    with pytest.raises(LookupError, match=r"^0\.0$"):
        await async_request(
            [
                [record, "a", give(1)],
                [record, "b", slow()],
                [record, "c", fail(60)],
                [record, "d", fail()],
            ]
        )

    assert record == {}
    assert ended == [1]


async def test_two_failures_at_the_same_time_leave_nothing_unread(caplog):
    with pytest.raises(LookupError):
        await async_request([[{}, n, fail()] for n in range(3)])

    await asyncio.sleep(0.01)
    assert caplog.records == []


async def test_one_that_is_cancelled_cancels_the_call():
    async def give_up():
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    record = {}
    with pytest.raises(asyncio.CancelledError):
        await async_request([[record, "a", give_up()], [record, "b", give(1, 60)]])
    assert record == {}


async def test_who_is_cancelled_waits_for_all():
    ended, begun = [], asyncio.Event()

    async def slow():
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.append(1)

    task = asyncio.create_task(async_request([[{}, n, slow()] for n in range(2)]))
    await begun.wait()
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [1, 1]


@pytest.mark.parametrize("others", [0, 1, 2])
async def test_coroutines_that_run_concurrently_end_together(others):
    ended = []

    async def wait():
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    async def fail():
        await asyncio.sleep(0)
        raise LookupError

    with pytest.raises(LookupError):
        await run_concurrently([*(wait() for _ in range(others)), fail()])

    assert len(ended) == others
    assert await run_concurrently([]) is None
