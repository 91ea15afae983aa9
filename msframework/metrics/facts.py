"""`MetricFacts`: the facts of one metric, checked when it is registered. Made at start-up."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from msframework.exceptions import ImproperlyConfigured
from msframework.problem import Problem

# Upper bounds of buckets in seconds, from the fastest answers to those that time out.
DURATIONS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
MAX_SERIES: Final = 1000
OTHER: Final = "other"
_MAX_BUCKETS: Final = 100
# https://prometheus.io/docs/concepts/data_model/, without the colon, which is for rules.
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*").fullmatch
# What the exposition appends to the name of a metric (OpenMetrics 1.0, "Suffixes").
_SUFFIXES: Final = ("_total", "_bucket", "_count", "_sum", "_created", "_gsum", "_gcount")
_RESERVED: Final = {"le", "quantile", "exported_instance", "exported_job", "instance", "job"}


class MetricKind(Enum):
    """The kinds of metrics; the value is the word for it in the exposition."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Combine(Enum):
    """How the values that several workers have of one gauge become one."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """The facts of one metric.

    Attributes:
        buckets: the upper bounds of a histogram's buckets but the last, which is unbounded.
        combine: how a gauge's values of several workers become one.
        exemplars: whether each bucket of a histogram remembers the trace of one value.
        max_series: how many series it may have; values beyond are counted in one more series, all
            of whose labels are `other`.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    combine: Combine = Combine.SUM
    exemplars: bool = False
    max_series: int = field(default=MAX_SERIES, compare=False)

    @property
    def base(self) -> str:
        """The name that OpenMetrics gives the metric: that of a counter without its suffix."""
        return self.name.removesuffix("_total")

    @property
    def where(self) -> str:
        """The call that made the metric, for messages."""
        return f"service.metrics.{self.kind.value}({self.name!r}, …)"

    def check(self) -> None:
        """Refuse a metric that could not be exposed.

        Raises:
            ImproperlyConfigured: it has mistakes, all of which are listed.
        """
        problems = [
            *_check_name(self),
            *_check_labels(self),
            *_check_buckets(self),
        ]
        if not _is_text(self.help):
            advice = "Write one line that says what is measured."
            problems.append(Problem(self.where, "it has no help text", advice=advice))
        if self.max_series < 1:
            found = f"it has max_series={self.max_series!r}"
            problems.append(Problem(self.where, found, "1 or more"))
        if problems:
            raise ImproperlyConfigured.of(problems)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME(name) is not None


def _is_text(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _check_name(facts: MetricFacts) -> list[Problem]:
    name, where = facts.name, facts.where
    if not _is_name(name):
        expected = "letters, digits and underscores, not beginning with a digit"
        return [Problem(where, f"{name!r} is no name of a metric", expected)]
    is_counter = facts.kind is MetricKind.COUNTER
    if is_counter and (not name.endswith("_total") or name == "_total"):
        expected = 'a name that ends in "_total"'
        advice = f"Call it {name}_total, or make it a gauge."
        return [Problem(where, "it is a counter", expected, advice)]
    base = facts.base if is_counter else name
    for suffix in _SUFFIXES:
        if base.endswith(suffix):
            found = f"its name ends in {suffix!r}, which the exposition appends by itself"
            return [Problem(where, found, advice=f"Call it {base.removesuffix(suffix)}.")]
    return []


def _check_labels(facts: MetricFacts) -> list[Problem]:
    where, labels = facts.where, facts.labels
    problems = []
    for label in labels:
        if not _is_name(label) or label.startswith("__"):
            expected = "letters, digits and underscores, not beginning with a digit or with __"
            problems.append(Problem(where, f"{label!r} is no name of a label", expected))
        elif label in _RESERVED:
            found = f"the label {label!r} belongs to Prometheus"
            problems.append(Problem(where, found, advice="Choose another name."))
    if len(set(labels)) < len(labels):
        problems.append(Problem(where, f"a label stands twice in {labels!r}"))
    return problems


def _check_buckets(facts: MetricFacts) -> list[Problem]:
    buckets, where = facts.buckets, facts.where
    if facts.kind is not MetricKind.HISTOGRAM:
        return []
    finite = all(map(_is_number, buckets))
    expected = "finite numbers that grow, such as (0.1, 0.5, 1.0)"
    if not buckets or not finite or list(buckets) != sorted(set(buckets)):
        return [Problem(where, f"its buckets are {buckets!r}", expected)]
    if len(buckets) > _MAX_BUCKETS:
        return [Problem(where, f"it has {len(buckets)} buckets", f"at most {_MAX_BUCKETS}")]
    return []


def read_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the names of labels as a tuple; one text would be taken for its letters."""
    return (labels,) if isinstance(labels, str) else tuple(labels)
