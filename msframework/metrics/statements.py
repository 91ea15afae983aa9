"""`StatementTimer`: the duration of SQL statements, by kind and outcome. Runs per statement."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Final, Protocol

from msframework.metrics.catalogue import STATEMENT_DURATION
from msframework.metrics.registry import Metrics
from msframework.metrics.series import Series

OK, FAILED, LATE, CANCELLED = "ok", "failed", "timeout", "cancelled"
_OUTCOMES: Final = (OK, FAILED, LATE, CANCELLED)


class _Member(Protocol):
    """A member of an enumeration."""

    @property
    def _value_(self) -> str: ...


class StatementTimer:
    """Times statements that have ended."""

    def __init__(self, metrics: Metrics, kinds: tuple[str, ...]) -> None:
        family = metrics.register(STATEMENT_DURATION)
        self._series: dict[tuple[str, str], Series] = {
            (kind, outcome): family.series(kind, outcome) for kind in kinds for outcome in _OUTCOMES
        }

    def observe(self, kind: _Member, duration: float, outcome: object) -> None:
        """Count a statement of *kind* that took *duration* seconds.

        Args:
            outcome: its result, or the exception that it ended with.
        """
        name = OK if not isinstance(outcome, BaseException) else name_failure(outcome)
        # PERF: `kind.value` is a descriptor in Python.
        self._series[kind._value_, name].observe(duration)


def name_failure(exc: BaseException) -> str:
    """Return the value of the label `outcome` for *exc*."""
    if isinstance(exc, TimeoutError):
        return LATE
    return CANCELLED if isinstance(exc, CancelledError) else FAILED
