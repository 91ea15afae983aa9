"""The schema of a database as a `SchemaState`. Runs at start-up."""

from __future__ import annotations

from collections.abc import Collection

from peewee import PostgresqlDatabase

from msframework.migrations.adopted import Adopted, find_adopted
from msframework.migrations.relation import find_tables, read_tables
from msframework.migrations.schema import SchemaState
from msframework.migrations.scratch import as_postgres_says

__all__ = ["Adopted", "as_postgres_says", "find_adopted", "read_schema"]


def read_schema(database: PostgresqlDatabase, names: Collection[str] | None = None) -> SchemaState:
    """Return the tables of *database*, with the enumerated types that their columns have.

    Args:
        names: only these, named as `Table.name` is; those that do not exist are left out. `None`
            for every table but the system's and those of extensions; partitions are part of their
            table.
    """
    return read_tables(database, find_tables(database, names))
