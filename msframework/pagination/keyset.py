"""The rows of a query after a place in its order: keyset pagination. Runs per request.

(Winand, "SQL Performance Explained", chapter 7: "Fetching The Next Page".) The rows after a place
are ranges of the order, each of which an index finds the start of; where there are several, each is
a select of its own in a UNION ALL, with its own limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final

import peewee
from peewee import SQL, Column, Select

from msframework.models.sql import PaginatedQuery, render
from msframework.pagination.key import Key, row_of, rows_after
from msframework.pagination.ordering import OrderReader, bare, joins_of, primary_key_of
from msframework.pagination.plans import KeyPlan, KeyPlans, sign_of
from msframework.pagination.position import CursorSide
from msframework.pagination.values import LongValue

_ALIAS: Final = "listed"
_NAME: Final = re.compile(r"(-?)([^\W\d]\w*)").fullmatch
_PARAMETER: Final = re.compile(r"\$(\d+)")
_TEXT: Final = "/* listed */"
_MAY_HOLD_WINDOWS: Final = frozenset((peewee.Alias, peewee.NodeList))
_PLANS: Final = KeyPlans()
ListPlace = tuple[CursorSide, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Keyset:
    """A query, and the keys that it is ordered by.

    Attributes:
        query: the query with its order, by whose shape the texts of its pages are remembered;
            `None` where each page is rendered anew.
        bare: returns the query without order.
        keys: those, up to one by which no two rows are alike.
        hidden: the columns of its rows that nobody asked for.
        digest: tells the ordering from others.
        text: the SQL text that stands in the query by a mark; empty without one.
        args: the arguments of that.
    """

    query: Any
    bare: Callable[[], Any]
    keys: tuple[Key, ...]
    hidden: tuple[str, ...]
    digest: bytes
    text: str = ""
    args: tuple[object, ...] = ()

    def render(self, place: ListPlace | None, limit: int) -> tuple[str, tuple[object, ...]]:
        """Return the text of *limit* rows from *place* on, the nearest first, and the arguments."""
        if self.query is None:
            return self._embed(*render(self.statement(place, limit)))
        way: list[object] = [self.digest]
        given: list[object] = []
        if place is not None:
            side, values = place
            given = [value for value in values if value is not None]
            way += side.value, *(value is None for value in values)
            way += [key.is_beyond(value) for key, value in zip(self.keys, values, strict=True)]
        given.append(limit)
        paginated = PaginatedQuery(self.query)
        found = paginated.render(tuple(way), lambda _: self.statement(place, limit), given)
        return self._embed(*found)

    def render_row(self, values: Sequence[Any]) -> tuple[str, tuple[object, ...]]:
        """Return the text that reads the row of *values*, which may be digests."""
        return self._embed(*render(self.bare().where(row_of(self.keys, values)).limit(1)))

    def _embed(self, sql: str, values: tuple[object, ...]) -> tuple[str, tuple[object, ...]]:
        if not self.text:
            return sql, values
        known = len(self.args)
        sql = _PARAMETER.sub(lambda found: f"${int(found[1]) + known}", sql)
        return sql.replace(_TEXT, self.text + "\n"), (*self.args, *values)

    def check(self, values: Sequence[Any]) -> None:
        """Refuse *values* that are no place in this order.

        Raises:
            ValueError: they are more or fewer than the keys, or one is a digest that we never give.
        """
        for key, value in zip(self.keys, values, strict=True):
            if key.is_short and value.__class__ is LongValue:
                raise ValueError("a digest of a value that is short")

    def statement(self, place: ListPlace | None, limit: int) -> Any:
        """Return the query of *limit* rows from *place* on, the nearest first."""
        keys, select = self.keys, self.bare()
        if place is None:
            return self._ordered(keys, select, limit)
        side, values = place
        if side.is_back:
            keys = tuple(key.reversed for key in keys)
        conditions = rows_after(keys, values, includes=side.includes)
        parts = [self._ordered(keys, select.where(each), limit) for each in conditions]
        if len(parts) == 1:
            return parts[0]
        union: Any = reduce(lambda one, other: one.union_all(other), parts)
        return union.order_by(*(key.named_ordering for key in keys)).limit(limit)

    def _ordered(self, keys: Sequence[Key], select: Any, limit: int) -> Any:
        return select.order_by(*(key.ordering for key in keys)).limit(limit)


def read_keyset(query: Any) -> Keyset:
    """Return the keyset of a peewee select.

    Raises:
        TypeError: it is none, or it cannot be told by what it is ordered.
    """
    if not isinstance(query, peewee.SelectBase):
        raise TypeError(
            f"a listing by cursors is a select of peewee, got {type(query).__name__}; SQL text "
            'needs the names that it is ordered by: page.fetch(cur, "SELECT …", order=("-id",)).'
        )
    for name, wrong in (("_for_update", "FOR UPDATE"), ("_distinct", "DISTINCT ON")):
        if getattr(query, name, None):
            raise TypeError(f"a listing by cursors cannot have {wrong}. Leave it out.")
    ordering = query._order_by or ()  # type: ignore[attr-defined]
    if _is_filtered_late(query):
        return _read_whole(_bare(query), ordering)
    sign = sign_of(query, ordering)
    plan = None if sign is None else _PLANS.find(sign)
    if plan is None:
        plan = _read_plan(query, ordering)
        if sign is not None:
            # NOTE: not the query, which holds what its caller gave.
            held: Any = query
            _PLANS.keep(sign, plan, (held.model, ordering, held._returning))
    hidden = plan.hidden
    said = None if sign is None else query
    select = partial(_bare, query, hidden)
    return Keyset(said, select, plan.keys, tuple(hidden), plan.digest)


def _read_plan(select: Any, ordering: Iterable[Any]) -> KeyPlan:
    reader = OrderReader(select)
    reader.read(ordering)
    if not reader.is_unique or _multiplies(select):
        reader.add_unique(_unique_of(select))
    return _plan_of(reader)


def _plan_of(reader: OrderReader) -> KeyPlan:
    signs = repr([key.sign for key in reader.keys]).encode("utf-8", "backslashreplace")
    return KeyPlan(tuple(reader.keys), reader.hidden, blake2b(signs, digest_size=16).digest())


def _bare(query: Any, hidden: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Return *query* without order and limit, and with the *hidden* columns."""
    select = query.order_by().limit(None).offset(None)
    if not hidden:
        return select
    return select.select_extend(*(node.alias(name) for name, node in hidden.items()))


