"""One condition of a query, as an expression of peewee and as SQL text. Runs per request.

Both come from the same form of a condition, with the same arguments: what a caller sends is always
an argument, and never part of the text.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

import peewee
from peewee import Expression, fn

from msframework.filters.columns import FilterColumn
from msframework.models.base import unconverted

Arguments = tuple[Any, ...]
_LIKE: Final = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


class ConditionForm(Protocol):
    """The form of a condition: what stands around the column and the arguments."""

    def express(self, column: peewee.Field, args: Arguments) -> peewee.Node:
        """Return the expression of peewee."""

    def write(self, column: str, number: int) -> str:
        """Return the SQL text, whose first argument is `$number`."""


class Condition(NamedTuple):
    """A form with its column and its arguments."""

    form: ConditionForm
    column: FilterColumn
    args: Arguments


class Compared(NamedTuple):
    """A column before an operator of SQL and one argument."""

    operator: str

    def express(self, column: peewee.Field, args: Arguments) -> peewee.Node:
        """Return the expression of peewee."""
        return Expression(column, self.operator, unconverted(args[0]))

    def write(self, column: str, number: int) -> str:
        """Return the SQL text, whose first argument is `$number`."""
        return f"{column} {self.operator} ${number}"


class OneOfMany(NamedTuple):
    """A column that equals any item of one argument, so that each number of items is one text."""

    def express(self, column: peewee.Field, args: Arguments) -> peewee.Node:
        """Return the expression of peewee."""
        return Expression(column, "=", fn.ANY(unconverted(args[0])))

    def write(self, column: str, number: int) -> str:
        """Return the SQL text, whose first argument is `$number`."""
        return f"{column} = ANY(${number})"


class Between(NamedTuple):
    """A column between two arguments, or equal to one of them."""

    def express(self, column: peewee.Field, args: Arguments) -> peewee.Node:
        """Return the expression of peewee."""
        return column.between(unconverted(args[0]), unconverted(args[1]))

    def write(self, column: str, number: int) -> str:
        """Return the SQL text, whose first argument is `$number`."""
        return f"{column} BETWEEN ${number} AND ${number + 1}"


class NullTest(NamedTuple):
    """A column that is NULL, or is not; without an argument."""

    is_null: bool

    def express(self, column: peewee.Field, args: Arguments) -> peewee.Node:
        """Return the expression of peewee."""
        node: peewee.Node = column.is_null(self.is_null)
        return node

    def write(self, column: str, number: int) -> str:
        """Return the SQL text."""
        return f"{column} IS NULL" if self.is_null else f"{column} IS NOT NULL"


def escape_like(text: str) -> str:
    """Return the pattern of LIKE that matches *text* itself."""
    return text.translate(_LIKE)
