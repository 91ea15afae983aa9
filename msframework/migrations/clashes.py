"""Names of indexes that one table has before a change, and another one after it.

A name of an index, so also that of a key, is there once in a schema. A part whose name would be in
the way for a while steps aside first, under a third name. Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Mapping

from msframework.migrations import operations as ops
from msframework.migrations.compare import same_constraint, same_index
from msframework.migrations.effects import apply_operations, indexed_parts, schema_key
from msframework.migrations.naming import name_object
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.ddl import bare
from msframework.migrations.schema import Constraint, Index, SchemaState, Table


def settle_clashes(
    old: SchemaState, renamed: SchemaState, new: SchemaState, names: Mapping[str, str]
) -> tuple[list[MigrationOperation], SchemaState]:
    """Return the renames that come before all others, and *renamed* after them.

    Args:
        renamed: the state *old* after the renames of its tables and columns.
        names: the names that renamed tables get, by those that they have.
    """
    asides: list[MigrationOperation] = []
    taken = {name for each in (*old.tables, *new.tables) for name in _names(each)}
    for before in old.tables:
        own = (before.name, names.get(before.name, before.name))
        moves = schema_key(own[0]) != schema_key(own[1])
        rivals = {
            name
            for state in ((old, renamed, new) if moves else (new,))
            for each in state.tables
            if each.name not in own and schema_key(each.name) == schema_key(own[1])
            for name in _names(each)
        }
        table = renamed.table(own[1])
        for part in indexed_parts(table) if table else ():
            if part.name in rivals and _goes(part, new.table(own[1]), moves):
                aside = name_object(bare(own[1]), (part.name,), "aside", taken)
                taken.add(aside)
                first, then = (_rename(each, part, aside) for each in own)
                asides.append(first)
                renamed = apply_operations(renamed, (then,))
    return asides, renamed


def _names(table: Table) -> list[str]:
    return [each.name for each in indexed_parts(table)]


def _goes(part: Constraint | Index, table: Table | None, moves: bool) -> bool:
    """Say whether *part* loses its name, and not by a drop that comes before all else.

    Args:
        table: what it belongs to after the change.
    """
    if table is None:
        return True
    if part.name in _names(table):
        return False
    return moves or any(_same(part, each) for each in indexed_parts(table))


def _same(one: Constraint | Index, other: Constraint | Index) -> bool:
    if isinstance(one, Index):
        return isinstance(other, Index) and same_index(one, other)
    return isinstance(other, Constraint) and same_constraint(one, other)


def _rename(table: str, part: Constraint | Index, new: str) -> MigrationOperation:
    kind = ops.RenameIndex if isinstance(part, Index) else ops.RenameConstraint
    return kind(table, part.name, new)
