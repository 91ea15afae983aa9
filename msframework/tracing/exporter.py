"""Exporters take finished spans out of the process: the protocol, and the two simplest ones.

Exporters run in the queue's task, one batch at a time. To add one, write a class with these four
names and list a callable that makes it of the settings in `TRACE_EXPORTERS`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from msframework.pace import Pace
from msframework.tracing.lines import write_lines
from msframework.tracing.span import Span
from msframework.tracing.zipkin import Encoder

PIECE: Final = 16  # spans between two looks at the clock
BLOCK: Final = 64  # spans that are written to the log at once
MAX_LINE: Final = 32_768  # bytes of a span in the log
_SHORT: Final = 128


class SpansDropped(Exception):
    """An exporter gave up some spans of a batch; `reasons` counts them."""

    def __init__(self, reasons: Mapping[str, int]) -> None:
        self.reasons = dict(reasons)
        super().__init__(", ".join(f"{count} {reason}" for reason, count in self.reasons.items()))


class Exporter(Protocol):
    """Takes batches of finished spans."""

    name: str

    async def start(self) -> None:
        """Open connections and files; runs in the worker process that will export."""

    async def export(self, spans: Sequence[Span]) -> None:
        """Send *spans*; called for one batch at a time.

        Raises:
            SpansDropped: some or all were given up; any other exception counts as all.
        """

    async def stop(self) -> None:
        """Close it again, after the last batch."""


async def encode_all(encoder: Encoder, spans: Sequence[Span], pace: Pace) -> list[bytes]:
    """Return each of *spans* as JSON; requests run in between."""
    encoded: list[bytes] = []
    for start in range(0, len(spans), PIECE):
        encoded += map(encoder.encode, spans[start : start + PIECE])
        await pace.rest()
    return encoded


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
        pace = Pace()
        for start in range(0, len(spans), BLOCK):
            encoded = await encode_all(self._encoder, spans[start : start + BLOCK], pace)
            write_lines(self._logger, b"\n".join(map(_bounded, encoded)).decode())

    async def stop(self) -> None:
        """Do nothing."""


def _bounded(line: bytes) -> bytes:
    """Return the span *line*; one that is too long with its longest texts cut, and saying so."""
    if len(line) <= MAX_LINE:
        return line
    span = json.loads(line)
    tags = {key[:_SHORT]: value[:_SHORT] for key, value in span.pop("tags", {}).items()}
    span.pop("annotations", None)
    short = json.dumps({**span, "tags": {**tags, "cut": "true"}}, separators=(",", ":")).encode()
    if len(short) > MAX_LINE:
        short = json.dumps({**span, "tags": {"cut": "true"}}, separators=(",", ":")).encode()
    return short
