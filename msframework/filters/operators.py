"""The operators of filters: the columns that each fits, the values it reads, its condition.

The table is made once; `FilterOperator.condition` runs per request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import fields, validate

from msframework.filters.columns import ColumnKind, FilterColumn
from msframework.filters.condition import (
    Arguments,
    Between,
    Compared,
    Condition,
    ConditionForm,
    NullTest,
    OneOfMany,
    escape_like,
)
from msframework.schemas.lists import MOST_ITEMS, CommaList, JSONText
from msframework.schemas.strict import StrictBoolean
from msframework.types import Field, JSONObject

LONGEST_TEXT: Final = 200
SEPARATOR: Final = "__"
_JSON_KINDS: Final = ("object", "array", "string", "number", "boolean")

MakeField = Callable[[FilterColumn, JSONObject], Field]
MakeArguments = Callable[[FilterColumn, Any], Arguments]


@dataclass(frozen=True, slots=True)
class FilterOperator:
    """One operator.

    Attributes:
        text: its meaning, for the document, with the column in the place of `{}`.
        kinds: the columns that it fits.
        field: makes the field of its parameter, with the metadata that are given.
        arguments: makes the arguments of a loaded value.
    """

    name: str
    text: str
    kinds: frozenset[ColumnKind]
    form: ConditionForm
    field: MakeField
    arguments: MakeArguments

    def condition(self, column: FilterColumn, value: Any) -> Condition:
        """Return the condition that *column* has to *value*.

        Raises:
            ValueError: the column has no such value.
        """
        return Condition(self.form, column, self.arguments(column, value))


class NullOperator(FilterOperator):
    """`isnull`, whose form depends on the value."""

    __slots__ = ()

    def condition(self, column: FilterColumn, value: Any) -> Condition:
        """Return the condition that *column* is NULL, or is not."""
        return Condition(NullTest(bool(value)), column, ())


def _exact(column: FilterColumn, metadata: JSONObject) -> Field:
    return column.exact(metadata=metadata)


def _exact_list(column: FilterColumn, metadata: JSONObject) -> Field:
    return CommaList(column.exact(), validate=validate.Length(min=1), metadata=metadata)


def _bound(column: FilterColumn, metadata: JSONObject) -> Field:
    return column.bound(metadata=metadata)


def _two_bounds(column: FilterColumn, metadata: JSONObject) -> Field:
    two = validate.Length(equal=2)
    return CommaList(column.bound(), most=2, validate=two, metadata=metadata)


def _part(column: FilterColumn, metadata: JSONObject) -> Field:
    return fields.String(validate=validate.Length(max=LONGEST_TEXT), metadata=metadata)


def _truth(column: FilterColumn, metadata: JSONObject) -> Field:
    return StrictBoolean(metadata=metadata).reading_text()


def _contained(column: FilterColumn, metadata: JSONObject) -> Field:
    if column.kind is ColumnKind.ARRAY:
        return CommaList(column.item(), validate=validate.Length(min=1), metadata=metadata)
    return JSONText(metadata={"type": list(_JSON_KINDS), **metadata})


def _one(column: FilterColumn, value: Any) -> Arguments:
    return (column.stored(value),)


def _several(column: FilterColumn, values: Any) -> Arguments:
    return ([column.stored(value) for value in values],)


def _each(column: FilterColumn, values: Any) -> Arguments:
    return tuple(column.stored(value) for value in values)


def _pattern(before: str, after: str) -> MakeArguments:
    def make_pattern(column: FilterColumn, value: Any) -> Arguments:
        return (f"{before}{escape_like(value)}{after}",)

    return make_pattern


def _raw(column: FilterColumn, value: Any) -> Arguments:
    return (value if column.kind is ColumnKind.JSONB else column.stored(value),)


_ALIKE: Final = frozenset(
    (ColumnKind.TEXT, ColumnKind.ORDERED, ColumnKind.CHOICE, ColumnKind.BYTES)
)
_ORDERED: Final = frozenset((ColumnKind.TEXT, ColumnKind.ORDERED))
_TEXT: Final = frozenset((ColumnKind.TEXT,))
_HELD: Final = frozenset((ColumnKind.ARRAY, ColumnKind.JSONB))
_EQUAL: Final = _ALIKE | {ColumnKind.BOOLEAN}

_TABLE: Final = (
    FilterOperator("eq", "`{}` is this.", _EQUAL, Compared("="), _exact, _one),
    FilterOperator(
        "ne",
        "`{}` is not this; it may be null.",
        _EQUAL,
        Compared("IS DISTINCT FROM"),
        _exact,
        _one,
    ),
    FilterOperator(
        "in",
        f"`{{}}` is one of these, {MOST_ITEMS} at most.",
        _ALIKE,
        OneOfMany(),
        _exact_list,
        _several,
    ),
    FilterOperator("lt", "`{}` is less than this.", _ORDERED, Compared("<"), _bound, _one),
    FilterOperator("lte", "`{}` is this or less.", _ORDERED, Compared("<="), _bound, _one),
    FilterOperator("gt", "`{}` is more than this.", _ORDERED, Compared(">"), _bound, _one),
    FilterOperator("gte", "`{}` is this or more.", _ORDERED, Compared(">="), _bound, _one),
    FilterOperator(
        "range",
        "`{}` lies between these two, or is one of them.",
        _ORDERED,
        Between(),
        _two_bounds,
        _each,
    ),
    NullOperator(
        "isnull", "Whether `{}` is null.", frozenset(ColumnKind), NullTest(True), _truth, _each
    ),
    FilterOperator(
        "icontains",
        "`{}` contains this, in small letters or capitals.",
        _TEXT,
        Compared("ILIKE"),
        _part,
        _pattern("%", "%"),
    ),
    FilterOperator(
        "startswith", "`{}` begins with this.", _TEXT, Compared("LIKE"), _part, _pattern("", "%")
    ),
    FilterOperator(
        "istartswith",
        "`{}` begins with this, in small letters or capitals.",
        _TEXT,
        Compared("ILIKE"),
        _part,
        _pattern("", "%"),
    ),
    FilterOperator(
        "contains", "`{}` contains this.", _TEXT, Compared("LIKE"), _part, _pattern("%", "%")
    ),
)
_CONTAINS: Final = FilterOperator(
    "contains", "`{}` contains this.", _HELD, Compared("@>"), _contained, _raw
)
OPERATORS: Final[Mapping[str, FilterOperator]] = {each.name: each for each in _TABLE}


def operator_of(name: str, kind: ColumnKind) -> FilterOperator | None:
    """Return the operator *name* for columns of *kind*; `None` where none of them fits."""
    if name == "contains" and kind in _HELD:
        return _CONTAINS
    found = OPERATORS.get(name)
    return found if found is not None and kind in found.kinds else None


def operators_of(kind: ColumnKind) -> tuple[str, ...]:
    """Return the names of the operators that fit columns of *kind*."""
    return tuple(name for name in OPERATORS if operator_of(name, kind) is not None)
