"""Renames of types, tables and columns between two states. Runs when a migration is made."""

from __future__ import annotations

from dataclasses import replace

from msframework.migrations import operations as ops
from msframework.migrations.clashes import settle_clashes
from msframework.migrations.conversions import are_akin
from msframework.migrations.effects import apply_operations
from msframework.migrations.evolve import rename_column, rename_table
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.renames import Answers
from msframework.migrations.schema import SchemaState, Table

_ALIKE = 0.5  # share of the columns, of both tables together, from which a rename is likely


def settle_names(
    old: SchemaState, new: SchemaState, answers: Answers
) -> tuple[list[MigrationOperation], SchemaState]:
    """Return the renames from *old* to *new*, and *old* with the names that they give.

    Indexes and keys are renamed only where their names would be in the way of others.

    Raises:
        ImproperlyConfigured: it cannot be told what was renamed.
    """
    renames = _types(old, new, answers)
    old = renamed = apply_operations(old, renames)
    names = _tables(old, new, answers)
    for before, after in names:
        renames.append(ops.RenameTable(before, after))
        renamed = rename_table(renamed, before, after)
    for table in new.tables:
        one = renamed.table(table.name)
        for before, after in _columns(one, table, answers) if one else ():
            renames.append(ops.RenameColumn(table.name, before, after))
            renamed = rename_column(renamed, table.name, before, after)
    asides, renamed = settle_clashes(old, renamed, new, dict(names))
    return [*asides, *renames], renamed


def _types(old: SchemaState, new: SchemaState, answers: Answers) -> list[MigrationOperation]:
    names = [{each.name for each in state.enums} for state in (old, new)]
    gone = [enum for enum in old.enums if enum.name not in names[1]]
    found: list[MigrationOperation] = []
    for enum in new.enums:
        for one in gone if enum.name not in names[0] else ():
            if answers.is_rename("type", one.name, one.name, enum.name, one.values == enum.values):
                found.append(ops.AlterEnum(one, replace(one, name=enum.name)))
                gone.remove(one)
                break
    return found


def _tables(old: SchemaState, new: SchemaState, answers: Answers) -> list[tuple[str, str]]:
    gone = [table for table in old.tables if new.table(table.name) is None]
    found = []
    for table in new.tables:
        if old.table(table.name) is not None:
            continue
        for one in gone:
            if answers.is_rename("table", one.name, one.name, table.name, _are_alike(one, table)):
                found.append((one.name, table.name))
                gone.remove(one)
                break
    for one in gone:
        answers.note_drop(one.name, None)
    return found


def _are_alike(one: Table, other: Table) -> bool:
    before = {(column.name, column.type) for column in one.columns}
    after = {(column.name, column.type) for column in other.columns}
    if sorted(kind for _, kind in before) == sorted(kind for _, kind in after):
        return True
    return len(before & after) >= _ALIKE * len(before | after)


def _columns(one: Table, other: Table, answers: Answers) -> list[tuple[str, str]]:
    before = {column.name for column in one.columns}
    after = {column.name for column in other.columns}
    gone = [column for column in one.columns if column.name not in after]
    found = []
    for column in other.columns:
        if column.name in before:
            continue
        for was in gone:
            likely = are_akin(was.type, column.type)
            if answers.is_rename("column", other.name, was.name, column.name, likely):
                found.append((was.name, column.name))
                gone.remove(was)
                break
    return found
