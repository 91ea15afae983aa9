"""`Date`: the second that it is, without a request's doing."""

import asyncio
from email.utils import parsedate_to_datetime

from msframework import clock as module
from msframework.clock import Clock


async def test_the_time_is_read_at_the_beginning_of_each_second(monkeypatch):
    now = 1_700_000_000.99
    monkeypatch.setattr(module, "time", lambda: now)
    clock = Clock()
    loop = asyncio.get_running_loop()
    planned = []
    monkeypatch.setattr(loop, "call_later", lambda delay, call: planned.append((delay, call)))

    await clock.start()
    first = clock.text
    now = 1_700_000_001.0
    planned[0][1]()

    assert first == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert round(planned[0][0], 6) == 0.01
    assert clock.text == "Tue, 14 Nov 2023 22:13:21 GMT"
    assert clock.line == b"date: Tue, 14 Nov 2023 22:13:21 GMT\r\n"


async def test_a_stopped_clock_has_no_timer_left():
    clock = Clock()
    await clock.start()

    await clock.stop()
    await clock.stop()

    assert parsedate_to_datetime(clock.text).year > 2000
    assert clock._timer is None
