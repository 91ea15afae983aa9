"""The reference of all metrics, as Markdown: `python -m msframework.metrics.reference`.

Runs when the documentation is made (`make reference`), never in a service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sanic import Sanic

from msframework.app import Service
from msframework.conf.operations import OperationsSettings
from msframework.conf.settings import DatabaseSettings, ServiceEntry, Settings
from msframework.metrics.facts import MetricFacts, MetricKind
from msframework.serving.request import Request

_HEAD = """# Metrics

The metrics that every service has where `OPERATIONS_PORT` or `DEBUG` is set, at `/metrics`.
[How to watch a service](../how-to/metrics.md) tells how to read them and how to add your own;
`deploy/` has a dashboard and alert rules for them.

Counters and histograms are the sums of all workers, including those that have ended; gauges are the
sums of the living workers, unless the table says otherwise. Each metric has a bounded number of
series; values beyond are counted in one whose labels are all `other`.

`make reference` writes this page, from the metrics of a service that has every part.

| name | kind | labels | measures |
|---|---|---|---|"""
_BUCKETS = """
## Buckets

A histogram `NAME` has the series `NAME_bucket` (label `le`), `NAME_sum` and `NAME_count`.

| name | upper bounds |
|---|---|"""


def own_metrics() -> tuple[MetricFacts, ...]:
    """Return the facts of the metrics that a service with every part has, by name."""
    settings = Settings(
        service_name="reference",
        database=DatabaseSettings(url="postgresql://localhost/reference"),
        services={"other": ServiceEntry("other", "http://localhost")},
        operations=OperationsSettings(port=0, shedding=True, rate_limits=("1000/minute",)),
    )
    service = Service(settings)
    try:
        service.add_route(_answer, "/")
        service.compile()
        found = (family.facts for family in service.metrics)
        return tuple(sorted(found, key=lambda facts: facts.name))
    finally:
        Sanic.unregister_app(service)


async def _answer(request: Request) -> Any:
    """Answer nothing."""
    return {}


def render_reference() -> str:
    """Return the text of `docs/reference/metrics.md`."""
    found = own_metrics()
    return "\n".join([_HEAD, *map(_row, found), _BUCKETS, *_buckets(found), ""])


def _row(facts: MetricFacts) -> str:
    labels = ", ".join(f"`{label}`" for label in facts.labels)
    return f"| `{facts.name}` | {facts.kind.value} | {labels} | {facts.help} |"


def _buckets(found: Iterable[MetricFacts]) -> Iterator[str]:
    for facts in found:
        if facts.kind is MetricKind.HISTOGRAM:
            yield f"| `{facts.name}` | {', '.join(f'{each:g}' for each in facts.buckets)} |"


if __name__ == "__main__":
    print(render_reference(), end="")
