"""Values for existing rows, in batches that keep each statement short.

Rows are taken in the order of the primary key, or by their place in the table where it has none
(`ctid`; the manual of PostgreSQL, 5.6). Runs at start-up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from uuid import UUID

from peewee import PostgresqlDatabase

from msframework.migrations.operations.base import Backfill
from msframework.migrations.progress import LongWork
from msframework.migrations.sql import literal, quote

_AIM: Final = 0.05  # seconds of one batch
_FIRST, _LEAST, _MOST = 500, 20, 20_000  # rows
_FIRST_PAGES: Final = 8

_KEY: Final = """
SELECT attname, format_type(atttypid, NULL) FROM pg_index
JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
WHERE indrelid = %s::regclass AND indisprimary
ORDER BY array_position(indkey::int2[], attnum)"""
_COLUMN: Final = """
SELECT format_type(atttypid, NULL) FROM pg_attribute
WHERE attrelid = %s::regclass AND attname = %s AND NOT attisdropped"""
_LEAVES: Final = """
SELECT relid::regclass::text FROM pg_partition_tree(%s::regclass) WHERE isleaf"""
_ROWS: Final = """
SELECT sum(greatest(reltuples, 0)) FROM pg_class
WHERE oid = %s::regclass
  OR oid IN (SELECT relid FROM pg_partition_tree(%s::regclass) WHERE isleaf)"""
_PAGES: Final = "SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::int"

BatchWork = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Rows:
    """A condition for the rows of one batch, with the key by which each is found again."""

    where: str
    key: tuple[tuple[str, str], ...]  # as SQL: column, type


class Filler:
    """Fills one column of the rows that have NULL in it.

    Args:
        online: each batch is a transaction of its own.
        attempt: runs a batch, again if it could not get its locks.
    """

    def __init__(
        self,
        database: PostgresqlDatabase,
        backfill: Backfill,
        online: bool,
        attempt: Callable[[BatchWork], None],
        pace: LongWork,
    ) -> None:
        self._database, self._backfill, self._online = database, backfill, online
        self._attempt, self._pace = attempt, pace
        self._column = quote(backfill.column)

    def fill(self) -> None:
        """Fill all rows."""
        key = tuple((quote(name), kind) for name, kind in self._rows(_KEY, self._backfill.table))
        if key:
            self._fill_by_key(key)
            return
        leaves = [name for (name,) in self._rows(_LEAVES, self._backfill.table)]
        for table in leaves or [self._backfill.table]:
            self._fill_by_place(table)

    def _fill_by_key(self, key: tuple[tuple[str, str], ...]) -> None:
        table = self._backfill.table
        names = ", ".join(name for name, _ in key)
        texts = ", ".join(f"{name}::text" for name, _ in key)
        down = ", ".join(f"{name} DESC" for name, _ in key)
        total = self._rows(_ROWS, table, table)[0][0]
        size, done, last = _FIRST, 0, ""
        while True:
            after = f"WHERE ({names}) > ({last})" if last else ""
            found = self._rows(
                f"SELECT {texts}, count(*) OVER () FROM (SELECT {names} FROM {table} {after} "  # noqa: S608
                f"ORDER BY {names} LIMIT {size}) AS these ORDER BY {down} LIMIT 1"
            )
            if not found:
                return
            upto = ", ".join(
                f"{literal(value)}::{kind}"
                for value, (_, kind) in zip(found[0][:-1], key, strict=True)
            )
            lower = f"({names}) > ({last}) AND " if last else ""
            took = self._timed(table, _Rows(f"{lower}({names}) <= ({upto})", key))
            last = upto
            done += found[0][-1]
            size = max(_LEAST, min(_MOST, _adapted(size, took)))
            self._pace.tell(done, total, "rows")

    def _fill_by_place(self, table: str) -> None:
        size, begin = _FIRST_PAGES, 0
        while begin < (pages := self._rows(_PAGES, table)[0][0]):
            where = f"ctid >= '({begin},0)' AND ctid < '({begin + size},0)'"
            took = self._timed(table, _Rows(where, (("ctid", "tid"),)))
            begin += size
            size = max(1, _adapted(size, took))
            self._pace.tell(min(begin, pages), pages, "pages")

    def _timed(self, table: str, rows: _Rows) -> float:
        took = 0.0

        def batch() -> None:
            nonlocal took
            began = time.monotonic()
            with self._database.atomic() if self._online else nullcontext():
                self._fill_batch(table, rows)
            took = time.monotonic() - began

        self._attempt(batch)
        return took

    def _fill_batch(self, table: str, rows: _Rows) -> None:
        value = self._backfill.value
        where = f"{rows.where} AND {self._column} IS NULL"
        if isinstance(value, str):
            self._run(f"UPDATE {table} SET {self._column} = {value} WHERE {where}")  # noqa: S608
            return
        texts = ", ".join(f"{name}::text" for name, _ in rows.key)
        keys = self._rows(f"SELECT {texts} FROM {table} WHERE {where} FOR UPDATE")  # noqa: S608
        for some in _cut(keys, _MOST):
            self._write(table, rows, [(*each, value()) for each in some])

    def _write(self, table: str, rows: _Rows, values: Sequence[Sequence[object]]) -> None:
        ((kind,),) = self._rows(_COLUMN, self._backfill.table, self._backfill.column)
        kinds = [*(each for _, each in rows.key), kind]
        row = f"({', '.join(f'%s::{each}' for each in kinds)})"
        names = [f"k{number}" for number in range(len(rows.key))]
        same = " AND ".join(
            f"filled.{column} = given.{name}"
            for name, (column, _) in zip(names, rows.key, strict=True)
        )
        statement = (
            f"UPDATE {_escaped(table)} AS filled SET {_escaped(self._column)} = given.v "  # noqa: S608
            f"FROM (VALUES {', '.join([row] * len(values))}) AS given ({', '.join(names)}, v) "
            f"WHERE {_escaped(same)}"
        )
        parameters = [part for each in values for part in (*each[:-1], adapted(each[-1], kind))]
        self._database.execute_sql(statement, parameters)  # type: ignore[no-untyped-call]

    def _run(self, statement: str) -> Any:
        return self._database.execute_sql(_escaped(statement))  # type: ignore[no-untyped-call]

    def _rows(self, statement: str, *parameters: object) -> list[Any]:
        text = statement if parameters else _escaped(statement)
        run: Any = self._database.execute_sql
        return list(run(text, parameters).fetchall())


def adapted(value: object, kind: str) -> object:
    """Return a default *value* as a parameter of psycopg for a column of the type *kind*."""
    if kind in ("json", "jsonb"):
        from psycopg.types.json import Json, Jsonb

        return value if value is None else (Jsonb if kind == "jsonb" else Json)(_plain(value))
    if kind.endswith("[]") and isinstance(value, (list, tuple, set, frozenset)):
        return [adapted(each, kind[:-2]) for each in value]
    if kind == "bytea" and isinstance(value, UUID):
        return value.bytes  # of a `BinaryUUIDField`
    return _plain(value)


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


def _adapted(size: int, took: float) -> int:
    """Return the rows of the next batch, so that it takes about the time aimed at."""
    return round(size * min(2.0, max(0.5, _AIM / max(took, 0.001))))


def _cut(values: list[Any], size: int) -> Iterator[list[Any]]:
    for begin in range(0, len(values), size):
        yield values[begin : begin + size]


def _escaped(statement: str) -> str:
    """Return *statement* with `%` doubled, as peewee always passes parameters."""
    return statement.replace("%", "%%")
