"""`Metrics`: the metrics of one service, by name.

Families and series are made at start-up; `add`, `set` and `observe` run per request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

# The value of a gauge, or those of all its series by the values of their labels.
Reading = float | Mapping[tuple[str, ...], float]


class Series:
    """The values of one metric for one set of labels."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, amount: float = 1.0) -> None:
        """Add *amount* to a counter or a gauge."""
        self.value += amount

    def set(self, value: float) -> None:
        """Set a gauge."""
        self.value = value

    def observe(self, value: float) -> None:
        """Count *value* in a histogram."""
        self.value += value


class Family:
    """All series of one metric."""

    __slots__ = ("_series", "help", "labels", "name")

    def __init__(self, name: str, help: str, labels: Sequence[str]) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self._series: dict[tuple[str, ...], Series] = {}

    def series(self, *values: str) -> Series:
        """Return the series for these *values* of the labels, in their order."""
        return self._series.setdefault(values, Series())


class Metrics:
    """The metrics of one service."""

    def __init__(self) -> None:
        self._families: dict[str, Family] = {}

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Family:
        """Return the counter *name*, whose name ends in "_total"."""
        return self._families.setdefault(name, Family(name, help, labels))

    def gauge(
        self,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        read: Callable[[], Reading] | None = None,
    ) -> Family:
        """Return the gauge *name*; `read()` gives its value once a second, where it is given."""
        return self._families.setdefault(name, Family(name, help, labels))

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = ()
    ) -> Family:
        """Return the histogram *name*, whose *buckets* end at these values."""
        return self._families.setdefault(name, Family(name, help, labels))
