"""The statements of a cursor that are made from a model: one row, and rows to write.

Runs per request.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

import peewee
from peewee import EXCLUDED, SQL, Field

from msframework.db.rows import as_it_is, to_dict, to_dicts
from msframework.db.session import Session
from msframework.db.statement_cache import EXECUTEMANY, FETCHMANY, FETCHROW, Method
from msframework.exceptions import NotFound
from msframework.models.key import (
    FieldNames,
    FieldValues,
    ModelClass,
    RowKey,
    describe_wanted,
    primary_fields,
    read_fields,
    read_values,
)
from msframework.models.sql import render
from msframework.types import Query, Row

T = TypeVar("T")
Result = Coroutine[Any, Any, T]
# NOTE: one statement a row, run as one batch, has no 32,767 arguments to run out of.
_CHUNK: Final = 5000


class Run(Protocol):
    """Runs a statement by one method, and returns the result that *give* makes of its own."""

    def __call__(
        self,
        method: Method,
        give: Callable[[Any], T],
        query: object,
        args: object,
        timeout: float | None,
    ) -> Result[T]:
        """Return the coroutine that does it."""


class ModelStatements:
    """Statements that are made from a model."""

    __slots__ = ()

    @property
    def _session(self) -> Session:
        """The session that runs the statements."""
        raise NotImplementedError

    # PERF: `Session.run` itself, as each statement comes through it (benchmarks/lending.py).
    @property
    def _run(self) -> Run:
        """The session's `run`."""
        raise NotImplementedError

    async def one(
        self,
        query: str | Query,
        *args: object,
        error: object = None,
        timeout: float | None = None,
    ) -> Row:
        """Return the first row.

        Args:
            error: the detail of the 404. Without, it names the model and the primary key that a
                peewee query asks for.

        Raises:
            NotFound: there is none.
        """
        row = await self._run(FETCHROW, to_dict, query, args, timeout)
        if row is None:
            raise _missing(describe_wanted(query), error)
        return row

    async def update(
        self,
        model: ModelClass,
        key: object,
        values: FieldValues,
        *,
        where: peewee.Node | None = None,
        returning: FieldNames = (),
        error: object = None,
        timeout: float | None = None,
    ) -> Row:
        """Write *values* to the row that has *key*, and return it as it is then.

        Without values, as after an empty PATCH, the row is read.

        Args:
            key: the primary key; a tuple where it has several members; or a mapping of fields that
                are unique, `{"slug": slug}`.
            where: a further condition; a row that does not meet it is not found.
            returning: the fields of the row that is returned; all of them when empty.
            error: the detail of the 404, in the place of model and key.

        Raises:
            NotFound: there is no such row.
            ValueError: a field is unknown, or several rows may have *key*.
        """
        row_key = RowKey(model, key)
        condition = row_key.condition if where is None else row_key.condition & where
        changed = read_values(model, values)
        fields = _returned(model, returning)
        query = (
            model.update(changed).where(condition).returning(*fields)
            if changed
            else model.select(*fields).where(condition)
        )
        row = await self._run(FETCHROW, to_dict, query, (), timeout)
        if row is None:
            raise _missing(str(row_key), error)
        return row

    async def upsert(
        self,
        model: ModelClass,
        values: FieldValues,
        *,
        on: str | Field | FieldNames = (),
        update: FieldNames | FieldValues | None = None,
        returning: FieldNames = (),
        timeout: float | None = None,
    ) -> Row:
        """Insert *values*, or update the row that is there already; return the row.

        Args:
            on: the fields by which a row is there already, which a unique index has to cover; the
                primary key when empty.
            update: the fields that the row gets of *values*, all but *on* when left out; or their
                new values, expressions among them. With none the row stays as it is, and is locked.
            returning: the fields of the row that is returned; all of them when empty.

        Raises:
            ValueError: a field is unknown, or *on* is not among the values.
        """
        query = _upsertion(model, values, on, update, returning)
        row = await self._run(FETCHROW, to_dict, query, (), timeout)
        assert row is not None
        return row

    async def insert_many(
        self,
        model: ModelClass,
        rows: Iterable[FieldValues],
        *,
        returning: FieldNames = (),
        timeout: float | None = None,
    ) -> list[Row]:
        """Insert any number of rows; the transaction makes all of them take effect, or none.

        What a row leaves out gets its default. Rows are taken from *rows* as they are sent.

        Args:
            returning: the fields of the inserted rows that are returned, in the order of *rows*;
                nothing is returned when empty.
            timeout: seconds for each batch of them.

        Raises:
            RuntimeError: there is no transaction.
            ValueError: a field is unknown.
            TypeError: a value is an expression.
        """
        if self._session.scope is None:
            raise RuntimeError(
                f"insert_many() of {model.__name__} may take several statements, which have to "
                "take effect together: call it on the cursor of transaction()"
            )
        fields = read_fields(model, returning)
        found: list[Row] = []
        remaining = iter(rows)
        while chunk := list(islice(remaining, _CHUNK)):
            inserted = await self._insert(model, chunk, fields, timeout)
            if fields:
                found += inserted
        return found

    async def _insert(
        self,
        model: ModelClass,
        rows: Sequence[FieldValues],
        returning: Sequence[Field],
        timeout: float | None,
    ) -> list[Row]:
        """Insert *rows*, those with the same columns by one statement."""
        found: list[Row] = [{}] * len(rows)
        for columns, batch in _batches(model, rows).items():
            sql, arguments = _insertion(model, columns, returning), (list(batch.values()),)
            if not returning:
                await self._run(EXECUTEMANY, as_it_is, sql, arguments, timeout)
                continue
            inserted = await self._run(FETCHMANY, to_dicts, sql, arguments, timeout)
            for number, row in zip(batch, inserted, strict=True):
                found[number] = row
        return found


