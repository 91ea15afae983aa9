"""The statements of bulk actions: all rows of a body, in as many statements as it has shapes.

Run per request, in the action's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import asyncpg
import peewee
from marshmallow.exceptions import SCHEMA
from peewee import Value, fn
from playhouse.fields import EnumFieldMixin

from msframework.collection.refusal import RowStatement, find_refused
from msframework.db.transaction import Transaction
from msframework.exceptions import InvalidInput
from msframework.models.key import referenced_field
from msframework.models.sql import render
from msframework.types import Row


class BulkKey:
    """The key by which a bulk action names its rows.

    Args:
        fields: its columns.
        names: the members of a body that hold them.
        wires: what the caller calls them.
        noun: what a row is called.
        most: how many rows an action takes.
        shared: the constraints that refuse no row by itself, but what the path says of all.
        members: the members of a row in the body, by the names of their columns.
    """

    __slots__ = ("_columns", "_members", "_names", "_wires", "fields", "most", "noun", "shared")

    def __init__(
        self,
        fields: Sequence[peewee.Field],
        names: Sequence[str],
        wires: Sequence[str],
        noun: str,
        most: int,
        shared: Iterable[str] = (),
        members: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.fields, self._names, self._wires = tuple(fields), tuple(names), tuple(wires)
        self._columns = tuple(field.column_name for field in fields)
        self.noun, self.most, self.shared = noun, most, frozenset(shared)
        self._members = members

    @property
    def parameter(self) -> str:
        """The parameter of a query that names rows."""
        return self._wires[0]

    def check_number(self, members: Sequence[object]) -> None:
        """Refuse more rows than an action takes.

        Raises:
            InvalidInput: there are.
        """
        if len(members) > self.most:
            text = f"Longer than maximum length {self.most}."
            raise InvalidInput({"body": {SCHEMA: [text]}})

    def take(self, members: Iterable[Row]) -> list[tuple[object, ...]]:
        """Take the keys out of *members*, and return them.

        Raises:
            InvalidInput: a key stands there twice.
        """
        keys = [
            tuple(
                as_stored(field, values.pop(name))
                for field, name in zip(self.fields, self._names, strict=True)
            )
            for values in members
        ]
        seen: set[tuple[object, ...]] = set()
        errors: dict[str, Any] = {}
        for index, key in enumerate(keys):
            if key in seen:
                errors[str(index)] = {self._wires[0]: ["Given twice."]}
            seen.add(key)
        if errors:
            raise InvalidInput({"body": errors})
        return keys

    def of_values(self, values: Iterable[object]) -> list[tuple[object, ...]]:
        """Return the keys of one column that have *values*."""
        return [(as_stored(self.fields[0], value),) for value in values]

    def of(self, row: Row) -> tuple[object, ...]:
        """Return the key of a row."""
        return tuple(row[name] for name in self._columns)

    def conditions(self, key: tuple[object, ...]) -> list[Any]:
        """Return the conditions for the row of *key*."""
        return [field == value for field, value in zip(self.fields, key, strict=True)]

    def shown(self, key: tuple[object, ...]) -> object:
        """Return *key* as seams and messages have it: its value, or a tuple of several."""
        return key[0] if len(key) == 1 else key

    def in_order(self, keys: Sequence[tuple[object, ...]], rows: Iterable[Row]) -> list[Row]:
        """Return *rows* in the order of *keys*.

        Raises:
            InvalidInput: some are not there, or lie outside of scope; by index.
        """
        found = {self.of(row): row for row in rows}
        errors: dict[str, Any] = {}
        for index, key in enumerate(keys):
            if key not in found:
                errors[str(index)] = {self._wires[0]: [self._missing(key)]}
        if errors:
            raise InvalidInput({"body": errors})
        return [found[key] for key in keys]

    def member_of(self, exc: asyncpg.PostgresError) -> str:
        """Return the member of a row that *exc* refuses by itself, as the caller calls it, if any.

        PostgreSQL names the column of a NULL; of other refusals it names a constraint at the most.
        """
        is_ours = exc.table_name == self.fields[0].model._meta.table_name
        return self._members.get(exc.column_name or "", "") if is_ours else ""

    def check_found(self, keys: Sequence[object], rows: Iterable[Row]) -> None:
        """Refuse keys of a query that have no row.

        Raises:
            InvalidInput: there are such keys; by index.
        """
        found = {row[self._columns[0]] for row in rows}
        missing = {
            str(index): [self._missing((key,))]
            for index, key in enumerate(keys)
            if key not in found
        }
        if missing:
            raise InvalidInput({"query": {self._wires[0]: missing}})

    def _missing(self, key: tuple[object, ...]) -> str:
        return f"There is no {self.noun} {', '.join(map(str, key))}."


def as_stored(field: peewee.Field, value: Any) -> object:
    """Return the *value* of a key as rows have it, which may differ from what was loaded."""
    field = referenced_field(field)
    if isinstance(field, EnumFieldMixin):
        return field.db_value(value)
    if isinstance(field, peewee.FixedCharField) and isinstance(value, str):
        return value.ljust(field.max_length)  # PostgreSQL fills a value up with spaces
    return value


async def insert_rows(
    tx: Transaction,
    model: Any,
    key: BulkKey,
    members: Sequence[Row],
    columns: Sequence[peewee.Node],
) -> list[Row]:
    """Insert *members*, and return the *columns* of their rows in the same order."""

    def build(values: Row) -> Any:
        return model.insert(values).returning(*columns)

    return await _run(tx, key, list(enumerate(members)), build)


async def update_rows(
    tx: Transaction,
    model: Any,
    key: BulkKey,
    keys: Sequence[tuple[object, ...]],
    members: Sequence[Row],
    columns: Sequence[peewee.Node],
    bounds: Sequence[object],
) -> list[Row]:
    """Write *members* into the rows of *keys* within *bounds*, and return these in that order.

    Raises:
        InvalidInput: some are not there; nothing is written then, as the transaction ends.
    """

    def build(place: int) -> Any:
        number, values = keys[place], members[place]
        query = model.update(values).returning(*columns) if values else model.select(*columns)
        return query.where(*key.conditions(number), *bounds)

    def lock(place: int) -> Any:
        query = model.select(*key.fields).where(*key.conditions(keys[place]), *bounds)
        return query.for_update("FOR NO KEY UPDATE")

    return key.in_order(keys, await _run(tx, key, _in_order_of_keys(keys), build, lock))


async def delete_rows(
    tx: Transaction,
    model: Any,
    key: BulkKey,
    keys: Sequence[tuple[object, ...]],
    columns: Sequence[peewee.Node],
    bounds: Sequence[object],
) -> list[Row]:
    """Delete the rows of *keys* within *bounds*, and return their *columns*.

    Raises:
        InvalidInput: some are not there; none is deleted then, as the transaction ends.
    """
    query = model.delete().returning(*columns)
    field: Any = key.fields[0]
    places = _in_order_of_keys(keys)
    values = [value for (value,) in keys]
    in_order = [field.db_value(values[place]) for place, _ in places]
    locked = model.select(field).where(field.in_(values), *bounds).for_update()
    locked = locked.order_by(fn.array_position(Value(in_order, unpack=False), field))
    try:
        # NOTE: bounds hold for both, as the rest of a composite key may be among them.
        rows = await tx.fetch(query.where(field.in_(locked), *bounds))
    except asyncpg.PostgresError as exc:
        each = (
            RowStatement(index, *render(query.where(*key.conditions(keys[place]), *bounds)))
            for index, place in places
        )
        await find_refused(tx, exc, each, key.parameter)
        raise
    key.check_found(values, rows)
    return rows


async def lock_rows(
    tx: Transaction,
    locked: Any,
    key: BulkKey,
    keys: Sequence[tuple[object, ...]],
    bounds: Sequence[object],
) -> list[Row]:
    """Read and lock the rows of *keys* by the select *locked*, and return them in that order.

    Raises:
        InvalidInput: some are not there.
    """

    def build(place: int) -> Any:
        return locked.where(*key.conditions(keys[place]), *bounds)

    return key.in_order(keys, await _run(tx, key, _in_order_of_keys(keys), build))


def _in_order_of_keys(keys: Sequence[Any]) -> list[tuple[int, int]]:
    """Return the places of *keys* in order, so that two requests lock rows in the same one."""
    return [(place, place) for place in sorted(range(len(keys)), key=keys.__getitem__)]


async def _run(
    tx: Transaction,
    key: BulkKey,
    members: Iterable[tuple[int, Any]],
    build: Callable[[Any], Any],
    lock: Callable[[Any], Any] | None = None,
) -> list[Row]:
    """Run the query of each of *members*, those of one text at once; return their rows.

    The rows are in the order of the members' indexes where each query gives one.

    Args:
        lock: the query that locks the row of one of *members*. Where their queries have several
            texts, all rows are locked first, in the order of the members; queries of one text run
            in that order anyway.
    """
    chosen = list(members)
    statements = [RowStatement(index, *render(build(member))) for index, member in chosen]
    groups: dict[str, list[RowStatement]] = {}
    for each in statements:
        groups.setdefault(each.text, []).append(each)
    rows: list[tuple[int, Row]] = []
    try:
        if lock is not None and len(groups) > 1:
            locks = [render(lock(member)) for _, member in chosen]
            await tx.fetchmany(locks[0][0], [arguments for _, arguments in locks])
        for text, group in groups.items():
            found = await tx.fetchmany(text, [each.arguments for each in group])
            whole = len(found) == len(group)
            rows += [(group[number].index if whole else 0, row) for number, row in enumerate(found)]
    except asyncpg.PostgresError as exc:
        if exc.constraint_name not in key.shared:
            await find_refused(tx, exc, statements, member=key.member_of(exc))
        raise
    rows.sort(key=lambda each: each[0])
    return [row for _, row in rows]
