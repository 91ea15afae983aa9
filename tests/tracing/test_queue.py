import asyncio
import logging
import threading
import time

import pytest

from msframework.tracing import SpanQueue, SpansDropped, Tracer, ZipkinExporter, current_span
from msframework.tracing.redact import Redactor
from msframework.tracing.zipkin import Encoder


class Kept:
    """An exporter that keeps its batches, and does what `behave` says first."""

    def __init__(self, name="kept"):
        self.name, self.batches = name, []
        self.arrived = asyncio.Condition()
        self.started = self.stopped = False
        self.active = self.most_active = 0

    async def behave(self, spans):
        pass

    async def start(self):
        self.started = True

    async def stop(self):
        self.stopped = True

    async def export(self, spans):
        self.active += 1
        self.most_active = max(self.active, self.most_active)
        try:
            assert current_span() is None
            await self.behave(spans)
            async with self.arrived:
                self.batches.append(list(spans))
                self.arrived.notify_all()
        finally:
            self.active -= 1

    @property
    def count(self):
        return sum(map(len, self.batches))

    async def wait_for(self, count):
        async with self.arrived:
            await self.arrived.wait_for(lambda: self.count >= count)


def finish_spans(queue, count):
    tracer = Tracer(recorder=queue)
    for number in range(count):
        tracer.start_span(f"span {number}", ignore_active_span=True).finish()


async def test_spans_go_out_after_the_interval():
    exporter = Kept()
    queue = SpanQueue([exporter], interval=0.01)
    await queue.start()
    finish_spans(queue, 3)
    await exporter.wait_for(3)
    await queue.stop()

    assert [len(batch) for batch in exporter.batches] == [3]
    assert (queue.exported, queue.pending, queue.dropped) == (3, 0, {})
    assert (exporter.started, exporter.stopped) == (True, True)


async def test_a_full_batch_goes_out_at_once_and_the_rest_waits():
    exporter = Kept()
    queue = SpanQueue([exporter], batch_size=4, interval=60)
    await queue.start()
    finish_spans(queue, 10)
    await exporter.wait_for(8)

    assert [len(batch) for batch in exporter.batches] == [4, 4]
    assert queue.pending == 2
    await queue.stop()
    assert exporter.count == 10


async def test_spans_may_finish_in_any_thread():
    exporter = Kept()
    queue = SpanQueue([exporter], batch_size=4, interval=60)
    await queue.start()
    thread = threading.Thread(target=finish_spans, args=(queue, 4))
    thread.start()
    await exporter.wait_for(4)
    thread.join()
    await queue.stop()


async def test_one_batch_is_in_flight_and_a_full_queue_drops(caplog):
    began, go_on = asyncio.Event(), asyncio.Event()

    async def wait(spans):
        began.set()
        await go_on.wait()

    exporter = Kept()
    exporter.behave = wait
    queue = SpanQueue([exporter], size=5, batch_size=2, interval=60)
    await queue.start()
    finish_spans(queue, 2)
    await began.wait()
    finish_spans(queue, 20)

    assert queue.pending == 5
    assert queue.dropped == {"queue_full": 15}
    go_on.set()
    await queue.stop()
    assert exporter.most_active == 1
    assert exporter.count == 7
    assert caplog.messages == [
        "15 spans for 'kept' were dropped, 15 since the service started: queue_full 15"
    ]


async def test_a_slow_exporter_costs_another_nothing():
    slow, quick = Kept("slow"), Kept("quick")
    slow.behave = lambda spans: asyncio.Event().wait()
    queue = SpanQueue([slow, quick], size=4, batch_size=2, interval=0.01)
    await queue.start()
    for total in range(2, 21, 2):
        finish_spans(queue, 2)
        await quick.wait_for(total)

    assert queue.dropped.keys() == {"queue_full"}
    assert quick.count == 20
    queue.lanes[0]._task.cancel()
    await queue.stop()


