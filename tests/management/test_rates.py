"""The warning of `check` where each worker counts for itself, and the limits in `routes`."""

import json

import pytest

from msframework import doc
from msframework.conf.operations import OperationsSettings
from msframework.management.commands.routes import _echo_table, _facts
from msframework.management.rates import find_rate_advice

REDIS = "redis://127.0.0.1/0"


def limited(make_service, **changes):
    """Return a service with one limit."""
    service = make_service(**changes)

    @service.get("/")
    @doc.rate_limit("2/hour; 1/minute", by="address")
    async def read(request): ...

    @service.get("/free")
    async def free(request): ...

    return service


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 1),
        ({"debug": True}, 0),
        ({"debug": True, "server": {"workers": 2}}, 1),
        ({"operations": OperationsSettings(rate_limit_storage=REDIS)}, 0),
    ],
    ids=["production", "a desk", "two workers", "a store"],
)
def test_counts_of_each_worker_are_warned_of(make_service, changes, count):
    found = list(find_rate_advice(limited(make_service, **changes)))

    assert len(found) == count
    assert all("RATE_LIMIT_STORAGE is memory://" in text for text in found)


def test_without_limits_there_is_no_warning(make_service):
    assert list(find_rate_advice(make_service())) == []


class Table:
    """A project that keeps what is printed."""

    def table(self, columns, rows):
        self.columns, self.rows = columns, list(rows)


def test_routes_show_the_limits(make_service):
    first, second = operations = limited(make_service).operations
    table = Table()

    _echo_table(table, operations)

    assert table.columns[-1] == "limits"
    assert [row[-1] for row in table.rows] == ["2/hour by address; 1/minute by address", ""]
    assert json.loads(json.dumps(_facts(first)))["limits"] == [
        "2/hour by address",
        "1/minute by address",
    ]
    _echo_table(table, [second])
    assert table.columns[-1] == "where"
