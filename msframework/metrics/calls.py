"""`CallTimer`: the duration of calls to one service, by outcome. Runs per call."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Final

from msframework.metrics.catalogue import CALL_DURATION
from msframework.metrics.registry import Metrics
from msframework.metrics.series import Series

CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
# The outcomes of calls without an answer, by the status that the exception has (`read_failure`).
_FAILURES: Final = {502: "broken", 503: "unreachable", 504: "timeout"}
FAILED, CANCELLED = "failed", "cancelled"


class CallTimer:
    """Times the calls to the service *name*."""

    def __init__(self, metrics: Metrics, name: str) -> None:
        family = metrics.register(CALL_DURATION)
        outcomes = (*CLASSES, *_FAILURES.values(), FAILED, CANCELLED)
        self._series: dict[str, Series] = {each: family.series(name, each) for each in outcomes}

    def answered(self, status: int, duration: float) -> None:
        """Count a call that took *duration* seconds to an answer of *status*."""
        self._series[CLASSES[min(max(status // 100, 1), 5) - 1]].observe(duration)

    def failed(self, exc: BaseException, duration: float) -> None:
        """Count a call that took *duration* seconds and ended with *exc*."""
        if isinstance(exc, CancelledError):
            outcome = CANCELLED
        else:
            outcome = _FAILURES.get(getattr(exc, "status_code", 0), FAILED)
        self._series[outcome].observe(duration)
