"""The series of a metric: numbers in cells that another process may read.

Made at start-up, or for the first value of new labels; `add`, `set`, `observe` and `observe_since`
run per request, in any thread.

NOTE: they take no lock. CPython changes threads at calls and backward jumps alone, and there is
none between the reading of a cell and its writing; without its global lock counts would be lost.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from time import time
from typing import Final, TypeAlias

from msframework.metrics.facts import MetricFacts, MetricKind

# Numbers of 64 bits: an array of this process, or a piece of a file that it shares.
Cells: TypeAlias = "array[float] | memoryview[float]"

# The number of cells of an exemplar: time, value, the number of digits of the trace id, that id in
# three numbers (a float holds 53 bits), and the time again.
EXEMPLAR: Final = 7
_BITS: Final = 44
_MASK: Final = (1 << _BITS) - 1


class Series:
    """The values of one metric for one set of labels.

    Attributes:
        labels: the values of the labels.
        cells: its numbers; they move once, when a worker begins to share them.
    """

    __slots__ = ("_what", "cells", "labels")

    def __init__(self, what: str, labels: tuple[str, ...], cells: Cells) -> None:
        self._what = what
        self.labels = labels
        self.cells = cells

    @property
    def value(self) -> float:
        """The value of a counter or gauge, or the sum of a histogram."""
        return self.cells[0]

    def add(self, amount: float = 1.0) -> None:
        """Add *amount* to a counter or a gauge."""
        raise TypeError(f"{self._what}, which has no add(); call observe()")

    def set(self, value: float) -> None:
        """Set a gauge to *value*."""
        raise TypeError(f"{self._what}, which has no set()")

    def observe(self, value: float) -> None:
        """Count *value* in a histogram."""
        raise TypeError(f"{self._what}, which has no observe()")

    def observe_since(self, begins: Sequence[float], now: float) -> None:
        """Count the time from each of *begins*, of which there is one at least, to *now*."""
        raise TypeError(f"{self._what}, which has no observe_since()")

    def remember(self, value: float, trace_id: str) -> None:
        """Note the trace of *value*, which a histogram with exemplars has counted."""
        raise TypeError(f"{self._what}, which has no remember()")


class CounterSeries(Series):
    """A sum that only grows."""

    __slots__ = ()

    def add(self, amount: float = 1.0) -> None:
        """Add *amount*, which is not negative.

        Raises:
            ValueError: it is negative, or not a number.
        """
        if not amount >= 0:
            raise ValueError(f"{self._what}, which only grows; got {amount!r}. Use a gauge.")
        self.cells[0] += amount


class GaugeSeries(Series):
    """A value that goes up and down."""

    __slots__ = ()

    def add(self, amount: float = 1.0) -> None:
        """Add *amount*, which may be negative."""
        self.cells[0] += amount

    def set(self, value: float) -> None:
        """Replace the value by *value*."""
        self.cells[0] = value


class HistogramSeries(Series):
    """Counts of values by buckets: first the sum of the values, then the count of each bucket."""

    __slots__ = ("bounds",)

    def __init__(
        self, what: str, labels: tuple[str, ...], cells: Cells, bounds: tuple[float, ...]
    ) -> None:
        super().__init__(what, labels, cells)
        self.bounds = bounds

    def observe(self, value: float) -> None:
        """Count *value* in its bucket."""
        # PERF: no locks (benchmarks/metrics.py).
        cells = self.cells
        cells[bisect_left(self.bounds, value) + 1] += 1.0
        cells[0] += value

    def observe_since(self, begins: Sequence[float], now: float) -> None:
        """Count the time from each of *begins*, of which there is one at least, to *now*.

        PERF: times that end together belong to few buckets, each counted once
        (benchmarks/metrics.py).
        """
        bounds, cells = self.bounds, self.cells
        times = sorted([now - began for began in begins])
        total, left = sum(times), len(times)
        bucket, last = bisect_left(bounds, times[0]), bisect_left(bounds, times[-1])
        while bucket < last:
            longer = len(times) - bisect_right(times, bounds[bucket])
            bucket += 1
            cells[bucket] += left - longer
            left = longer
        cells[last + 1] += left
        cells[0] += total

    def remember(self, value: float, trace_id: str) -> None:
        """Make *trace_id* the exemplar of the bucket of *value*, at most once a second.

        NOTE: the second time is written first. If the two differ, a reader in another process knows
        that it read the exemplar while it was being written.
        """
        bounds = self.bounds
        start = len(bounds) + 2 + bisect_left(bounds, value) * EXEMPLAR
        cells, now = self.cells, time()
        if now - cells[start] < 1.0:
            return  # PERF: one exemplar in a second is enough
        number = int(trace_id, 16)
        cells[start + 6] = now
        cells[start + 1] = value
        cells[start + 2] = len(trace_id)
        cells[start + 3] = number & _MASK
        cells[start + 4] = number >> _BITS & _MASK
        cells[start + 5] = number >> 2 * _BITS
        cells[start] = now


def read_exemplar(cells: Sequence[float], start: int) -> tuple[float, float, str] | None:
    """Return time, value and trace id of the exemplar at *start*; `None` where there is none."""
    when, value, digits, low, middle, high, again = cells[start : start + EXEMPLAR]
    if not when > 0 or again != when or not 0 < digits <= 32:
        return None
    number = int(low) | int(middle) << _BITS | int(high) << 2 * _BITS
    return when, value, f"{number:0{int(digits)}x}"


def count_cells(facts: MetricFacts) -> int:
    """Return the number of cells of one series of a metric."""
    if facts.kind is not MetricKind.HISTOGRAM:
        return 1
    buckets = len(facts.buckets) + 1
    return 1 + buckets * (1 + EXEMPLAR * facts.exemplars)


def build_series(
    facts: MetricFacts, labels: tuple[str, ...], allocate: Callable[[int], Cells]
) -> Series:
    """Return a series of *facts* with cells of *allocate*."""
    cells = allocate(count_cells(facts))
    what = f"{facts.name} is a {facts.kind.value}"
    if facts.kind is MetricKind.HISTOGRAM:
        return HistogramSeries(what, labels, cells, facts.buckets)
    made = CounterSeries if facts.kind is MetricKind.COUNTER else GaugeSeries
    return made(what, labels, cells)


def allocate_array(count: int) -> Cells:
    """Return *count* cells of this process."""
    return array("d", bytes(8 * count))
