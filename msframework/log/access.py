"""The access log: one JSON line for each request, written after the request is over.

`record` runs per request and only appends; a task turns the entries into lines every quarter of
a second, or as soon as there is a block of them.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from time import perf_counter
from typing import Any, Final

from msframework.conf.settings import Settings
from msframework.log.lines import AccessEntry, AccessLines
from msframework.pace import Pace
from msframework.tracing.lines import write_lines

logger = logging.getLogger("msframework.log")
MAX_WAITING: Final = 10_000
WAKE_AT: Final = 256
BLOCK: Final = 64  # lines that are written at once
PIECE: Final = 32  # lines between two looks at the clock
INTERVAL: Final = 0.25


class AccessLog:
    """Writes access lines to the logger `msframework.access`; `dropped` counts those it lost."""

    def __init__(self, settings: Settings) -> None:
        server = settings.server
        self._lines = AccessLines(settings.service_name)
        self._behind_proxy = server.is_proxied
        self._logger = logging.getLogger("msframework.access")
        self._entries: deque[AccessEntry] = deque()
        self._pieces: list[str] = []  # of the block that is about to be written
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def record(self, request: Any, status: int, size: int) -> None:
        """Note the answer to *request*: its *status*, and *size* bytes of body."""
        entries = self._entries
        waiting = len(entries)
        if waiting >= MAX_WAITING:
            self.dropped += 1
            return
        # NOTE: taken now, as the request lets go of its stream when it is over.
        stream = request.stream
        if self._behind_proxy:
            address = request.client_ip
        else:
            connection = request.conn_info
            address = "" if connection is None else connection.client_ip
        entries.append(
            (
                perf_counter(),
                getattr(stream, "perft0", None),  # an ASGI server has none
                request.method,
                request.path,
                status,
                size,
                address,
                request.id,
                request.span,
            )
        )
        if waiting == WAKE_AT:
            self._wake.set()

    async def start(self) -> None:
        """Start the task that writes."""
        self._wake = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="access log", context=contextvars.Context()
        )

    async def stop(self) -> None:
        """End the task, and write the lines that are left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._write()  # the lines that were ready when the task ended
        while self._entries:
            self._format_some()
            self._write()

    async def _run(self) -> None:
        entries = self._entries
        while True:
            least = BLOCK
            try:
                async with asyncio.timeout(INTERVAL):
                    await self._wake.wait()
            except TimeoutError:
                least = 1
            self._wake.clear()
            pace = Pace()
            # PERF: under load some always came in meanwhile: they wait for a block, as to write a
            # few costs as much as to write them all (benchmarks/README.md, row read_one).
            while len(entries) >= least:
                for _ in range(BLOCK // PIECE):
                    self._format_some()
                    await pace.rest()
                    if not entries:
                        break
                self._write()

    def _format_some(self) -> None:
        """Turn at most `PIECE` entries into lines; a log that is off only empties the queue."""
        entries = self._entries
        some = [entries.popleft() for _ in range(min(len(entries), PIECE))]
        if not some or not self._logger.isEnabledFor(logging.INFO):
            return
        try:
            self._pieces.append(self._lines.format(some))
        except Exception:
            self._lose(len(some))

    def _write(self) -> None:
        """Write the lines that are ready."""
        pieces = self._pieces
        if not pieces:
            return
        block = "\n".join(pieces)
        pieces.clear()
        try:
            write_lines(self._logger, block)
        except Exception:
            self._lose(block.count("\n") + 1)

    def _lose(self, count: int) -> None:
        """Count lines that the exception at hand costs; the task goes on."""
        self.dropped += count
        logger.exception("%d access lines could not be written", count)
