"""`RequestCounter`: the duration of requests, by method, route and status.

`of_operation` runs at start-up, all else per request.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from msframework.metrics.catalogue import REQUEST_DURATION
from msframework.metrics.facts import OTHER
from msframework.metrics.registry import Metrics
from msframework.metrics.series import Series

# The methods of RFC 9110, section 9, and PATCH (RFC 5789); any other is `other`.
METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
)
# A function that counts a request by its status.
CountRequest = Callable[[Any, int], None]


class RequestCounter:
    """Counts each request once, with bounded values of labels: declared routes, known methods."""

    def __init__(self, metrics: Metrics) -> None:
        self._family = metrics.register(REQUEST_DURATION)
        self._counts: dict[tuple[str, str], CountRequest] = {}

    def of_operation(self, method: str, route: str) -> CountRequest:
        """Return the function that counts requests of *method* to *route*, a template."""
        found = self._counts.get((method, route))
        if found is None:
            found = self._counts[method, route] = self._build(method, route)
        return found

    def _build(self, method: str, route: str) -> CountRequest:
        family, known = self._family, dict[int, Series]()

        def count(request: Any, status: int) -> None:
            # PERF: only the status is looked up (benchmarks/metrics.py).
            series = known.get(status)
            if series is None:
                series = known[status] = family.series(method, route, str(status))
            # NOTE: under an ASGI server, and for a refused head, the time of the start is unknown.
            began = getattr(request.stream, "perft0", None)
            duration = 0.0 if began is None else perf_counter() - began
            series.observe(duration)
            span = request.span
            if span is not None and span.sampled:
                series.remember(duration, span.trace_id)

        return count

    def count(self, request: Any, route: str, status: int) -> None:
        """Count a request that no compiled handler answered; *route* is "" if it matched none."""
        method = request.method if request.method in METHODS else OTHER
        self.of_operation(method, route)(request, status)
