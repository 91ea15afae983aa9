"""The priority of an operation: the nearest declaration to the method wins."""

import pytest

from msframework import Blueprint, Resource, doc
from msframework.exceptions import ImproperlyConfigured


def declare(service, **levels):
    blueprint = Blueprint("jobs", priority=levels.get("blueprint", ""))

    @blueprint.resource("/one")
    class One(Resource):
        priority = levels.get("resource", "")

        async def get(self, request):
            return {}

    if "method" in levels:
        doc.priority(levels["method"])(One.get)
    service.blueprint(blueprint)
    return service


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ({}, "normal"),
        ({"blueprint": "low"}, "low"),
        ({"blueprint": "low", "resource": "high"}, "high"),
        ({"blueprint": "low", "resource": "high", "method": "normal"}, "normal"),
    ],
    ids=["none", "blueprint", "resource", "method"],
)
def test_the_nearest_to_the_method_wins(make_service, levels, expected):
    (operation,) = declare(make_service(), **levels).operations
    assert operation.priority == expected


@pytest.mark.parametrize("level", ["urgent", 3])
def test_a_priority_that_there_is_not_is_refused(make_service, level):
    with pytest.raises(ImproperlyConfigured, match=r"its priority is .*; expected one of high, n"):
        _ = declare(make_service(), method=level).operations
