"""Parts start in order and stop in reverse, whatever happens in between."""

import asyncio
import contextlib
import functools
from unittest.mock import AsyncMock

import pytest

from msframework.lifecycle import Parts


class Recorder:
    """A part that writes down what is done to it."""

    def __init__(self, name, order, *, fail_start=False, fail_stop=False, hang=False):
        self.name, self.order = name, order
        self.fail_start, self.fail_stop, self.hang = fail_start, fail_stop, hang

    async def start(self):
        if self.fail_start:
            raise RuntimeError(f"{self.name} cannot start")
        self.order.append(f"start {self.name}")

    async def stop(self):
        self.order.append(f"stop {self.name}")
        if self.hang:
            await asyncio.Event().wait()
        if self.fail_stop:
            raise RuntimeError(f"{self.name} cannot stop")


async def test_parts_stop_in_reverse():
    order = []
    parts = Parts(60)
    for name in "abc":
        parts.add(Recorder(name, order))

    await parts.start()
    assert parts.running
    await parts.stop()

    assert order == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    assert not parts.running


async def test_what_was_started_is_stopped_when_a_later_part_fails():
    order = []
    parts = Parts(60)
    parts.add(Recorder("a", order))
    parts.add(Recorder("b", order, fail_start=True))

    with pytest.raises(RuntimeError, match="b cannot start"):
        await parts.start()

    assert order == ["start a", "stop a"]


async def test_a_part_that_fails_to_stop_is_logged_and_the_others_stop(caplog):
    order = []
    parts = Parts(0.05)
    parts.add(Recorder("a", order))
    parts.add(Recorder("b", order, fail_stop=True))
    parts.add(Recorder("c", order, hang=True))
    await parts.start()

    await parts.stop()

    assert order[-3:] == ["stop c", "stop b", "stop a"]
    assert "Recorder did not stop within 0.05 s" in caplog.text
    assert "Recorder failed to stop" in caplog.text


@pytest.mark.parametrize("kind", [SystemExit, GeneratorExit, asyncio.CancelledError])
async def test_no_exception_of_a_stop_keeps_the_others_from_stopping(kind, caplog):
    class Leaving(Recorder):
        async def stop(self):
            raise kind

    order = []
    parts = Parts(10)
    parts.add(Recorder("a", order))
    parts.add(Leaving("b", order))
    await parts.start()

    await parts.stop()

    assert order[-1] == "stop a"
    (record,) = caplog.records
    assert record.getMessage() == "Leaving failed to stop"
    assert record.exc_info[0] is kind


class Swallowing(Recorder):
    """A part whose start goes on though it is cancelled, until it is let go."""

    def __init__(self, name, order):
        super().__init__(name, order)
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()

    async def start(self):
        self.begun.set()
        while not self.let_go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.let_go.wait()
        await super().start()


async def test_a_start_that_ends_after_the_stop_is_stopped_and_starts_no_other():
    order = []
    parts, swallowing = Parts(60), Swallowing("b", order)
    for part in (Recorder("a", order), swallowing, Recorder("c", order)):
        parts.add(part, part.name)
    start = asyncio.create_task(parts.start())
    await swallowing.begun.wait()
    start.cancel()

    await parts.stop()
    swallowing.let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await start

    assert order == ["start a", "stop a", "start b", "stop b"]


async def test_a_stop_waits_for_that_of_a_start_that_was_broken_off():
    order, stops, goes_on = [], asyncio.Event(), asyncio.Event()

    class Slow(Recorder):
        async def stop(self):
            stops.set()
            await goes_on.wait()
            await super().stop()

    parts = Parts(60)
    waiting = Swallowing("c", order)
    waiting.start = asyncio.Event().wait
    parts.add(Recorder("a", order), "a")
    parts.add(Slow("b", order), "b")
    parts.add(waiting, "c")
    start = asyncio.create_task(parts.start())
    await asyncio.sleep(0)
    start.cancel()
    await stops.wait()

    stop = asyncio.create_task(parts.stop())
    await asyncio.sleep(0)
    goes_on.set()
    await asyncio.gather(stop, start, return_exceptions=True)

    assert order == ["start a", "start b", "stop b", "stop a"]


class Plain:
    def start(self): ...

    async def stop(self): ...


class Yields:
    async def start(self): ...

    async def stop(self):
        yield


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (object(), "no coroutine method 'start'"),
        (Plain(), "Plain object .*no coroutine method 'start'"),
        (Yields(), "Yields object .*no coroutine method 'stop'"),
        (Recorder, "the class Recorder"),
    ],
)
def test_what_cannot_be_started_and_stopped_is_refused(part, said):
    with pytest.raises(TypeError, match=said):
        Parts(60).add(part)


def test_a_mock_and_a_partial_may_be_parts():
    class Composed:
        def __init__(self):
            self.start = functools.partial(Recorder("a", []).start)
            self.stop = AsyncMock()

    Parts(60).add(Composed())
    Parts(60).add(AsyncMock())


async def test_a_part_starts_in_the_place_of_the_one_it_replaces():
    order = []
    parts = Parts(60)
    for name in "abc":
        parts.add(Recorder(name, order), name)
    parts.replace("b", Recorder("other", order))

    await parts.start()
    await parts.stop()

    assert order == ["start a", "start other", "start c", "stop c", "stop other", "stop a"]


async def test_a_reserved_place_starts_nothing_until_a_part_takes_it():
    order = []
    parts = Parts(60)
    parts.reserve("a")
    parts.add(Recorder("b", order))

    await parts.start()
    await parts.stop()
    parts.replace("a", Recorder("a", order))
    await parts.start()

    assert order == ["start b", "stop b", "start a", "start b"]


def test_a_part_without_a_name_has_that_of_its_class():
    parts = Parts(60)
    parts.add(Recorder("a", []))

    parts.replace("Recorder", Recorder("b", []))


@pytest.mark.parametrize(
    ("name", "said"), [("nobody", "'nobody', which no parts"), ("Recorder", "which 2 parts have")]
)
def test_a_name_that_is_not_that_of_one_part_is_refused(name, said):
    parts = Parts(60)
    parts.add(Recorder("a", []))
    parts.add(Recorder("b", []))

    with pytest.raises(ValueError, match=said):
        parts.replace(name, Recorder("c", []))


def test_a_name_is_given_once():
    parts = Parts(60)
    parts.add(Recorder("a", []), "one")

    with pytest.raises(ValueError, match="'one', which another part has"):
        parts.add(Recorder("b", []), "one")


def test_what_replaces_a_part_is_one():
    parts = Parts(60)
    parts.add(Recorder("a", []), "one")

    with pytest.raises(TypeError, match="replace_part got the class Recorder"):
        parts.replace("one", Recorder)