def _unique_of(select: Any) -> list[Any]:
    """Return the fields by which no two rows of *select* are alike."""
    model = getattr(select, "model", None)
    fields = () if model is None else primary_key_of(model)
    if not fields:
        raise TypeError(
            "a listing by cursors is of a table without a primary key, so that rows may be alike. "
            "Give the model one, or order the listing by a unique field of it."
        )
    others = [
        field
        for join in joins_of(select)
        if not _is_to_one(join)
        for field in (primary_key_of(join.rhs) if hasattr(join.rhs, "_meta") else ())
    ]
    return [*fields, *others]


def _multiplies(select: Any) -> bool:
    """Whether a join may have several rows for one of the model."""
    return any(not _is_to_one(join) for join in joins_of(select))


def _is_to_one(join: Any) -> bool:
    """Whether *join* finds one row at most, by a unique column."""
    on = join._on
    if not isinstance(on, peewee.Expression) or on.op != peewee.OP.EQ:
        return False
    for side in (on.lhs, on.rhs):
        if isinstance(side, peewee.Field) and getattr(side, "source", side.model) is join.rhs:
            composite = isinstance(side.model._meta.primary_key, peewee.CompositeKey)
            return bool((side.primary_key and not composite) or side.unique)
    return False


# Queries that a condition would change: it has to stand around them.


