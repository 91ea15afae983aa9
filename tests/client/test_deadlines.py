"""One timer for all that wait: each ends in its time, and none that is forgotten."""

import asyncio

import pytest

from msframework.client.deadlines import ResponseDeadlines

pytestmark = pytest.mark.punctual


class Waiting:
    """Something that waits, and when it was ended."""

    ended = None

    def expire(self):
        self.ended = asyncio.get_running_loop().time()


@pytest.fixture
async def loop():
    return asyncio.get_running_loop()


async def test_each_ends_in_its_time_whatever_the_order(loop):
    deadlines, began = ResponseDeadlines(loop), loop.time()
    due = {Waiting(): after for after in (0.06, 0.02, 0.1, 0.04)}

    for waiting, after in due.items():
        deadlines.watch(waiting, began + after)
    async with asyncio.timeout(30):
        while not all(waiting.ended for waiting in due):
            await asyncio.sleep(0.01)

    for waiting, after in due.items():
        assert waiting.ended - began >= after - 0.002
    assert sorted(due, key=lambda waiting: waiting.ended) == sorted(due, key=due.get)


async def test_what_is_forgotten_or_has_no_end_is_let_be(loop):
    deadlines = ResponseDeadlines(loop)
    answered, endless, late = Waiting(), Waiting(), Waiting()

    deadlines.watch(answered, loop.time() + 0.01)
    deadlines.watch(endless, None)
    deadlines.watch(late, loop.time() + 0.02)
    deadlines.forget(answered)
    deadlines.forget(endless)
    await asyncio.sleep(0.05)

    assert answered.ended is endless.ended is None
    assert late.ended is not None


async def test_one_timer_serves_many(loop, monkeypatch):
    deadlines = ResponseDeadlines(loop)
    timers = []
    set_timer = deadlines._loop.call_at

    class Counting:
        time = staticmethod(loop.time)

        def call_at(self, *args):
            timers.append(args)
            return set_timer(*args)

    deadlines._loop = Counting()
    for number in range(100):
        waiting = Waiting()
        deadlines.watch(waiting, loop.time() + 0.02 + number / 1e6)
        deadlines.forget(waiting)

    assert len(timers) == 1
    await asyncio.sleep(0.04)
    assert len(timers) == 1
