"""The names, labels and help texts of the metrics that the framework itself has.

Tests compare `docs/reference/metrics.md`, the dashboard and the alert rules with them. The names
follow https://prometheus.io/docs/practices/naming/: base units, one prefix.
"""

from __future__ import annotations

from typing import Final

from msframework.metrics.facts import DURATIONS, Combine, MetricFacts, MetricKind

_COUNTER, _GAUGE, _HISTOGRAM = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM

REQUEST_DURATION: Final = MetricFacts(
    "msframework_request_duration_seconds",
    _HISTOGRAM,
    "Time from the head of a request to the end of its answer; of a websocket, to its end.",
    ("method", "route", "status"),
    DURATIONS,
    exemplars=True,
    max_series=2000,
)
REQUESTS_IN_FLIGHT: Final = MetricFacts(
    "msframework_requests_in_flight", _GAUGE, "Requests that are handled now."
)
CONNECTIONS: Final = MetricFacts(
    "msframework_connections", _GAUGE, "Connections of clients that are open."
)
CONNECTIONS_EVICTED: Final = MetricFacts(
    "msframework_connections_evicted_total",
    _COUNTER,
    "Connections closed for new ones at MAX_CONNECTIONS, by state: new, idle or stalled.",
    ("state",),
)
CONNECTIONS_REFUSED: Final = MetricFacts(
    "msframework_connections_refused_total",
    _COUNTER,
    "Connections that there was no room for, by outcome: answered (a 503) or closed.",
    ("outcome",),
)
LOOP_LAG: Final = MetricFacts(
    "msframework_loop_lag_seconds",
    _GAUGE,
    "Seconds by which the event loop turned later than planned, of the worker with most.",
    combine=Combine.MAX,
)
POOL_CONNECTIONS: Final = MetricFacts(
    "msframework_pool_connections",
    _GAUGE,
    "Connections to PostgreSQL by pool and state: used or free.",
    ("pool", "state"),
)
POOL_LIMIT: Final = MetricFacts(
    "msframework_pool_connections_limit",
    _GAUGE,
    "Connections that a pool may have, of all workers together.",
    ("pool",),
)
POOL_WAITING: Final = MetricFacts(
    "msframework_pool_waiting", _GAUGE, "Borrowers that wait for a connection.", ("pool",)
)
POOL_WAITS: Final = MetricFacts(
    "msframework_pool_waits_total",
    _COUNTER,
    "Borrowers that had to wait for a connection.",
    ("pool",),
)
STATEMENT_DURATION: Final = MetricFacts(
    "msframework_statement_duration_seconds",
    _HISTOGRAM,
    "Time of a statement, the wait for a connection included, by kind and outcome.",
    ("kind", "outcome"),
    DURATIONS,
)
CALL_DURATION: Final = MetricFacts(
    "msframework_call_duration_seconds",
    _HISTOGRAM,
    "Time of a call to another service, by the class of its status or the kind of its failure.",
    ("service", "outcome"),
    DURATIONS,
)
SPANS_EXPORTED: Final = MetricFacts(
    "msframework_spans_exported_total",
    _COUNTER,
    "Spans that an exporter has sent.",
    ("exporter",),
)
SPANS_DROPPED: Final = MetricFacts(
    "msframework_spans_dropped_total",
    _COUNTER,
    "Spans that were lost on their way to an exporter.",
    ("exporter", "reason"),
)
ACCESS_LINES_DROPPED: Final = MetricFacts(
    "msframework_access_lines_dropped_total", _COUNTER, "Access lines that were not written."
)
WORKER_STARTS: Final = MetricFacts(
    "msframework_worker_starts_total",
    _COUNTER,
    "Starts of workers, by what became of the one before: it died, hung, failed to start, was "
    "renewed (SIGHUP), or its code was changed (--reload).",
    ("reason",),
)
BUILD_INFO: Final = MetricFacts(
    "msframework_build_info",
    _GAUGE,
    "1 for each worker, by the versions of the framework and of Python.",
    ("service", "version", "python"),
)
GC_PAUSE: Final = MetricFacts(
    "python_gc_pause_seconds",
    _HISTOGRAM,
    "Time of a collection of the garbage collector, by generation.",
    ("generation",),
    (0.0001, 0.001, 0.01, 0.1, 1.0),
)
PROCESS_CPU: Final = MetricFacts(
    "process_cpu_seconds_total", _COUNTER, "CPU time, user and system, of all workers together."
)
PROCESS_MEMORY: Final = MetricFacts(
    "process_resident_memory_bytes", _GAUGE, "Resident memory of all workers together."
)
PROCESS_OPEN_FDS: Final = MetricFacts(
    "process_open_fds",
    _GAUGE,
    "File descriptors that are open, of the worker with most.",
    combine=Combine.MAX,
)
PROCESS_MAX_FDS: Final = MetricFacts(
    "process_max_fds",
    _GAUGE,
    "File descriptors that a worker may have; 2^64 - 1 without a limit.",
    combine=Combine.MIN,
)
PROCESS_START: Final = MetricFacts(
    "process_start_time_seconds",
    _GAUGE,
    "When the oldest worker was started, in seconds since 1970.",
    combine=Combine.MIN,
)
