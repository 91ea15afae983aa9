"""`Snapshot`: the numbers of all metrics at one time, of one process or summed over several.

Runs per scrape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from msframework.metrics.facts import OTHER, Combine, MetricFacts, MetricKind
from msframework.metrics.series import count_cells

# The numbers of each series of one metric.
Numbers: TypeAlias = dict[tuple[str, ...], list[float]]
_COMBINE: Final = {Combine.MAX: max, Combine.MIN: min}


class Snapshot:
    """The numbers of all metrics, by name; series with facts other than the first are dropped."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[MetricFacts, Numbers]] = {}

    def __iter__(self) -> Iterator[tuple[MetricFacts, Numbers]]:
        return iter(sorted(self._found.values(), key=lambda found: found[0].name))

    def declare(self, facts: MetricFacts) -> bool:
        """Add the metric; return `False` if it is known with other facts."""
        return self._found.setdefault(facts.name, (facts, {}))[0] == facts

    def add(self, facts: MetricFacts, labels: tuple[str, ...], numbers: Sequence[float]) -> None:
        """Combine the *numbers* of a series with those that are here already."""
        if not self.declare(facts):
            return
        series = self._found[facts.name][1]
        found = series.get(labels)
        if found is None and len(series) >= facts.max_series:
            labels = (OTHER,) * len(labels)
            found = series.get(labels)
        if found is None:
            series[labels] = list(numbers)
        elif facts.kind is MetricKind.GAUGE and facts.combine is not Combine.SUM:
            found[0] = _COMBINE[facts.combine](found[0], numbers[0])
        else:
            _add(facts, found, numbers)


def _add(facts: MetricFacts, found: list[float], numbers: Sequence[float]) -> None:
    """Add *numbers* to *found*, and keep the later of two exemplars."""
    if facts.kind is not MetricKind.HISTOGRAM:
        found[0] += numbers[0]
        return
    counts = len(facts.buckets) + 2
    for index in range(counts):
        found[index] += numbers[index]
    width = (count_cells(facts) - counts) // (counts - 1)
    for start in range(counts, len(found), width or 1):
        if numbers[start] > found[start]:
            found[start : start + width] = numbers[start : start + width]
