"""The operations behind the methods of a `MigrationModel`, and what its table has today.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import peewee
from peewee import PostgresqlDatabase

from msframework.migrations.declared import describe, table_name
from msframework.migrations.execute import Execution
from msframework.migrations.fills import fill_of
from msframework.migrations.index_text import plain_columns
from msframework.migrations.operations import AddColumn, AddConstraint, CreateIndex
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.schema import Constraint, Table
from msframework.migrations.sql import quote, quote_qualified, words

_INDEXES: Final = """
SELECT relname, ARRAY(
  SELECT attname::text FROM unnest(indkey) WITH ORDINALITY AS keys (number, place)
  LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = number ORDER BY place)
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = to_regclass(%s) ORDER BY relname"""


@dataclass(frozen=True, slots=True)
class ModelOperation:
    """An operation that a method of a `MigrationModel` returned; `migrate` runs it.

    Attributes:
        is_alone: whether nothing else is run by its execution, which is closed then.
    """

    execution: Execution
    operations: tuple[MigrationOperation, ...]
    is_alone: bool = False

    def run(self) -> None:
        """Run it: in the open transaction, or else phase by phase."""
        try:
            for each in self.operations:
                self.execution.run_operation(each)
        finally:
            if self.is_alone:
                self.execution.close()


def add_field(model: type[peewee.Model], field: peewee.Field) -> Iterator[MigrationOperation]:
    """Yield the operations that add the column of *field*, with its constraints and its index."""
    name = field.column_name
    table = _described(model, field)
    column = table.column(name)
    yield AddColumn(table_name(model), column, None if field.null else _fill(field))
    for each in table.constraints:
        if isinstance(each, Constraint):
            if not field.constraints or not _is_check_on(each, name, table):
                continue
        elif each.columns != (name,):
            continue
        yield AddConstraint(table_name(model), each)
    if field.index or field.unique:
        for index in table.indexes:
            if plain_columns(index.elements) == (name,) and index.where is None:
                yield CreateIndex(table_name(model), index)


def _described(model: type[peewee.Model], field: peewee.Field) -> Table:
    """Return the table of *model*, or one of *field* alone where that is not the model's."""
    meta: Any = model._meta
    if meta.columns.get(field.column_name) is field:
        return describe([model]).tables[0]

    class Meta:
        table_name = meta.table_name
        schema = meta.schema
        primary_key = False

    name = field.column_name
    alone = type(model.__name__, (peewee.Model,), {name: field, "Meta": Meta})
    return describe([alone]).tables[0]


def _fill(field: peewee.Field) -> str | Callable[[], object] | None:
    fill = fill_of(field)
    default: object = field.default
    return default if fill is None and callable(default) else fill


def _is_check_on(constraint: Constraint, name: str, table: Table) -> bool:
    """Say whether *constraint* is a check of the column *name*, and of no other one."""
    found = {word for kind, word in words(constraint.definition) if kind in ("name", "quoted")}
    used = {each.name for each in table.columns if found & {each.name, f'"{each.name}"'}}
    return used == {name} and constraint.definition.upper().startswith("CHECK")


def find_indexes(database: PostgresqlDatabase, table: str) -> dict[str, tuple[str | None, ...]]:
    """Return the columns of each index of *table*; `None` is an expression."""
    run: Any = database.execute_sql
    rows = run(_INDEXES, (quote_qualified(table),)).fetchall()
    return {name: tuple(columns) for name, columns in rows}


def table_exists(database: PostgresqlDatabase, table: str) -> bool:
    """Say whether there is a *table*."""
    run: Any = database.execute_sql
    found = run("SELECT to_regclass(%s) IS NOT NULL", (quote_qualified(table),)).fetchone()
    return bool(found[0])


def as_elements(columns: Sequence[str]) -> tuple[str, ...]:
    """Return *columns* as the elements of an index."""
    return tuple(quote(each) for each in columns)
