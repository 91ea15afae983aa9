"""The parameters of a query that a declaration of filters reads.

Made at start-up; `take` runs per request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

from msframework.filters.columns import FilterColumn, suggest
from msframework.filters.operators import SEPARATOR, FilterOperator
from msframework.filters.ordering import Sorting
from msframework.schemas.lists import CommaList
from msframework.types import Field, JSONObject

LONGEST_SEARCH: Final = 200
# The arguments of a request's `Filters`, as far as its parameters say them.
Wishes = dict[str, Any]


class FilterParameter:
    """One parameter.

    Attributes:
        wire: its name in a query.
        field: the field that reads it.
    """

    def __init__(self, wire: str, field: Field) -> None:
        self.wire, self.field = wire, field

    def take(self, value: Any, wishes: Wishes) -> None:
        """Add the loaded *value* to the *wishes* of a request.

        Raises:
            ValueError: the column has no such value.
        """
        raise NotImplementedError


class ConditionParameter(FilterParameter):
    """A filter: one operator on one column."""

    def __init__(self, column: FilterColumn, operator: FilterOperator) -> None:
        end = "" if operator.name == "eq" else f"{SEPARATOR}{operator.name}"
        text = operator.text.format(column.wire)
        if column.keys:
            text = _tell_across(text, column, operator)
        told = str(column.field.metadata.get("description") or "")
        description = f"{text} {told}" if told else text
        metadata = {"description": description}
        super().__init__(f"{column.wire}{end}", operator.field(column, metadata))
        self._name, self._column, self._operator = f"{column.name}{end}", column, operator

    def take(self, value: Any, wishes: Wishes) -> None:
        """Add the condition."""
        condition = self._operator.condition(self._column, value)
        wishes.setdefault("conditions", []).append(condition)
        wishes.setdefault("values", {})[self._name] = value


def _tell_across(text: str, column: FilterColumn, operator: FilterOperator) -> str:
    """Return *text* and a sentence on rows that have no related one."""
    before = column.wire.rpartition(".")[0]
    if operator.name == "isnull":
        return f"{text.rstrip('.')}, or there is no `{before}`."
    return f"{text} Rows without `{before}` do not match."


class SortParameter(FilterParameter):
    """The order of the rows."""

    def __init__(self, wire: str, sorting: Sorting) -> None:
        offered = list(sorting.offered)
        wires = {key.name: name for name, key in sorting.offered.items()}
        metadata: JSONObject = {
            "description": "The order of the rows; a name with `-` before it falls."
        }
        if sorting.usual.names and wires.keys() >= set(sorting.usual.names):
            metadata["default"] = [wires[name] for name in sorting.usual.names]
        super().__init__(wire, _names(offered, metadata))
        self._sorting = sorting

    def take(self, value: Any, wishes: Wishes) -> None:
        """Add the order."""
        order = self._sorting.read(value)
        wishes["order"], wishes["sort"] = order, order.names


class SearchParameter(FilterParameter):
    """Words that each must stand in one of several columns."""

    def __init__(self, wire: str, columns: Collection[FilterColumn], most: int) -> None:
        listed = [f"`{column.wire}`" for column in columns]
        places = " or ".join([", ".join(listed[:-1]), listed[-1]] if listed[1:] else listed)
        text = f"Words that must all stand in {places}; the first {most} of them count."
        check = validate.Length(max=LONGEST_SEARCH)
        super().__init__(wire, fields.String(validate=check, metadata={"description": text}))

    def take(self, value: Any, wishes: Wishes) -> None:
        """Add the words."""
        wishes["search"] = value


class FieldsParameter(FilterParameter):
    """The fields of each row that are answered."""

    def __init__(self, wire: str, names: Mapping[str, str]) -> None:
        text = "The fields of each row; all of them without this."
        super().__init__(wire, _names(list(names), {"description": text}))
        self._names = names

    def take(self, value: Any, wishes: Wishes) -> None:
        """Add the names."""
        wishes["fields"] = frozenset(self._names[name] for name in value)


class ExpandParameter(FilterParameter):
    """The related objects that are answered in the place of their keys."""

    def __init__(self, wire: str, paths: Collection[str]) -> None:
        text = "The related objects that are answered whole."
        super().__init__(wire, _names(list(paths), {"description": text}))

    def take(self, value: Any, wishes: Wishes) -> None:
        """Add the paths, and those that they go through."""
        wishes["expand"] = frozenset(step for path in value for step in _steps(path))


def _steps(path: str) -> Iterator[str]:
    """Yield `city` and `city.province` for the latter."""
    parts = path.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _names(names: list[str], metadata: JSONObject) -> Field:
    """Return the field of a list of some of *names*."""
    item = fields.String(validate=KnownName(names))
    return NameList(item, most=len(names), validate=validate.Length(min=1), metadata=metadata)


class NameList(CommaList):
    """A list of names, of which the first wrong one is told: each message lists all that are known.

    Comparing a wrong name with all of them takes long where there are a hundred.
    """

    most_wrong = 1


class KnownName(validate.OneOf):
    """Refuses other names than those that it lists, and asks whether a like one was meant."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(names)
        self._names = names

    def __call__(self, value: Any) -> Any:
        if value in self._names:
            return value
        told = f"Must be one of: {', '.join(self._names)}."
        raise ValidationError(f"{told} {suggest(value, self._names)}".rstrip())
