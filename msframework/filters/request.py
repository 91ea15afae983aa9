"""`Filters`: what one request asks of a listing. Made per request that has a query string."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any, Final, TypeVar

from peewee import Expression, Node

from msframework.filters.columns import FilterColumn, quote
from msframework.filters.condition import Condition, escape_like
from msframework.filters.ordering import SortOrder
from msframework.models.base import unconverted

Q = TypeVar("Q")
MOST_WORDS: Final = 10
NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Filters:
    """The conditions, the order and the further wishes of one request.

    Attributes:
        values: the value of each filter that was given, by its name in the declaration.
        search: the text that was searched for; empty without one.
        sort: the names of the order that was asked for; empty where it is the usual one.
        fields: the fields of a row that were asked for, by their names in the schema; `None` for
            all.
        expand: the related objects that were asked for, and those on the way to them.
    """

    __slots__ = (
        "_conditions",
        "_order",
        "_searched",
        "_words",
        "expand",
        "fields",
        "search",
        "sort",
        "values",
    )

    def __init__(
        self,
        order: SortOrder,
        conditions: Sequence[Condition] = (),
        values: Mapping[str, Any] = NOTHING,
        *,
        searched: Sequence[FilterColumn] = (),
        search: str = "",
        sort: tuple[str, ...] = (),
        fields: frozenset[str] | None = None,
        expand: frozenset[str] = frozenset(),
    ) -> None:
        self._order, self._conditions, self._searched = order, conditions, searched
        self._words = search.split()[:MOST_WORDS] if search else ()
        self.values, self.search, self.sort = values, search, sort
        self.fields, self.expand = fields, expand

    async def scoped(self, request: object, principal: object = None) -> Filters:
        """Return the filters that look at no more related rows than the caller may see.

        A method must call it before it uses filters whose declaration has scopes of related rows.
        """
        return self

    def apply(self, query: Q) -> Q:
        """Return the peewee select *query* with the conditions and the order.

        An order that *query* has already comes first where the request asks for none.
        """
        found: Any = query
        conditions = self.expressions()
        if conditions:
            found = found.where(*conditions)
        if self.sort:
            found = found.order_by(*self._order.nodes)
        elif self._order.nodes:
            found = found.order_by_extend(*self._order.nodes)
        applied: Q = found
        return applied

    def expressions(self) -> list[Node]:
        """Return the conditions as expressions of peewee, all of which must hold."""
        found = [form.express(column.column, args) for form, column, args in self._conditions]
        for word in self._words:
            pattern = pattern_of(word)
            found.append(reduce(operator.or_, [like(each, pattern) for each in self._searched]))
        return found

    def where(self, first: int = 1, *, alias: str = "") -> tuple[str, tuple[object, ...]]:
        """Return the conditions as SQL text for `WHERE`, and its arguments.

        The text is `TRUE` without a condition.

        Args:
            first: the number of its first argument: 3 where the statement has `$1` and `$2`.
            alias: the name of the table in the statement, where columns need one.
        """
        prefix = f"{quote(alias)}." if alias else ""
        parts, args = self._write_conditions(prefix, first)
        for word in self._words:
            number = first + len(args)
            either = " OR ".join(f"{prefix}{each.sql} ILIKE ${number}" for each in self._searched)
            parts.append(f"({either})")
            args.append(pattern_of(word))
        return " AND ".join(parts) or "TRUE", tuple(args)

    def _write_conditions(self, prefix: str, first: int) -> tuple[list[str], list[Any]]:
        """Return the texts of the conditions on columns of the rows, and their arguments."""
        parts: list[str] = []
        args: list[Any] = []
        for form, column, given in self._conditions:
            parts.append(form.write(prefix + column.sql, first + len(args)))
            args += given
        return parts, args

    def order(self, *, alias: str = "") -> str:
        """Return the order as SQL text for `ORDER BY`.

        Args:
            alias: the name of the table in the statement, where columns need one.
        """
        prefix = f"{quote(alias)}." if alias else ""
        return ", ".join(key.write(prefix) for key in self._order.keys)

    def order_names(self) -> tuple[str, ...]:
        """Return the columns of the order, `-` before those that fall, unique together.

        `page.fetch(cur, text, order=filters.order_names())` takes them for pages by cursor.
        """
        return tuple(key.label for key in self._order.keys)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(values={dict(self.values)!r}, sort={self.sort!r})"


def pattern_of(word: str) -> str:
    """Return the pattern of ILIKE for texts that contain *word*."""
    return f"%{escape_like(word)}%"


def like(column: FilterColumn, pattern: str) -> Node:
    """Return the condition that *column* matches *pattern*, in any case."""
    return Expression(column.column, "ILIKE", unconverted(pattern))
