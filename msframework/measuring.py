"""`build_measuring`: the service's own metrics, where somebody can read them.

Runs at start-up; what it registers with `read` is asked once a second.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from msframework.client import Clients
from msframework.db import Database
from msframework.db.statement import Kind
from msframework.metrics import Metrics, catalogue
from msframework.metrics.calls import CallTimer
from msframework.metrics.process import GarbageWatch, register_process
from msframework.metrics.sharing import MetricsSharing
from msframework.metrics.statements import StatementTimer
from msframework.types import Part

Readings = Mapping[tuple[str, ...], float]


def build_measuring(service: Any) -> tuple[Part, ...]:
    """Register the metrics of *service* and its parts; return the parts that measure."""
    metrics, settings = service.metrics, service.settings
    register_process(metrics)
    facts = (settings.service_name, _own_version(), platform.python_version())
    metrics.register(catalogue.BUILD_INFO, read=lambda: {facts: 1.0})
    serving, monitor = service._serving, service.monitor
    metrics.register(catalogue.REQUESTS_IN_FLIGHT, read=lambda: serving.in_flight)
    metrics.register(catalogue.CONNECTIONS, read=lambda: serving.watch.connections)
    serving.bound.measure(metrics)
    metrics.register(catalogue.LOOP_LAG, read=lambda: monitor.lag)
    if settings.log.access:
        log = service.access_log
        metrics.register(catalogue.ACCESS_LINES_DROPPED, read=lambda: log.dropped)
    if settings.tracing.enabled:
        _register_spans(metrics, service.queue)
    if settings.database.url is not None:
        _register_database(metrics, service.db)
    _register_clients(metrics, service.clients)
    # NOTE: the first starts before all that counts, so that it counts where it is shared.
    return MetricsSharing(metrics), GarbageWatch(metrics)


def _own_version() -> str:
    try:
        return version("msframework")
    except PackageNotFoundError:  # run out of its sources
        return "unknown"


def _register_spans(metrics: Metrics, queue: Any) -> None:
    def exported() -> Readings:
        return {(lane.exporter.name,): lane.exported for lane in queue.lanes}

    def dropped() -> Readings:
        return {
            (lane.exporter.name, reason): count
            for lane in queue.lanes
            for reason, count in lane.counts().items()
        }

    metrics.register(catalogue.SPANS_EXPORTED, read=exported)
    metrics.register(catalogue.SPANS_DROPPED, read=dropped)


def _register_database(metrics: Metrics, db: Database) -> None:
    db.measure(StatementTimer(metrics, tuple(kind.value for kind in Kind)).observe)

    def by_pool(count: Callable[[Any], float]) -> Callable[[], Readings]:
        return lambda: {(name,): count(pool.counts) for name, pool in db.pools.items()}

    def by_state() -> Readings:
        found = dict[tuple[str, ...], float]()
        for name, pool in db.pools.items():
            counts = pool.counts
            found |= {(name, "used"): counts.used, (name, "free"): counts.free}
        return found

    metrics.register(catalogue.POOL_CONNECTIONS, read=by_state)
    metrics.register(catalogue.POOL_LIMIT, read=by_pool(lambda counts: counts.limit))
    metrics.register(catalogue.POOL_WAITING, read=by_pool(lambda counts: counts.waiting))
    metrics.register(catalogue.POOL_WAITS, read=by_pool(lambda counts: counts.waits))


def _register_clients(metrics: Metrics, clients: Clients) -> None:
    for name, client in clients.items():
        client.measure(CallTimer(metrics, name))
