"""What takes finished spans out of the process: an interface, and the two simplest of its kind.

Exporters run in the queue's task, one batch at a time. To add one, write a class with these four
names and list a callable that makes it of the settings in `TRACE_EXPORTERS`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from msframework.tracing.lines import write_lines
from msframework.tracing.span import Span
from msframework.tracing.zipkin import Encoder

# PERF: this many spans are encoded between two chances for requests to run: about 0.1 ms. More is
# seen in the slowest hundredth of the requests (benchmarks/tracing_overhead.py, collectors), and
# each chance costs a turn of the loop, in which fewer requests are served together.
AT_ONCE: Final = 48


class SpansDropped(Exception):
    """An exporter gave up some spans of a batch; `reasons` counts them."""

    def __init__(self, reasons: Mapping[str, int]) -> None:
        self.reasons = dict(reasons)
        super().__init__(", ".join(f"{count} {reason}" for reason, count in self.reasons.items()))


class Exporter(Protocol):
    """Takes batches of finished spans."""

    name: str

    async def start(self) -> None:
        """Open what is needed; runs in the worker process that will export."""

    async def export(self, spans: Sequence[Span]) -> None:
        """Send *spans*; called for one batch at a time.

        Raises:
            SpansDropped: some or all were given up; any other exception counts as all.
        """

    async def stop(self) -> None:
        """Close it again, after the last batch."""


class MemoryExporter:
    """Keeps spans in `spans`, as Zipkin's JSON objects; for tests."""

    name = "memory"

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.spans: list[dict[str, Any]] = []

    async def start(self) -> None:
        """Do nothing."""

    async def export(self, spans: Sequence[Span]) -> None:
        """Keep *spans*."""
        self.spans.extend(map(self._encoder.describe, spans))

    async def stop(self) -> None:
        """Do nothing."""


class LogExporter:
    """Writes each span as one line of Zipkin's JSON to the log `zipkin`."""

    name = "log"

    def __init__(self, encoder: Encoder, logger: logging.Logger | None = None) -> None:
        self._encoder = encoder
        self._logger = logging.getLogger("zipkin") if logger is None else logger

    async def start(self) -> None:
        """Do nothing."""

    async def export(self, spans: Sequence[Span]) -> None:
        """Write *spans*; costs nothing while the log is off."""
        if not self._logger.isEnabledFor(logging.INFO) or not self._logger.hasHandlers():
            return
        for start in range(0, len(spans), AT_ONCE):
            part = spans[start : start + AT_ONCE]
            write_lines(self._logger, b"\n".join(map(self._encoder.encode, part)).decode())
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Do nothing."""
