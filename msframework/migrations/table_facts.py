"""Facts of a table that the models of other tables need. Runs on the command line."""

from __future__ import annotations

from collections.abc import Mapping

from msframework.migrations.adopted import define, is_key
from msframework.migrations.model_names import name_fields, name_values
from msframework.migrations.operations.ddl import bare
from msframework.migrations.scanner import Scanner
from msframework.migrations.schema import Column, Constraint, ForeignKey, Table


class TableFacts:
    """Facts of a table for other models: its key, foreign keys and names of fields."""

    def __init__(self, table: Table, fields: Mapping[str, str] | None = None) -> None:
        self.table = table
        self.bare = bare(table.name)
        self.key = next((each for each in table.constraints if is_key(each)), None)
        self.key_columns = () if self.key is None else _columns_of(self.key)
        self.references: dict[str, ForeignKey] = {}
        self.fields = dict(fields or {})
        self.values: dict[str, str] = {}

    def link(self, others: Mapping[str, TableFacts]) -> None:
        """Find the foreign keys that fields can be, and name all fields."""
        for key in self.table.foreign_keys:
            target = others.get(key.target)
            if target is not None and self._can_be_field(key, target):
                self.references.setdefault(key.columns[0], key)
        columns = [column.name for column in self.table.columns]
        self.fields = name_fields(columns, self.references)
        self.values = name_values(self.fields, self.references)

    def is_automatic(self, column: Column) -> bool:
        """Say whether *column* is the key that a sequence fills, which peewee has classes for."""
        return self.key_columns == (column.name,) and column.serial and column.type != "smallint"

    def _can_be_field(self, key: ForeignKey, target: TableFacts) -> bool:
        if len(key.columns) != 1:
            return False
        own, other = self.table.column(key.columns[0]), target.table.column(key.target_columns[0])
        filled = own.serial or own.identity or (other.serial and not target.is_automatic(other))
        return own.type == other.type and not filled


def _columns_of(key: Constraint | ForeignKey) -> tuple[str, ...]:
    """Return the columns of a primary key, from its definition."""
    scanner = Scanner(define(key))
    scanner.expect("primary key")
    return tuple(Scanner(each).identifier() for each in Scanner(scanner.enclosed()).items())
