"""`Metrics`: the registry of the metrics of one service.

Families are made at start-up; readings are taken once a second, `render` runs per scrape.
"""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msframework.exceptions import ImproperlyConfigured
from msframework.metrics.exposition import render
from msframework.metrics.facts import (
    DURATIONS,
    MAX_SERIES,
    Combine,
    MetricFacts,
    MetricKind,
    read_labels,
)
from msframework.metrics.family import Family, Reading
from msframework.metrics.shared import SharedMetrics, WorkerFile
from msframework.metrics.snapshot import Snapshot
from msframework.problem import Problem

logger = logging.getLogger("msframework.metrics")

# The directory in which the workers of a supervisor share their metrics.
DIRECTORY_VARIABLE: Final = "MSFRAMEWORK_METRICS_DIR"
FOLDED: Final = MetricFacts(
    "msframework_series_folded_total",
    MetricKind.COUNTER,
    'Values counted in a series "other", as their metric had as many series as it may.',
    ("metric",),
)


class Metrics:
    """The metrics of one service, by name."""

    def __init__(self) -> None:
        self._families: dict[str, Family] = {}
        self._bases: dict[str, str] = {}  # the names that OpenMetrics has for them
        self._failing: set[str] = set()
        self._file: WorkerFile | None = None
        self._directory: SharedMetrics | None = None
        self.register(FOLDED, read=self._count_folded)

    def __iter__(self) -> Iterator[Family]:
        return iter(tuple(self._families.values()))

    def counter(
        self,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        read: Callable[[], Reading] | None = None,
        max_series: int = MAX_SERIES,
    ) -> Family:
        """Return the counter *name*, whose name ends in "_total".

        Args:
            help: one line that says what is counted.
            labels: the names of its labels.
            read: for a counter that is kept elsewhere; called once a second, it returns its value,
                or a mapping of label values to the values of its series.
            max_series: how many series it may have; values beyond are counted in one series whose
                labels are all "other".

        Raises:
            ImproperlyConfigured: the name or a label is wrong, or taken by another metric.
        """
        facts = MetricFacts(
            name, MetricKind.COUNTER, help, read_labels(labels), max_series=max_series
        )
        return self.register(facts, read=read)

    def gauge(
        self,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        read: Callable[[], Reading] | None = None,
        combine: str = "sum",
        max_series: int = MAX_SERIES,
    ) -> Family:
        """Return the gauge *name*.

        Args:
            help: one line that says what is measured.
            labels: the names of its labels.
            read: for a gauge that is kept elsewhere; called once a second, it returns its value, or
                a mapping of label values to the values of its series.
            combine: "sum", "max" or "min": how the values of several workers become one.
            max_series: as for `counter`.

        Raises:
            ImproperlyConfigured: the name or a label is wrong, or taken by another metric.
        """
        facts = MetricFacts(
            name,
            MetricKind.GAUGE,
            help,
            read_labels(labels),
            combine=Combine(combine),
            max_series=max_series,
        )
        return self.register(facts, read=read)

    def histogram(
        self,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float] = DURATIONS,
        max_series: int = MAX_SERIES,
    ) -> Family:
        """Return the histogram *name*.

        Args:
            help: one line that says what is measured.
            labels: the names of its labels.
            buckets: the upper bounds of its buckets, in growing order.
            max_series: as for `counter`.

        Raises:
            ImproperlyConfigured: a name or the buckets are wrong, or taken by another metric.
        """
        facts = MetricFacts(
            name,
            MetricKind.HISTOGRAM,
            help,
            read_labels(labels),
            tuple(buckets),
            max_series=max_series,
        )
        return self.register(facts)

    def register(self, facts: MetricFacts, *, read: Callable[[], Reading] | None = None) -> Family:
        """Return the metric of *facts*, which the first call makes.

        Args:
            read: as for `gauge`; it replaces the one before, if any.

        Raises:
            ImproperlyConfigured: the facts have mistakes, or another metric has the name.
        """
        found = self._families.get(facts.name)
        if found is None:
            facts.check()
            self._check_base(facts)
            found = self._families[facts.name] = Family(facts, read=read)
            self._bases[facts.base] = facts.name
            if self._file is not None:
                found.move(self._file.allocator(facts))
        elif found.facts != facts:
            differing = _differences(found.facts, facts)
            text = f"there is a metric of that name with {differing}"
            advice = "Register it once, or choose another name."
            raise ImproperlyConfigured(Problem(facts.where, text, advice=advice))
        if read is not None:
            found.read = read
        return found

    def _check_base(self, facts: MetricFacts) -> None:
        other = self._bases.get(facts.base)
        if other is not None:
            text = f"its name in OpenMetrics, {facts.base!r}, is that of {other!r}"
            raise ImproperlyConfigured(Problem(facts.where, text, advice="Choose another name."))

    def take_readings(self) -> None:
        """Set the metrics that have `read` to its values; one that fails is logged once."""
        for family in self:
            if family.read is None:
                continue
            try:
                family.take_reading()
            except Exception:
                if family.name not in self._failing:
                    self._failing.add(family.name)
                    logger.exception("%s: its `read` failed", family.name)

    def _count_folded(self) -> Mapping[tuple[str, ...], float]:
        return {(each.name,): each.folded for each in self if each.folded}

    # Several workers.

    def begin_sharing(self, directory: str | Path) -> None:
        """Move all numbers into files in *directory*, beside those of other workers.

        If the files cannot be made, the numbers stay in this process, and the log says why.
        """
        self.end_sharing()
        try:
            self._directory = SharedMetrics(directory)
            self._file = WorkerFile(self._directory)
        except OSError as exc:
            self._directory = None
            logger.error("metrics cannot be shared in %s: %s", directory, exc)
            return
        for family in self:
            family.move(self._file.allocator(family.facts))
        _leave_in_child(weakref.ref(self), self._file)

    def end_sharing(self) -> None:
        """Leave the files to their readers, and begin at zero in this process."""
        if self._file is not None:
            self._leave_file(self._file)

    def _leave_file(self, file: WorkerFile) -> None:
        """Leave *file*, if it is the current one, with the numbers that it holds."""
        if self._file is not file:
            return
        self._file = self._directory = None
        for family in self:
            family.leave()
        file.close()

    # Exposition.

    def collect(self) -> Snapshot:
        """Return the numbers of this process, or of all workers where they are shared."""
        shared = self._directory
        if shared is not None:
            return shared.collect()
        snapshot = Snapshot()
        for family in self:
            snapshot.declare(family.facts)
            for series in family:
                snapshot.add(family.facts, series.labels, series.cells.tolist())
        return snapshot

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics in the form that the header *accept* asks for, and its media type."""
        return render(self.collect(), accept)


def _differences(one: MetricFacts, other: MetricFacts) -> str:
    """Return the facts of *one* that *other* does not share, for messages."""
    names = ("kind", "labels", "help", "buckets", "combine", "exemplars")
    differing = [name for name in names if getattr(one, name) != getattr(other, name)]
    return ", ".join(f"{name} {getattr(one, name)!r}" for name in differing)


def _leave_in_child(metrics: weakref.ref[Metrics], file: WorkerFile) -> None:
    """Have forked processes leave *file*, or they would count into that of their parent."""

    def leave() -> None:
        found = metrics()
        if found is not None:
            found._leave_file(file)

    os.register_at_fork(after_in_child=leave)
