"""Renames of tables and columns between two states. Runs when a migration is made."""

from __future__ import annotations

from msframework.migrations import operations as ops
from msframework.migrations.conversions import are_akin
from msframework.migrations.evolve import rename_column, rename_table
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.renames import Answers
from msframework.migrations.schema import SchemaState, Table

_ALIKE = 0.5  # share of the columns, of both tables together, from which a rename is likely


def settle_names(
    old: SchemaState, new: SchemaState, answers: Answers
) -> tuple[list[MigrationOperation], SchemaState]:
    """Return the renames from *old* to *new*, and *old* with the names that they give.

    Raises:
        ImproperlyConfigured: it cannot be told what was renamed.
    """
    renames: list[MigrationOperation] = []
    for before, after in _tables(old, new, answers):
        renames.append(ops.RenameTable(before, after))
        old = rename_table(old, before, after)
    for table in new.tables:
        one = old.table(table.name)
        for before, after in _columns(one, table, answers) if one else ():
            renames.append(ops.RenameColumn(table.name, before, after))
            old = rename_column(old, table.name, before, after)
    return renames, old


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
