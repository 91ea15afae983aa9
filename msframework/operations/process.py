"""`ServiceSource`: liveness, readiness and metrics of the one service of this process.

Runs per request to the operations port, in the threads of its server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from time import monotonic
from typing import Final

from msframework.health import Monitor, Readiness
from msframework.metrics.snapshot import Snapshot
from msframework.operations.source import ANSWER_BOUND, LIVE_BOUND, Report, render_with_lag

BUSY: Final = Report(False, {"loop": f"it did not turn for {ANSWER_BOUND} s"})


class ServiceSource:
    """Asks the loop of a service for its readiness, and gives up when the loop is busy.

    Args:
        readiness: the readiness of the service.
        monitor: the monitor of its loop.
        collect: returns its metrics; called in a thread.
    """

    def __init__(
        self,
        readiness: Readiness,
        monitor: Monitor,
        collect: Callable[[], Snapshot],
    ) -> None:
        self._readiness, self._monitor, self._collect = readiness, monitor, collect

    def check_live(self) -> Report:
        """Return whether the loop has turned lately; during start and stop it is taken to have."""
        return judge_beat(self._monitor.beat)

    def check_ready(self) -> Report:
        """Return whether every part is ready."""
        readiness, loop = self._readiness, self._monitor.loop
        if (outside := readiness.outside) is not None or loop is None:
            return outside or BUSY
        checking = readiness.check()
        try:
            asked = asyncio.run_coroutine_threadsafe(checking, loop)
        except RuntimeError:  # the loop is closed
            checking.close()
            return readiness.outside or BUSY
        try:
            return asked.result(ANSWER_BOUND)
        except TimeoutError:
            asked.cancel()
            return BUSY
        except CancelledError:  # the service stops
            return readiness.outside or BUSY

    def render_metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics in the form that the header *accept* asks for, and its media type."""
        return render_with_lag(self._collect(), [self._monitor.beat], accept)


def judge_beat(beat: float | None) -> Report:
    """Return whether a loop lives that last turned at *beat*; `None` where nothing watches it."""
    silent = 0.0 if beat is None else monotonic() - beat
    if silent <= LIVE_BOUND:
        return Report(True, {"loop": None})
    return Report(False, {"loop": f"it has not turned for {silent:.0f} s"})
