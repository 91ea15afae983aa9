"""The queue between finished spans and the exporters: bounded, it counts the spans it drops.

`record` runs per span and does nothing but append; everything else runs in one task for each
exporter, so that one that is slow neither holds up another nor makes it lose spans.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from msframework.tracing.exporter import Exporter, SpansDropped
from msframework.tracing.span import Span

logger = logging.getLogger("msframework.tracing")
WARN_EVERY: Final = 30.0
FLUSH_TIME: Final = 2.0


class Lane:
    """The spans on their way to one exporter, and the task that takes them there."""

    def __init__(self, exporter: Exporter, *, size: int, batch_size: int, interval: float) -> None:
        self.exporter = exporter
        self.spans: deque[Span] = deque()
        self.dropped: Counter[str] = Counter()
        self.exported = 0
        self._size, self._batch_size, self._interval = size, batch_size, interval
        self._full = 0
        self._warned_of = 0
        self._warned_at = -WARN_EVERY
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._stopping = False

    def record(self, span: Span) -> None:
        """Take *span*, or count it as dropped when the queue is full."""
        spans = self.spans
        length = len(spans)
        if length >= self._size:
            self._full += 1
            return
        spans.append(span)
        if length + 1 == self._batch_size and self._loop is not None:
            # NOTE: spans may end in any thread.
            self._loop.call_soon_threadsafe(self._wake.set)

    async def start(self) -> None:
        """Start the exporter and the task."""
        self._stopping = False
        self._wake = asyncio.Event()
        await self.exporter.start()
        self._loop = asyncio.get_running_loop()
        # NOTE: an empty context, so that nothing here belongs to a trace or a request.
        self._task = self._loop.create_task(
            self._run(), name=f"spans to {self.exporter.name}", context=contextvars.Context()
        )

    async def stop(self, deadline: float) -> None:
        """Send spans until *deadline* (`monotonic` seconds), drop the rest, and close."""
        self._loop, self._stopping = None, True
        self._wake.set()
        try:
            if self._task is not None:
                await self._end(self._task, deadline)
        finally:
            self._task = None
            if self.spans:
                self.dropped["stopped"] += len(self.spans)
                self.spans.clear()
            self._warn(force=True)
            await self.exporter.stop()

    async def _end(self, task: asyncio.Task[None], deadline: float) -> None:
        _, late = await asyncio.wait([task], timeout=max(0.0, deadline - monotonic()))
        if late:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while not (self._stopping and not self.spans):
            least = 1
            if not self._stopping:
                try:
                    async with asyncio.timeout(self._interval):
                        await self._wake.wait()
                    least = self._batch_size
                except TimeoutError:
                    pass
                self._wake.clear()
            while self.spans and (len(self.spans) >= least or self._stopping):
                await self._export_batch()
            self._warn()

    async def _export_batch(self) -> None:
        spans = self.spans
        batch = [spans.popleft() for _ in range(min(len(spans), self._batch_size))]
        try:
            await self.exporter.export(batch)
        except SpansDropped as exc:
            self.dropped.update(exc.reasons)
            self.exported += len(batch) - sum(exc.reasons.values())
        except asyncio.CancelledError:
            self.dropped["stopped"] += len(batch)
            raise
        except Exception:
            if not self.dropped["exporter_failed"]:
                logger.exception("the exporter %r failed", self.exporter.name)
            self.dropped["exporter_failed"] += len(batch)
        else:
            self.exported += len(batch)

    def counts(self) -> Counter[str]:
        """Return how many spans were dropped, by reason."""
        counts = Counter(self.dropped)
        if self._full:
            counts["queue_full"] = self._full
        return counts

    def _warn(self, force: bool = False) -> None:
        counts = self.counts()
        total = counts.total()
        if total == self._warned_of or not (force or monotonic() - self._warned_at >= WARN_EVERY):
            return
        logger.warning(
            "%d spans for %r were dropped, %d since the service started: %s",
            total - self._warned_of,
            self.exporter.name,
            total,
            ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items())),
        )
        self._warned_of, self._warned_at = total, monotonic()


class SpanQueue:
    """A `Recorder` that takes spans to its exporters.

    Args:
        exporters: where spans go; with none, spans end here.
        size: spans held at most for each exporter; further ones are dropped.
        batch_size: spans that an exporter is given at once.
        interval: seconds after which an exporter gets a batch that is not full.
    """

    def __init__(
        self,
        exporters: Sequence[Exporter] = (),
        *,
        size: int = 2048,
        batch_size: int = 256,
        interval: float = 1.0,
    ) -> None:
        self.lanes = tuple(
            Lane(exporter, size=size, batch_size=min(batch_size, size), interval=interval)
            for exporter in exporters
        )
        # PERF: with one exporter nothing stands between a span and its deque.
        self.record: Callable[[Span], None] = (
            self.lanes[0].record if len(self.lanes) == 1 else self._record_all
        )

    def _record_all(self, span: Span) -> None:
        for lane in self.lanes:
            lane.record(span)

    @property
    def dropped(self) -> Counter[str]:
        """How many spans were dropped, by reason, over all exporters."""
        return sum((lane.counts() for lane in self.lanes), Counter())

    @property
    def exported(self) -> int:
        """How many spans exporters took."""
        return sum(lane.exported for lane in self.lanes)

    @property
    def pending(self) -> int:
        """How many spans wait."""
        return sum(len(lane.spans) for lane in self.lanes)

    async def start(self) -> None:
        """Start all exporters; those that had started are stopped when one fails."""
        started = []
        try:
            for lane in self.lanes:
                await lane.start()
                started.append(lane)
        except BaseException:
            await self._stop(started)
            raise

    async def stop(self) -> None:
        """Send the spans that are left within 2 s, and stop all exporters."""
        await self._stop(self.lanes)

    async def _stop(self, lanes: Sequence[Lane]) -> None:
        deadline = monotonic() + FLUSH_TIME
        results = await asyncio.gather(
            *(lane.stop(deadline) for lane in lanes), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                logger.error("an exporter failed to stop", exc_info=result)
