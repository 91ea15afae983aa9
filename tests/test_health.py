"""The readiness of a service by part, and the beat of its loop."""

import asyncio
import logging
import time

import pytest

from msframework import health
from msframework.health import Monitor, Readiness
from msframework.lifecycle import Parts
from msframework.operations.source import Report


class Asked:
    """A part that says why it is not ready."""

    def __init__(self, reason=None):
        self.reason, self.times = reason, 0

    async def start(self):
        pass

    async def stop(self):
        pass

    async def ready(self):
        self.times += 1
        if callable(self.reason):
            return await self.reason()
        if isinstance(self.reason, BaseException):
            raise self.reason
        return self.reason


class Silent:
    """A part that nobody asks."""

    async def start(self):
        pass

    async def stop(self):
        pass


@pytest.fixture
async def readiness_of():
    """Return a function that gives the readiness of a service that serves, with some parts."""
    made = []

    def readiness_of(**given):
        parts = Parts(60)
        for name, part in given.items():
            parts.add(part, name)
        readiness = Readiness(parts)
        readiness.starting = False
        made.append(readiness)
        return readiness

    yield readiness_of
    for readiness in made:
        await readiness.stop()


async def test_a_service_is_ready_when_every_part_is(readiness_of):
    readiness = readiness_of(db=Asked(), mailer=Asked(), other=Silent())

    assert await readiness.check() == Report(True, {"db": None, "mailer": None})


async def test_a_service_without_parts_that_tell_is_ready(readiness_of):
    assert await readiness_of(other=Silent()).check() == Report(True, {})


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("no quorum", "no quorum"),
        ("two\nlines  of it", "two lines of it"),
        ("x" * 500, "x" * 200),
        ("", "it gives no reason"),
        (RuntimeError("password"), "RuntimeError was raised"),
        (SystemExit("password"), "SystemExit was raised"),
        (asyncio.CancelledError(), "cancelled"),
        (False, "its ready() returned a bool; expected a reason or None"),
    ],
    ids=["reason", "lines", "long", "empty", "exception", "exit", "cancelled", "bool"],
)
async def test_a_reason_is_one_short_line_without_secrets(readiness_of, reason, told):
    assert await readiness_of(a=Asked(reason), b=Asked()).check() == Report(
        False, {"a": told, "b": None}
    )


async def test_parts_are_asked_at_once_and_within_their_bound(readiness_of, monkeypatch):
    monkeypatch.setattr(health, "PART_BOUND", 0.1)
    met = asyncio.Barrier(2)

    async def meet():
        await met.wait()

    readiness = readiness_of(
        one=Asked(meet), two=Asked(meet), slow=Asked(asyncio.Event().wait), good=Asked()
    )

    report = await readiness.check()

    assert report.parts == {
        "one": None,
        "two": None,
        "slow": "no answer within 0.1 s",
        "good": None,
    }


async def test_a_part_that_swallows_its_cancellation_is_not_asked_again_meanwhile(
    readiness_of, monkeypatch
):
    monkeypatch.setattr(health, "PART_BOUND", 0.05)
    monkeypatch.setattr(health, "CACHED", 0)
    free = asyncio.Event()

    async def hang():
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    part = Asked(hang)
    readiness = readiness_of(part=part)

    reports = [await readiness.check() for _ in range(3)]
    asked = part.times
    free.set()
    part.reason = None
    await asyncio.sleep(0)

    assert [report.ok for report in reports] == [False, False, False]
    assert asked == 1
    assert await readiness.check() == Report(True, {"part": None})


async def test_one_outcome_is_told_to_all_for_a_second(readiness_of, monkeypatch):
    monkeypatch.setattr(health, "monotonic", lambda: 1000.0)
    part = Asked()
    readiness = readiness_of(part=part)

    await asyncio.gather(*(readiness.check() for _ in range(5)))
    await readiness.check()
    asked = part.times
    monkeypatch.setattr(health, "monotonic", lambda: 1001.1)
    await readiness.check()

    assert (asked, part.times) == (1, 2)


