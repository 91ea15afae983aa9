"""Parts start in order and stop in reverse, whatever happens in between."""

import asyncio

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
    parts = Parts(1)
    for name in "abc":
        parts.add(Recorder(name, order))

    await parts.start()
    assert parts.running
    await parts.stop()

    assert order == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]
    assert not parts.running


async def test_what_was_started_is_stopped_when_a_later_part_fails():
    order = []
    parts = Parts(1)
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


def test_a_part_without_start_and_stop_is_refused():
    with pytest.raises(TypeError, match="no coroutine methods start and stop"):
        Parts(1).add(object())