def _missing(wanted: str | None, error: object) -> NotFound:
    """Return the failure of a statement that found no row."""
    if error is None and wanted is not None:
        error = f"no {wanted}"
    return NotFound(error)


def _returned(model: ModelClass, returning: FieldNames) -> tuple[Field, ...]:
    """Return the fields of the row that a statement returns."""
    return read_fields(model, returning) or tuple(model._meta.sorted_fields)


def _upsertion(
    model: ModelClass,
    values: FieldValues,
    on: str | Field | FieldNames,
    update: FieldNames | FieldValues | None,
    returning: FieldNames,
) -> Query:
    """Return the query of `upsert`; fails as that does."""
    given = read_values(model, values)
    target = read_fields(model, on) or primary_fields(model)
    known = frozenset(target)
    if not target or not given.keys() >= known:
        raise ValueError(
            f"upsert() of {model.__name__} finds the row by "
            f"({', '.join(field.name for field in target)}), which needs a value"
        )
    if update is None:
        update = [field for field in given if field not in known]
    changed = _changes(model, update)
    if changed:
        stamped = getattr(model._meta, "auto_now", ())
        changed = _changes(model, [each for each in stamped if each not in changed]) | changed
    else:
        changed = _changes(model, target[:1])
    query: Query = (
        model.insert(given)
        .on_conflict(conflict_target=target, update=changed)
        .returning(*_returned(model, returning))
    )
    return query


def _changes(model: ModelClass, update: FieldNames | FieldValues) -> dict[Field, object]:
    """Return the values that an upsert writes to a present row: by default those to insert."""
    if isinstance(update, Mapping):
        return read_values(model, update)
    return {field: EXCLUDED[field.column_name] for field in read_fields(model, update)}


def _batches(
    model: ModelClass, rows: Iterable[FieldValues]
) -> dict[tuple[Field, ...], dict[int, tuple[object, ...]]]:
    """Return the arguments of *rows* by their numbers, those with the same columns together."""
    defaults, fields = model._meta.defaults, model._meta.sorted_fields
    batches: dict[tuple[Field, ...], dict[int, tuple[object, ...]]] = {}
    for number, row in enumerate(rows):
        values = read_values(model, row)
        for field, default in defaults.items():
            if field not in values:
                values[field] = default() if callable(default) else default
        columns = tuple(field for field in fields if field in values)
        arguments = tuple(_argument(field, values[field]) for field in columns)
        batches.setdefault(columns, {})[number] = arguments
    return batches


def _argument(field: Field, value: object) -> object:
    """Return *value* as asyncpg takes it.

    Raises:
        TypeError: it is an expression, which is another text for each row.
    """
    if not isinstance(value, peewee.Node) or isinstance(value, peewee.Model):
        value = field.db_value(value)  # type: ignore[no-untyped-call]
    if not isinstance(value, peewee.Node):
        return value
    sql, arguments = render(value)
    if sql != "$1":
        raise TypeError(
            f"{field.model.__name__}.{field.name}: insert_many() takes values, got an expression. "
            "Insert that row by execute()"
        )
    return arguments[0]


def _insertion(model: ModelClass, columns: Sequence[Field], returning: Sequence[Field]) -> str:
    """Return the text that inserts one row of *columns*."""
    if not columns:
        return render(model.insert().returning(*returning))[0]
    marks = tuple(SQL(f"${number}") for number in range(1, len(columns) + 1))
    query = model.insert_many([marks], fields=list(columns))
    return render(query.returning(*returning))[0]