async def test_who_leaves_takes_the_outcome_from_nobody(readiness_of):
    free = asyncio.Event()

    async def wait():
        await free.wait()

    readiness = readiness_of(part=Asked(wait))
    one, two = (asyncio.create_task(readiness.check()) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    free.set()

    assert (await two).ok


async def test_no_part_is_asked_before_the_service_serves_nor_once_it_stops():
    part = Asked()
    parts = Parts(60)
    parts.add(part, "part")
    readiness = Readiness(parts)
    parts.add(readiness)

    await parts.start()
    starting = await readiness.check()
    readiness.starting, readiness.draining = False, True
    draining = await readiness.check()
    await parts.stop()

    assert starting == Report(False, {"service": "starting"})
    assert draining == Report(False, {"service": "draining"})
    assert part.times == 0


async def test_checks_that_belong_to_no_part_are_asked_along(readiness_of):
    readiness = readiness_of(db=Asked())
    readiness.add("migrations", Asked("1 pending").ready)

    assert (await readiness.check()).parts == {"migrations": "1 pending", "db": None}


async def test_parts_of_one_name_are_told_apart(readiness_of):
    readiness = readiness_of()
    for reason in (None, "busy", "gone"):
        readiness._parts.add(Asked(reason))

    assert (await readiness.check()).parts == {"Asked": None, "Asked 2": "busy", "Asked 3": "gone"}


async def test_what_changes_is_logged_once(readiness_of, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "msframework.health")
    monkeypatch.setattr(health, "CACHED", 0)
    part = Asked("gone")
    readiness = readiness_of(mailer=part)

    await readiness.check()
    await readiness.check()
    part.reason = None
    await readiness.check()
    await readiness.check()

    assert caplog.messages == ["mailer is not ready: gone", "mailer is ready again"]


# The beat.


async def test_nothing_beats_where_nobody_listens():
    monitor = Monitor(Readiness(Parts(60)), measured=False)
    await monitor.start()

    assert monitor.beat is None
    await monitor.stop()


async def test_a_beat_reads_the_gauges_and_tells_the_supervisor(readiness_of, monkeypatch, caplog):
    monkeypatch.setattr(health, "INTERVAL", 0.01)
    monkeypatch.setattr(health, "CACHED", 0)
    readiness = readiness_of(part=Asked("gone"))
    monitor = Monitor(readiness, measured=True)
    read, told, enough = [], [], asyncio.Event()

    def read_gauges():
        read.append(True)
        if len(read) == 1:
            raise RuntimeError("this once")

    def send(status):
        told.append(status)
        if len(told) == 1:
            raise OSError("this once")
        if len(told) > 3 and status.parts == {"part": "gone"}:
            enough.set()

    monitor.read, monitor.send = read_gauges, send
    await monitor.start()
    async with asyncio.timeout(30):
        await enough.wait()
    await monitor.stop()

    assert len(read) >= 3
    assert told[0].parts == {"service": "not asked yet"}
    assert told[-1].beat > told[0].beat
    assert monitor.beat is None
    assert "The gauges could not be read" in caplog.text
    assert "The supervisor could not be told: OSError" in caplog.text


async def test_the_supervisor_hears_of_the_parts_before_it_counts_on_them(readiness_of):
    told = []
    monitor = Monitor(readiness_of(part=Asked("gone"), other=Asked()), measured=True)
    monitor.send = told.append

    await monitor.tell()

    assert [status.parts for status in told] == [{"part": "gone", "other": None}]


@pytest.mark.punctual
async def test_the_supervisor_hears_at_once_what_is_new(readiness_of, monkeypatch):
    monkeypatch.setattr(health, "INTERVAL", 0.05)
    part, told = Asked(), []
    readiness = readiness_of(part=part)
    monitor = Monitor(readiness, measured=True)
    is_ready, is_gone = asyncio.Event(), asyncio.Event()

    def send(status):
        told.append(status.parts)
        (is_gone if status.parts == {"part": "gone"} else is_ready).set()

    monitor.send = send
    await monitor.tell()
    await monitor.start()
    async with asyncio.timeout(30):
        await is_ready.wait()
        part.reason = "gone"  # while the outcome of the last question holds for a second
        before = len(told)
        await is_gone.wait()
    await monitor.stop()

    assert len(told) - before <= 4  # beats
    assert told.count({"part": "gone"}) == 1


async def test_the_supervisor_hears_at_once_of_a_drain(readiness_of):
    told = []
    monitor = Monitor(readiness := readiness_of(), measured=True)
    monitor.send = told.append

    readiness.draining = True
    monitor.tell_change()
    monitor.tell_change()

    assert [status.parts for status in told] == [{"service": "draining"}]


async def test_nobody_is_asked_where_nobody_listens(readiness_of):
    part = Asked()
    alone, unmeasured = (Monitor(readiness_of(part=part), measured=each) for each in (True, False))
    unmeasured.send = lambda status: pytest.fail("it has nothing to tell")

    await alone.tell()
    await unmeasured.tell()

    assert part.times == 0


@pytest.mark.punctual
async def test_the_lag_is_how_late_the_loop_was(monkeypatch):
    monkeypatch.setattr(health, "INTERVAL", 0.02)
    monitor = Monitor(Readiness(Parts(60)), measured=True)
    seen, enough = [], asyncio.Event()

    def read():
        seen.append(monitor.lag)
        if len(seen) == 2:
            time.sleep(0.2)  # a handler that computes
        if len(seen) == 4:
            enough.set()

    monitor.read = read
    await monitor.start()
    async with asyncio.timeout(30):
        await enough.wait()
    await monitor.stop()

    assert seen[0] < 0.1
    assert seen[2] > 0.1  # late by what was left of the block
    assert seen[3] < 0.1  # and no catching up