async def test_drops_are_counted_by_reason_and_warned_of_once_in_a_while(caplog):
    warned, refused = asyncio.Event(), asyncio.Event()

    class Told(logging.Handler):
        def emit(self, record):
            warned.set()

    async def refuse(spans):
        if warned.is_set():
            refused.set()
        raise SpansDropped({"refused": 1})

    log, handler = logging.getLogger("msframework.tracing"), Told()
    log.addHandler(handler)
    exporter = Kept()
    exporter.behave = refuse
    queue = SpanQueue([exporter], batch_size=2, interval=0.001)
    await queue.start()
    finish_spans(queue, 6)
    await warned.wait()
    assert (queue.exported, queue.dropped) == (3, {"refused": 3})
    finish_spans(queue, 2)
    await refused.wait()
    assert len(caplog.messages) == 1

    await queue.stop()
    log.removeHandler(handler)
    assert caplog.messages[1:] == [
        "1 spans for 'kept' were dropped, 4 since the service started: refused 4"
    ]


async def test_an_exporter_that_fails_goes_on_with_the_next_batch(caplog):
    async def fail(spans):
        if len(spans) == 2:
            raise RuntimeError("broken")

    exporter = Kept()
    exporter.behave = fail
    queue = SpanQueue([exporter], batch_size=2, interval=0.001)
    await queue.start()
    finish_spans(queue, 5)
    await exporter.wait_for(1)
    await queue.stop()

    assert queue.dropped == {"exporter_failed": 4}
    assert [record.exc_info is not None for record in caplog.records].count(True) == 1


async def test_stopping_takes_two_seconds_at_most_and_counts_what_is_left(monkeypatch):
    monkeypatch.setattr("msframework.tracing.queue.FLUSH_TIME", 0.05)
    exporter = Kept()
    exporter.behave = lambda spans: asyncio.Event().wait()
    queue = SpanQueue([exporter], batch_size=2, interval=60)
    await queue.start()
    finish_spans(queue, 5)
    await queue.stop()

    assert queue.dropped == {"stopped": 5}
    assert exporter.stopped


async def test_spans_wait_for_the_start_and_a_queue_can_start_again():
    exporter = Kept()
    queue = SpanQueue([exporter], batch_size=2, interval=60)
    finish_spans(queue, 3)
    for total in (3, 6):
        await queue.start()
        await queue.stop()
        assert exporter.count == total
        finish_spans(queue, 3)


async def test_when_one_exporter_cannot_start_the_others_stop():
    class Broken(Kept):
        async def start(self):
            raise OSError("no")

    first = Kept()
    queue = SpanQueue([first, Broken()], interval=60)
    with pytest.raises(OSError, match="no"):
        await queue.start()

    assert first.stopped


async def test_an_exporter_that_cannot_stop_is_logged(caplog):
    class Broken(Kept):
        async def stop(self):
            raise OSError("no")

    last = Kept()
    queue = SpanQueue([Broken(), last])
    await queue.start()
    await queue.stop()

    assert last.stopped
    assert "failed to stop" in caplog.text


async def test_a_queue_without_exporters_takes_spans_and_keeps_none():
    queue = SpanQueue()
    await queue.start()
    finish_spans(queue, 3)
    await queue.stop()

    assert (queue.pending, queue.exported, queue.dropped) == (0, 0, {})


async def test_a_dead_collector_holds_up_neither_spans_nor_the_stop(collector, monkeypatch):
    monkeypatch.setattr("msframework.tracing.queue.FLUSH_TIME", 0.2)
    collector.slow = asyncio.Event()
    exporter = ZipkinExporter(collector.url, Encoder("a", Redactor()), timeout=60)
    queue = SpanQueue([exporter], size=100, batch_size=10, interval=0.001)
    await queue.start()
    for _ in range(50):
        finish_spans(queue, 20)
        await asyncio.sleep(0)
    began = time.monotonic()
    await queue.stop()

    assert time.monotonic() - began < 30
    assert queue.exported == 0
    assert queue.dropped.total() == 1000
    assert queue.dropped.keys() == {"queue_full", "stopped"}
