"""`Family`: all series of one metric, in bounded number. Made at start-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import RLock
from typing import Final, TypeAlias

from msframework.metrics.facts import OTHER, MetricFacts, MetricKind
from msframework.metrics.series import Cells, Series, allocate_array, build_series

# The value of a gauge or counter, or those of all its series by the values of their labels.
Reading: TypeAlias = float | Mapping[tuple[str, ...], float]
MAX_TEXT: Final = 200


class Family:
    """All series of one metric.

    Attributes:
        read: returns the current values, where they are kept elsewhere rather than counted here.
        folded: how often the series `other` was given in place of one beyond `max_series`.
    """

    __slots__ = ("_allocate", "_by_labels", "_lock", "_other", "facts", "folded", "read")

    def __init__(self, facts: MetricFacts, *, read: Callable[[], Reading] | None = None) -> None:
        self.facts = facts
        self.read = read
        self.folded = 0
        self._by_labels: dict[tuple[str, ...], Series] = {}
        self._other: Series | None = None
        self._lock = RLock()  # of a series that is made; a finalizer may count meanwhile
        self._allocate: Callable[[int, tuple[str, ...]], Cells] | None = None
        if not facts.labels:
            self.series()  # exposed as 0 from the start

    @property
    def name(self) -> str:
        """The name of the metric."""
        return self.facts.name

    @property
    def help(self) -> str:
        """The text that says what is measured."""
        return self.facts.help

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels."""
        return self.facts.labels

    def series(self, *values: str) -> Series:
        """Return the series for these *values* of the labels, in their order.

        Keep it where the values are known at start-up. Beyond `max_series` it is the series whose
        labels are all `other`.

        Raises:
            ValueError: there are more or fewer values than labels.
            TypeError: a value is no text.
        """
        found = self._by_labels.get(values)
        return self._find(values) if found is None else found

    def __iter__(self) -> Iterator[Series]:
        # NOTE: over a copy, as the loop may add series while another thread renders them.
        return iter(tuple(self._by_labels.values()))

    def _find(self, values: tuple[str, ...]) -> Series:
        facts = self.facts
        if len(values) != len(facts.labels):
            names = ", ".join(facts.labels) or "none"
            raise ValueError(f"{self.name}: got the values {values!r} for the labels {names}")
        for value in values:
            if not isinstance(value, str):
                raise TypeError(f"{self.name}: {value!r} is no text; a value of a label has to be")
        values = tuple(map(clean_text, values))
        with self._lock:
            found = self._by_labels.get(values)
            if found is not None:
                return found
            if len(self._by_labels) >= facts.max_series:
                self.folded += 1
                if self._other is None:
                    self._other = self._make((OTHER,) * len(values))
                return self._other
            return self._make(values)

    def _make(self, labels: tuple[str, ...]) -> Series:
        found = self._by_labels.get(labels)
        if found is None:
            found = build_series(self.facts, labels, self._allocator(labels))
            self._by_labels[labels] = found
        return found

    def _allocator(self, labels: tuple[str, ...]) -> Callable[[int], Cells]:
        allocate = self._allocate
        return allocate_array if allocate is None else lambda count: allocate(count, labels)

    def move(self, allocate: Callable[[int, tuple[str, ...]], Cells]) -> None:
        """Move the numbers of all series into cells of *allocate*.

        NOTE: to be called in the thread that counts, so that nothing is counted meanwhile.
        """
        self._allocate = allocate
        for series in self:
            before = series.cells
            cells = allocate(len(before), series.labels)
            for index, value in enumerate(before):
                cells[index] = value
            series.cells = cells

    def leave(self) -> None:
        """Begin at zero in cells of this process, and leave the shared ones as they are."""
        self._allocate = None
        for series in self:
            series.cells = allocate_array(len(series.cells))

    def take_reading(self) -> None:
        """Set the series to the values of `read`; series of a gauge that it leaves out become 0."""
        if self.read is None:
            return
        reading = self.read()
        # PERF: most are numbers, and asking for an abstract class takes longer.
        if isinstance(reading, (float, int)) or not isinstance(reading, Mapping):
            self.series().cells[0] = reading
            return
        left = set(self._by_labels)
        for values, value in reading.items():
            series = self.series(*values)
            series.cells[0] = value
            left.discard(series.labels)
        if self.facts.kind is MetricKind.GAUGE:
            for labels in left:
                self._by_labels[labels].cells[0] = 0.0


def clean_text(value: str) -> str:
    """Return *value* cut to `MAX_TEXT` characters, without what UTF-8 cannot encode."""
    return value[:MAX_TEXT].encode("utf-8", "replace").decode("utf-8")
