"""The effect of operations on a state, and the tables, types and indexes that each one touches.

Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard, TypeVar

from msframework.migrations import operations as ops
from msframework.migrations.compare import mentions
from msframework.migrations.evolve import (
    rename_column,
    rename_table,
    rename_type,
    rename_values,
)
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.ddl import schema_of
from msframework.migrations.operations.enum_changes import renamed_values
from msframework.migrations.schema import Constraint, ForeignKey, Index, SchemaState, Table
from msframework.migrations.sql import canonical_words, quote_qualified

Named = TypeVar("Named", bound=Any)
_KEYS: Final = (("primary",), ("unique",), ("exclude",))


@dataclass(frozen=True, slots=True)
class Footprint:
    """The names that an operation changes, of tables, types and indexes; what it only needs."""

    changed: frozenset[str]
    needed: frozenset[str] = frozenset()

    def meets(self, other: Footprint) -> bool:
        """Say whether the order of two operations matters."""
        return bool(self.changed & (other.changed | other.needed) or self.needed & other.changed)


def apply_operations(state: SchemaState, operations: Iterable[MigrationOperation]) -> SchemaState:
    """Return the state after *operations*; `Run` changes nothing."""
    for each in operations:
        state = _apply(state, each)
    return state


def _apply(state: SchemaState, operation: MigrationOperation) -> SchemaState:
    match operation:
        case ops.CreateTable(table):
            return replace(state, tables=(*state.tables, table))
        case ops.DropTable(table):
            return replace(state, tables=_without(state.tables, table.name))
        case ops.RenameTable(old, new):
            return rename_table(state, old, new)
        case ops.RenameColumn(table, old, new):
            return rename_column(state, table, old, new)
        case ops.CreateEnum(enum):
            return replace(state, enums=(*state.enums, enum))
        case ops.DropEnum(enum):
            return replace(state, enums=_without(state.enums, enum.name))
        case ops.AlterEnum(old, new):
            state = rename_type(state, old.name, new.name)
            state = rename_values(state, new.name, renamed_values(old.values, new.values))
            return replace(state, enums=_changed(state.enums, new.name, lambda each: new))
        case ops.Run():
            return state
    name: str = operation.table  # type: ignore[attr-defined]
    tables = _changed(state.tables, name, lambda table: _apply_to_table(table, operation))
    return replace(state, tables=tables)


def _apply_to_table(table: Table, operation: MigrationOperation) -> Table:
    columns, constraints, indexes = table.columns, table.constraints, table.indexes
    match operation:
        case ops.CommentTable(_, _, new):
            return replace(table, comment=new)
        case ops.AddColumn(_, column):
            return replace(table, columns=(*columns, column))
        case ops.DropColumn(_, column):
            return _without_column(table, column.name)
        case ops.AlterColumn(_, _, column):
            return replace(table, columns=_changed(columns, column.name, lambda each: column))
        case ops.AddConstraint(_, constraint):
            return replace(table, constraints=(*constraints, constraint))
        case ops.DropConstraint(_, constraint):
            return replace(table, constraints=_without(constraints, constraint.name))
        case ops.RenameConstraint(_, old, new):
            return replace(table, constraints=_renamed(constraints, old, new))
        case ops.CreateIndex(_, index):
            return replace(table, indexes=(*indexes, index))
        case ops.DropIndex(_, index):
            return replace(table, indexes=_without(indexes, index.name))
        case ops.RenameIndex(_, old, new):
            return replace(table, indexes=_renamed(indexes, old, new))
    return table


def _without_column(table: Table, column: str) -> Table:
    """Return *table* without a column, and without the indexes and constraints on it."""
    gone = frozenset((column,))
    return replace(
        table,
        columns=_without(table.columns, column),
        constraints=tuple(
            each
            for each in table.constraints
            if not (
                column in each.columns
                if isinstance(each, ForeignKey)
                else mentions(each.definition, gone)
            )
        ),
        indexes=tuple(
            each
            for each in table.indexes
            if not any(mentions(t, gone) for t in (*each.elements, each.where or ""))
            and column not in each.include
        ),
    )


def _without(parts: tuple[Named, ...], name: str) -> tuple[Named, ...]:
    return tuple(each for each in parts if each.name != name)


def _changed(
    parts: tuple[Named, ...], name: str, change: Callable[[Named], Named]
) -> tuple[Named, ...]:
    return tuple(change(each) if each.name == name else each for each in parts)


def _renamed(parts: tuple[Named, ...], old: str, new: str) -> tuple[Named, ...]:
    return _changed(parts, old, lambda each: replace(each, name=new))


def reach(operation: MigrationOperation, enums: Iterable[str]) -> Footprint:
    """Return the tables, types and indexes that *operation* makes, changes or needs.

    Args:
        enums: the names of all enumerated types.
    """
    match operation:
        case ops.CreateTable(table) | ops.DropTable(table):
            targets = {key.target for key in table.foreign_keys if key.target != table.name}
            types = _types((column.type for column in table.columns), enums)
            keys = _index_keys(table.name, *(each.name for each in indexed_parts(table)))
            return Footprint(frozenset((table.name,)) | keys, frozenset(targets | types))
        case ops.RenameTable(old, new):
            return Footprint(frozenset((old, new)))
        case ops.AlterEnum(other, enum):
            return Footprint(frozenset(_type_key(each.name) for each in (other, enum)))
        case ops.CreateEnum(enum) | ops.DropEnum(enum):
            return Footprint(frozenset((_type_key(enum.name),)))
        case ops.Run():
            return Footprint(frozenset())
    name: str = operation.table  # type: ignore[attr-defined]
    needed: set[str] = set()
    indexes: frozenset[str] = frozenset()
    match operation:
        case ops.AddConstraint(_, ForeignKey() as key) | ops.DropConstraint(_, ForeignKey() as key):
            needed = {key.target} - {name}
        case ops.AddColumn(_, column) | ops.DropColumn(_, column):
            needed = _types((column.type,), enums)
        case ops.AlterColumn(_, was, column):
            needed = _types((was.type, column.type), enums)
        case ops.CreateIndex(_, part) | ops.DropIndex(_, part):
            indexes = _index_keys(name, part.name)
        case ops.AddConstraint(_, part) | ops.DropConstraint(_, part) if has_index(part):
            indexes = _index_keys(name, part.name)
        case ops.RenameIndex(_, old, new) | ops.RenameConstraint(_, old, new):
            indexes = _index_keys(name, old, new)
    return Footprint(frozenset((name,)) | indexes, frozenset(needed))


def indexed_parts(table: Table) -> tuple[Constraint | Index, ...]:
    """Return the indexes of *table*, and the keys that stand on one of their name."""
    return (*(each for each in table.constraints if has_index(each)), *table.indexes)


def has_index(part: Constraint | ForeignKey | Index) -> TypeGuard[Constraint | Index]:
    """Say whether an index of its name belongs to a constraint."""
    if isinstance(part, ForeignKey):
        return False
    return isinstance(part, Index) or canonical_words(part.definition)[:1] in _KEYS


def schema_key(table: str) -> str:
    """Return the schema in which the names of a table's indexes stand."""
    return schema_of(table) or "public"


def _index_keys(table: str, *names: str) -> frozenset[str]:
    return frozenset(f"index {schema_key(table)}.{name}" for name in names)


def _types(types: Iterable[str], enums: Iterable[str]) -> set[str]:
    used = {each.removesuffix("[]") for each in types}
    return {_type_key(name) for name in enums if quote_qualified(name) in used}


def _type_key(name: str) -> str:
    return f"type {name}"
