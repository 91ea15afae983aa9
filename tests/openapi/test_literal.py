"""What of a declaration's values a document may quote."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest

from msframework.openapi.literal import read_literal, read_literals
from msframework.types import UNSET


class Colour(Enum):
    RED = "r"


class Name(str):
    """A string type of somebody's own."""


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (1.5, 1.5),
        (Name("x"), "x"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (dt.date(2024, 2, 29), "2024-02-29"),
        (dt.datetime(2024, 2, 29, 1, 2, 3, tzinfo=dt.UTC), "2024-02-29T01:02:03+00:00"),
        (dt.time(1, 2), "01:02:00"),
        (Colour.RED, "r"),
        (OrderedDict(a=(1, Decimal(2))), {"a": [1, "2"]}),
        (frozenset({1}), [1]),
    ],
)
def test_a_plain_value_is_quoted_as_json_holds_it(value, literal):
    found = read_literal(value)

    assert found == literal
    assert type(found) is type(literal)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), Colour, print, b"x", [1, object()], {"a": int}]
)
def test_what_json_cannot_hold_is_unset(value):
    assert read_literal(value) is UNSET


def test_a_list_of_literals_keeps_order_and_tells_true_from_one():
    assert read_literals([1, True, 2, 1, object(), 0, False]) == [1, True, 2, 0, False]
    assert [type(item) for item in read_literals([1, True])] == [int, bool]
