"""The text of `/metrics`, in Prometheus' format or in OpenMetrics, by prometheus-client's writers.

Runs per scrape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msframework.metrics.facts import MetricFacts, MetricKind
from msframework.metrics.series import EXEMPLAR, read_exemplar
from msframework.metrics.snapshot import Numbers, Snapshot

if TYPE_CHECKING:
    from prometheus_client.core import Exemplar, Metric

    Buckets: TypeAlias = list[tuple[str, float] | tuple[str, float, Exemplar]]

EXTRA: Final = "pip install 'msframework[metrics]'"
_OPEN_METRICS: Final = "application/openmetrics-text"
_PLAIN: Final = ("text/plain", "text/*", "*/*")


def is_installed() -> bool:
    """Return whether there is the package that writes `/metrics`."""
    return find_spec("prometheus_client") is not None


def render(snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
    """Return *snapshot* in the form that the header *accept* asks for, and its media type."""
    # NOTE: imported here, as a service that nobody scrapes has no use for it.
    from prometheus_client import exposition

    families = _Families(snapshot)
    if prefers_open_metrics(accept):
        from prometheus_client.openmetrics import exposition as open_metrics

        write: Any = open_metrics.generate_latest
        return write(families), open_metrics.CONTENT_TYPE_LATEST
    return exposition.generate_latest(families), exposition.CONTENT_TYPE_PLAIN_0_0_4


def prefers_open_metrics(accept: str) -> bool:
    """Return whether *accept* (RFC 9110, 12.5.1) asks for OpenMetrics rather than plain text."""
    weights = dict[str, float]()
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        weights[name] = max(_weight(parameters), weights.get(name, 0.0))
    wanted = weights.get(_OPEN_METRICS, 0.0)
    return wanted > 0 and wanted >= max(weights.get(name, 0.0) for name in _PLAIN)


def _weight(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


class _Families:
    """The metric families of a snapshot, as prometheus-client's writers expect them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Yield the families with their samples."""
        for facts, numbers in self._snapshot:
            yield build_family(facts, numbers)


def build_family(facts: MetricFacts, numbers: Numbers) -> Metric:
    """Return the metric family of *facts* with its samples."""
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    name, text, labels = facts.name, facts.help, facts.labels
    if facts.kind is MetricKind.HISTOGRAM:
        histogram = HistogramMetricFamily(name, text, labels=labels)
        for values, cells in sorted(numbers.items()):
            histogram.add_metric(values, _buckets(facts, cells), cells[0])
        return histogram
    is_counter = facts.kind is MetricKind.COUNTER
    simple = (CounterMetricFamily if is_counter else GaugeMetricFamily)(name, text, labels=labels)
    for values, cells in sorted(numbers.items()):
        simple.add_metric(values, cells[0])
    return simple


def _buckets(facts: MetricFacts, cells: list[float]) -> Buckets:
    """Return the upper bound, cumulative count and exemplar of each bucket."""
    from prometheus_client.core import Exemplar
    from prometheus_client.utils import floatToGoString

    write: Any = floatToGoString
    bounds = [*facts.buckets, float("inf")]
    first = len(bounds) + 1
    totals = accumulate(cells[1:first])
    found: Buckets = []
    for number, (bound, total) in enumerate(zip(bounds, totals, strict=True)):
        read = None
        if facts.exemplars:
            read = read_exemplar(cells, first + number * EXEMPLAR)
        if read is None:
            found.append((write(bound), total))
        else:
            exemplar = Exemplar({"trace_id": read[2]}, read[1], read[0])
            found.append((write(bound), total, exemplar))
    return found
