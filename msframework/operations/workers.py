"""`WorkersSource`: liveness, readiness and metrics of all workers, from the last status of each.

Runs per request to the operations port, in the threads of its server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from msframework.metrics.snapshot import Snapshot
from msframework.operations.process import judge_beat
from msframework.operations.source import Report, render_with_lag
from msframework.operations.status import Status

_FRESH: Final = 2.5  # seconds for which a status holds; workers send one each second

# The last status of each living worker, by its name; `None` for one that has sent none yet.
Statuses = Mapping[str, Status | None]


class WorkersSource:
    """Reports a service as live or ready while at least one of its workers is.

    Args:
        statuses: returns the last status of each worker.
        draining: returns whether the supervisor was told to stop.
        collect: returns the metrics of all workers.
    """

    def __init__(
        self,
        statuses: Callable[[], Statuses],
        draining: Callable[[], bool],
        collect: Callable[[], Snapshot],
    ) -> None:
        self._statuses, self._draining, self._collect = statuses, draining, collect

    def check_live(self) -> Report:
        """Return whether any loop turns; workers that are starting are no failure."""
        known = {name: status for name, status in self._statuses().items() if status is not None}
        judged = {name: judge_beat(status.beat) for name, status in known.items()}
        parts = {f"{name}: loop": report.parts["loop"] for name, report in judged.items()}
        return Report(not judged or any(report.ok for report in judged.values()), parts)

    def check_ready(self) -> Report:
        """Return whether any worker is ready, with the parts of all."""
        if self._draining():
            return Report(False, {"service": "draining"})
        parts: dict[str, str | None] = {}
        ready = False
        statuses = self._statuses()
        for name, status in statuses.items():
            report = _judge(status)
            ready |= report.ok
            parts |= {f"{name}: {part}": reason for part, reason in report.parts.items()}
        return Report(ready, parts if statuses else {"service": "no worker"})

    def render_metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics in the form that the header *accept* asks for, and its media type."""
        beats = [status.beat for status in self._statuses().values() if status is not None]
        return render_with_lag(self._collect(), beats, accept)


def _judge(status: Status | None) -> Report:
    """Return the readiness of a worker by its last status, unless that is too old."""
    if status is None:
        return Report(False, {"service": "starting"})
    silent = monotonic() - status.beat
    if silent > _FRESH:
        return Report(False, {"loop": f"it has not turned for {silent:.0f} s"})
    return Report(all(reason is None for reason in status.parts.values()), status.parts)
