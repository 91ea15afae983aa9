"""The access log: one JSON line for each request, written after the request is over.

`record` runs per request and only appends; a task turns what it finds into lines every quarter of
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
from msframework.log.lines import AccessLines, Entry
from msframework.tracing.lines import write_lines

logger = logging.getLogger("msframework.log")
MAX_WAITING: Final = 10_000
BLOCK: Final = 256
AT_ONCE: Final = 64
INTERVAL: Final = 0.25


class AccessLog:
    """Writes access lines to the logger `msframework.access`; `dropped` counts those it lost."""

    def __init__(self, settings: Settings) -> None:
        server = settings.server
        self._lines = AccessLines(settings.service_name)
        self._behind_proxy = bool(
            server.proxies_count or server.real_ip_header or server.forwarded_secret
        )
        self._logger = logging.getLogger("msframework.access")
        self._entries: deque[Entry] = deque()
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
                None if stream is None else stream.perft0,
                request.method,
                request.path,
                status,
                size,
                address,
                request.id,
                request.span,
            )
        )
        if waiting == BLOCK:
            self._wake.set()

    async def start(self) -> None:
        """Start the task that writes."""
        self._wake = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name="access log", context=contextvars.Context()
        )

    async def stop(self) -> None:
        """End the task, and write what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        while self._entries:
            self._write_some()

    async def _run(self) -> None:
        entries = self._entries
        while True:
            least = AT_ONCE
            try:
                async with asyncio.timeout(INTERVAL):
                    await self._wake.wait()
            except TimeoutError:
                least = 1
            self._wake.clear()
            # PERF: requests run between two blocks of lines. Under load some always came in
            # meanwhile: they wait for a block, as to log a few costs as much as to log them all
            # (benchmarks/README.md, row read_one).
            while len(entries) >= least:
                self._write_some()
                await asyncio.sleep(0)

    def _write_some(self) -> None:
        """Write at most `AT_ONCE` lines; a log that is off only empties the queue."""
        entries = self._entries
        some = [entries.popleft() for _ in range(min(len(entries), AT_ONCE))]
        if not self._logger.isEnabledFor(logging.INFO):
            return
        try:
            write_lines(self._logger, self._lines.format(some))
        except Exception:
            # NOTE: a filter or handler that raises costs its lines, never the task.
            self.dropped += len(some)
            logger.exception("%d access lines could not be written", len(some))
