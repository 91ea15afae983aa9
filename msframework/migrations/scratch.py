"""Models' tables as PostgreSQL prints them: created temporarily, read, and rolled back.

Each stands in the temporary schema, without rows, sequences, foreign keys and whatever else is made
of names alone, inside a transaction that is rolled back: nobody could wait for a lock of it. What
PostgreSQL refuses (a function that a pending migration makes, for instance) stays as it was
written. Runs at start-up.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import peewee
from peewee import PostgresqlDatabase

from msframework.migrations.index_text import plain_columns
from msframework.migrations.operations.ddl import (
    alter,
    bare,
    constraint_definition,
    create_index,
    schema_of,
)
from msframework.migrations.relation import read_tables, rows
from msframework.migrations.schema import (
    Column,
    Constraint,
    EnumType,
    ForeignKey,
    Index,
    SchemaState,
    Table,
)
from msframework.migrations.sql import literal, quote, quote_qualified

# Not an OperationalError: a lost connection, a time that has run out.
_REFUSALS: Final = (
    peewee.DataError,
    peewee.IntegrityError,
    peewee.InternalError,
    peewee.NotSupportedError,
    peewee.ProgrammingError,
)
_ONLY_NAMES: Final = re.compile(r"FOREIGN KEY|(PRIMARY KEY|UNIQUE) \([^()]*\)\Z")
_TEMPORARY: Final = """
SELECT oid, relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'
  AND relname = ANY(%s)"""
_KNOWN_ENUM: Final = """
SELECT ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = to_regtype(%s)
             ORDER BY enumsortorder) AS values"""


def as_postgres_says(database: PostgresqlDatabase, state: SchemaState) -> SchemaState:
    """Return *state* with types, defaults, constraints and indexes as PostgreSQL prints them."""
    groups: defaultdict[str, list[Table]] = defaultdict(list)
    for table in state.tables:
        groups[schema_of(table.name) or ""].append(table)
    said: dict[str, Table] = {}
    for group in groups.values():
        with _taken_back(database):
            for enum in state.enums:
                _try(database, _enum_statements(database, enum))
            made = _make_all(database, group)
            found = _read_temporary(database, made)
            said |= {table.name: _reworded(table, found[bare(table.name)]) for table in made}
    tables = tuple(said.get(table.name, table) for table in state.tables)
    return replace(state, tables=tables)


@contextmanager
def _taken_back(database: PostgresqlDatabase) -> Iterator[None]:
    with database.atomic() as transaction:
        try:
            yield
        finally:
            transaction.rollback()


def _try(database: PostgresqlDatabase, statements: Iterable[str]) -> bool:
    """Run *statements* at once, all or none; say whether PostgreSQL took them."""
    # NOTE: peewee always has psycopg put in parameters, for which a % is doubled.
    script = ";\n".join(statements).replace("%", "%%")
    if not script:
        return True
    try:
        with database.atomic():
            database.execute_sql(script)  # type: ignore[no-untyped-call]
    except _REFUSALS:
        return False
    return True


def _make_all(database: PostgresqlDatabase, tables: list[Table]) -> list[Table]:
    """Create *tables*, at once if PostgreSQL accepts all; return those that exist."""
    if _try(database, [each for table in tables for each in _statements(table, _whole)]):
        return tables
    return [table for table in tables if _make(database, table)]


def _make(database: PostgresqlDatabase, table: Table) -> bool:
    """Create *table* with the parts that PostgreSQL accepts; say whether it exists."""
    parts = list(_statements(table, _whole))
    if _try(database, parts):
        return True
    head, *others = _statements(table, _plain_column)
    if not _try(database, [head]):
        return False
    name = _temporary(table)
    for column in table.columns:
        if column.generated is not None:
            drop = alter(name, f"DROP COLUMN {quote(column.name)}")
            _try(database, [drop, alter(name, f"ADD COLUMN {_whole(column)}")])
        elif column.default is not None:
            change = f"ALTER COLUMN {quote(column.name)} SET DEFAULT {column.default}"
            _try(database, [alter(name, change)])
    for statement in others:
        _try(database, [statement])
    return True


def _statements(table: Table, describe: Callable[[Column], str]) -> Iterator[str]:
    name = _temporary(table)
    columns = ", ".join(describe(column) for column in table.columns)
    yield f"CREATE TABLE {quote_qualified(name)} ({columns})"
    for each in table.constraints:
        if _has_words(each):
            yield alter(name, f"ADD {constraint_definition(each)}")
    for index in table.indexes:
        if _has_words(index):
            yield create_index(name, index)


def _has_words(part: Constraint | ForeignKey | Index) -> bool:
    """Say whether *part* has expressions, and needs no other table."""
    if isinstance(part, Index):
        return part.where is not None or plain_columns(part.elements) is None
    if isinstance(part, ForeignKey):
        return False
    return not _ONLY_NAMES.match(part.definition)


def _plain_column(column: Column) -> str:
    collation = f" COLLATE {column.collation}" if column.collation else ""
    return f"{quote(column.name)} {column.type}{collation}"


def _whole(column: Column) -> str:
    if column.generated is not None:
        return f"{_plain_column(column)} GENERATED ALWAYS AS ({column.generated}) STORED"
    default = f" DEFAULT {column.default}" if column.default is not None else ""
    return f"{_plain_column(column)}{default}"


def _enum_statements(database: PostgresqlDatabase, enum: EnumType) -> list[str]:
    """Return the statements that make *enum*; none where its like exists."""
    known = rows(database, _KNOWN_ENUM, quote_qualified(enum.name))[0]["values"]
    if tuple(known) == enum.values:
        return []
    values = ", ".join(literal(value) for value in enum.values)
    if "." not in enum.name:  # hides one with other values
        return [f"CREATE TYPE pg_temp.{quote(enum.name)} AS ENUM ({values})"]
    if known:
        return []
    schema = quote(schema_of(enum.name) or "")
    return [
        f"CREATE SCHEMA IF NOT EXISTS {schema}",
        f"CREATE TYPE {quote_qualified(enum.name)} AS ENUM ({values})",
    ]


def _read_temporary(database: PostgresqlDatabase, tables: list[Table]) -> dict[str, Table]:
    names = [bare(table.name) for table in tables]
    found = {row["oid"]: row["relname"] for row in rows(database, _TEMPORARY, names)}
    return {table.name: table for table in read_tables(database, found).tables}


def _reworded(table: Table, found: Table) -> Table:
    """Return *table* with the SQL of its temporary copy *found*."""
    columns = {column.name: column for column in found.columns}
    constraints = {each.name: each for each in found.constraints}
    indexes = {each.name: each for each in found.indexes}
    return replace(
        table,
        columns=tuple(_reworded_column(c, columns[c.name]) for c in table.columns),
        constraints=tuple(constraints.get(each.name, each) for each in table.constraints),
        indexes=tuple(indexes.get(each.name, each) for each in table.indexes),
    )


def _reworded_column(column: Column, found: Column) -> Column:
    return replace(
        column,
        type=found.type,
        collation=found.collation,
        default=found.default if column.default and found.default else column.default,
        generated=found.generated if column.generated and found.generated else column.generated,
    )


def _temporary(table: Table) -> str:
    return f"pg_temp.{bare(table.name)}"
