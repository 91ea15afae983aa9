"""`RequestCounter`: the duration of requests, by method, route and status.

`of_operation` runs at start-up, all else per request.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any, Final

from msframework.metrics.catalogue import REQUEST_DURATION
from msframework.metrics.facts import OTHER
from msframework.metrics.family import Family
from msframework.metrics.registry import Metrics
from msframework.metrics.series import Series

# The methods of RFC 9110, section 9, and PATCH (RFC 5789); any other is `other`.
METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
)


# A series, and when the requests of one batch began, in seconds of `perf_counter`.
_Batch = tuple[Series, list[float]]
_TRACE_EVERY: Final = 1.0  # seconds


class RequestCounter:
    """Counts each request once, with bounded values of labels: declared routes, known methods."""

    def __init__(self, metrics: Metrics) -> None:
        self._family = metrics.register(REQUEST_DURATION)
        self._operations: dict[tuple[str, str], OperationCounter] = {}
        self._batches: list[_Batch] = []

    def of_operation(self, method: str, route: str) -> OperationCounter:
        """Return the counter of requests of *method* to *route*, a template."""
        found = self._operations.get((method, route))
        if found is None:
            found = OperationCounter(self._family, (method, route), self._batches)
            self._operations[method, route] = found
        return found

    def count(self, request: Any, route: str, status: int) -> None:
        """Count a request that ends now; *route* is "" if it matched none."""
        method = request.method if request.method in METHODS else OTHER
        self.of_operation(method, route).count(request, status)

    def settle(self) -> None:
        """Count the requests that were noted; they end now, as their answers are written next.

        PERF: the code that counts comes back to the processor's caches once for all answers that
        are written together (benchmarks/metrics.py).
        """
        batches = self._batches
        if batches:
            now = perf_counter()
            for series, begins in batches:
                if len(begins) == 1:
                    series.observe(now - begins.pop())
                else:
                    series.observe_since(begins, now)
                    begins.clear()
            batches.clear()


class OperationCounter:
    """The counter of one operation.

    Attributes:
        begins: the requests of the present batch by status, as in `_Batch`. Whoever finds some adds
            to them instead of calling `note`.
    """

    __slots__ = ("_batches", "_family", "_labels", "_series", "_traced", "begins")

    def __init__(self, family: Family, labels: tuple[str, str], batches: list[_Batch]) -> None:
        self._family, self._labels, self._batches = family, labels, batches
        self._series: dict[int, Series] = {}
        self._traced: dict[int, tuple[float, float]] = {}  # when, and how long it took, by status
        self.begins: dict[int, list[float]] = {}

    def count(self, request: Any, status: int) -> None:
        """Count a request that ends now; the trace of one that is sampled becomes an exemplar.

        Once a second for each status, and the slower ones.
        """
        series, now = self._find(status), perf_counter()
        # NOTE: under an ASGI server, and for a refused head, the time of the start is unknown.
        began = getattr(request.stream, "perft0", None)
        duration = 0.0 if began is None else now - began
        series.observe(duration)
        span = request.span
        if span is not None and span.sampled:
            traced, slowest = self._traced.get(status, (0.0, -1.0))
            if now - traced >= _TRACE_EVERY or duration > slowest:
                self._traced[status] = (now, duration)
                series.remember(duration, span.trace_id)

    def note(self, request: Any, status: int) -> None:
        """Have `RequestCounter.settle` count a request of the fast path."""
        begins = self.begins.setdefault(status, [])
        if not begins:
            self._batches.append((self._find(status), begins))
        begins.append(request.stream.perft0)

    def _find(self, status: int) -> Series:
        found = self._series.get(status)
        if found is None:
            found = self._series[status] = self._family.series(*self._labels, str(status))
        return found
