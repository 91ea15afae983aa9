"""`Key`: one sort key of a listing, and the rows before and after a value of it.

Made per request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import peewee
from peewee import SQL, Cast, EnclosedNodeList, Expression, NodeList, Ordering, fn
from playhouse import postgres_ext

from msframework.models.base import unconverted
from msframework.models.key import referenced_field
from msframework.pagination.values import LongValue

_NULL: Final = SQL("NULL")
_FALSE: Final = SQL("FALSE")
_SHORT: Final = (peewee.IntegerField, peewee.UUIDField)
_TIMES: Final = (
    peewee.DateField,
    peewee.DateTimeField,
    peewee.TimeField,
    postgres_ext.IntervalField,
)
_TYPES: Final = peewee.PostgresqlDatabase.field_types  # by the names of peewee
_DEFAULTS: Final = {False: "last", True: "first"}  # where NULLs are, by whether it descends


@dataclass(frozen=True, slots=True)
class Key:
    """One sort key.

    Attributes:
        node: its expression, for WHERE and ORDER BY.
        name: the column of the rows that holds its values.
        exact: whether an index tells rows apart by it, so that its values are hardly ever long.
        descending: whether its order descends.
        nulls_first: whether NULLs come before all values.
        nullable: whether there may be NULLs.
        collation: the collation that the order names.
        sign: what tells it from other keys.
    """

    node: Any
    name: str
    exact: bool
    descending: bool
    nulls_first: bool
    nullable: bool
    collation: str | None
    sign: object

    @property
    def reversed(self) -> Key:
        """The key in the opposite order."""
        return Key(
            self.node,
            self.name,
            self.exact,
            not self.descending,
            not self.nulls_first,
            self.nullable,
            self.collation,
            self.sign,
        )

    @property
    def is_short(self) -> bool:
        """Whether its type has no long values."""
        return isinstance(referenced_field(self.node), _SHORT)

    def is_beyond(self, value: object) -> bool:
        """Tell whether *value* is a time that Python cannot hold: a text, as `db.beyond` has it."""
        return value.__class__ is str and isinstance(self.node, _TIMES)

    def argument(self, value: Any) -> Any:
        """Return *value* as an argument that no field converts."""
        if self.is_beyond(value):
            name = self.node.field_type
            return Cast(Cast(unconverted(value), "text"), _TYPES.get(name, name))
        return unconverted(value)

    @property
    def operand(self) -> Any:
        """The expression that is compared with a value."""
        return self.node if self.collation is None else collate(self.node, self.collation)

    @property
    def ordering(self) -> Ordering:
        """The key in ORDER BY."""
        direction = "DESC" if self.descending else "ASC"
        return Ordering(self.node, direction, self.collation, self._nulls)

    @property
    def named_ordering(self) -> SQL:
        """The key in the ORDER BY of a union, which knows its columns alone."""
        name = self.name.replace('"', '""')
        nulls = self._nulls
        return SQL(
            f'"{name}" {"DESC" if self.descending else "ASC"}'
            f"{'' if nulls is None else f' NULLS {nulls.upper()}'}"
        )

    @property
    def _nulls(self) -> str | None:
        """Where NULLs come, if that is not where they come anyway.

        NOTE: an index serves an order only where both have NULLs at the same end, even of a column
        that has none.
        """
        where = "first" if self.nulls_first else "last"
        return None if not self.nullable or where == _DEFAULTS[self.descending] else where


def collate(node: Any, collation: str) -> NodeList:
    """Return *node* in a *collation* of its own."""
    return NodeList((node, SQL(f"COLLATE {collation}")))


def rows_after(keys: Sequence[Key], values: Sequence[Any], *, includes: bool) -> list[Any]:
    """Return conditions that split the rows after *values*, the nearest rows first.

    Each is a range of the order, so that an index finds its first row: no OR has one. Keys at the
    end that go one way and are never NULL are compared as one row (PostgreSQL's manual, "Row-wise
    Comparison").

    Args:
        includes: whether the row of *values* itself counts.
    """
    start = len(keys)
    while start > 0 and _is_comparable(keys[start - 1], values[start - 1], keys[-1]):
        start -= 1
    parts: list[list[Any]] = []
    same: list[Any] = []
    for key, value in zip(keys[:start], values[:start], strict=True):
        parts = [[*same, condition] for condition in _after(key, value)] + parts
        same.append(_same(key, value))
    if start < len(keys):
        parts.insert(0, [*same, _compare(keys[start:], values[start:], includes=includes)])
    elif includes:
        parts.insert(0, same)
    return [_all_of(part) for part in parts] or [_FALSE]


def row_of(keys: Sequence[Key], values: Sequence[Any]) -> Any:
    """Return the condition of the row of *values*, some of which may be digests of theirs."""
    return _all_of(
        [
            Expression(_digest_of(key), "=", unconverted(value.digest))
            if isinstance(value, LongValue)
            else _same(key, value)
            for key, value in zip(keys, values, strict=True)
        ]
    )


def _digest_of(key: Key) -> Any:
    return fn.SHA256(fn.CONVERT_TO(Cast(key.node, "text"), "UTF8"))


def _is_comparable(key: Key, value: object, last: Key) -> bool:
    return not key.nullable and value is not None and key.descending is last.descending


def _compare(keys: Sequence[Key], values: Sequence[Any], *, includes: bool) -> Expression:
    operator = ("<" if keys[0].descending else ">") + ("=" if includes else "")
    given = [key.argument(value) for key, value in zip(keys, values, strict=True)]
    if len(keys) == 1:
        return Expression(keys[0].operand, operator, given[0])
    left = EnclosedNodeList([key.operand for key in keys])
    return Expression(left, operator, EnclosedNodeList(given))


def _after(key: Key, value: object) -> list[Expression]:
    """Return the ranges after *value* of one key: values, and NULLs."""
    if value is None:
        return [Expression(key.operand, "IS NOT", _NULL)] if key.nulls_first else []
    found = [Expression(key.operand, "<" if key.descending else ">", key.argument(value))]
    if key.nullable and not key.nulls_first:
        found.append(Expression(key.operand, "IS", _NULL))
    return found


def _same(key: Key, value: object) -> Expression:
    if value is None:
        return Expression(key.operand, "IS", _NULL)
    return Expression(key.operand, "=", key.argument(value))


def _all_of(conditions: Sequence[Any]) -> Any:
    found = conditions[0]
    for condition in conditions[1:]:
        found = Expression(found, "AND", condition)
    return found