def _is_filtered_late(select: Any) -> bool:
    """Whether a condition within *select* would change more than which of its rows are there."""
    if not isinstance(select, Select):
        return True
    held: Any = select
    if held._group_by or held._having is not None or held._windows or _is_distinct(select):
        return True
    return any(
        column.__class__ in _MAY_HOLD_WINDOWS and _is_windowed(column)
        for column in held._returning or ()
    )


def _is_distinct(select: Any) -> bool:
    # NOTE: `distinct()` is DISTINCT ON no columns to peewee.
    return bool(select._simple_distinct or select._distinct is not None)


def _is_windowed(column: Any) -> bool:
    node = bare(column)
    return isinstance(node, peewee.NodeList) and any(
        isinstance(part, SQL) and part.sql == "OVER" for part in node.nodes
    )


def _read_whole(select: Any, ordering: Sequence[Any]) -> Keyset:
    """Return the keyset of a *select* around which the conditions stand."""
    reader = OrderReader(select)
    reader.read(ordering)
    reader.add_unique(_unique_of_whole(select))
    if reader.hidden and (not isinstance(select, Select) or _is_distinct(select)):
        raise TypeError(
            "a listing by cursors with DISTINCT or of a UNION is ordered by columns that it does "
            "not select, or that have no name; its primary key is the last of them. Select them."
        )
    plan = _plan_of(reader)
    inner = _bare(select, plan.hidden).alias(_ALIAS)
    keys = tuple(_outside(key, inner) for key in plan.keys)
    around = Select([inner], [SQL("*")])
    return Keyset(None, lambda: around, keys, tuple(plan.hidden), plan.digest)


def _unique_of_whole(select: Any) -> Sequence[Any]:
    """Return the expressions by which no two rows of a *select* of any shape are alike."""
    groups = getattr(select, "_group_by", None)
    if groups:
        return tuple(groups)
    if isinstance(select, Select) and not _is_distinct(select):
        return _unique_of(select)
    models = set(_models_of(select))
    columns = tuple(select._returning)
    if len(models) == 1 and all(getattr(bare(each), "model", 0) in models for each in columns):
        return primary_key_of(models.pop()) or columns
    return columns


def _models_of(select: Any) -> Iterator[object]:
    """Yield the models that the rows of *select* are of, those of each part of a union."""
    if isinstance(select, peewee.CompoundSelectQuery):
        yield from _models_of(select.lhs)
        yield from _models_of(select.rhs)
    else:
        yield getattr(select, "model", None)


def _outside(key: Key, inner: Any) -> Key:
    return Key(
        Column(inner, key.name),
        key.name,
        False,
        key.descending,
        key.nulls_first,
        True,
        key.collation,
        key.sign,
    )


# SQL text.


def read_text_keyset(text: str, args: tuple[object, ...], order: Sequence[str]) -> Keyset:
    """Return the keyset of an SQL text that is ordered by the columns *order*.

    Raises:
        TypeError: *order* names none, or has something else than names.
    """
    names = [_NAME(name) for name in order] if not isinstance(order, str) else []
    if not names or None in names:
        raise TypeError(
            f"page.fetch got order={order!r}; expected names of columns that are unique together, "
            'each with a "-" before it where it descends: ("-create_time", "id").'
        )
    keys = []
    for name in names:
        assert name is not None
        descending, column = name[1] == "-", name[2]
        node = SQL(f'"{_ALIAS}"."{column}"')
        sign = ("", column, descending)
        keys.append(Key(node, column, False, descending, descending, True, None, sign))
    signs = repr([key.sign for key in keys]).encode()
    source = SQL(f'({_TEXT}) AS "{_ALIAS}"')
    digest = blake2b(signs, digest_size=16).digest()
    around = Select([source], [SQL("*")])
    return Keyset(around, lambda: around, tuple(keys), (), digest, text, args)
