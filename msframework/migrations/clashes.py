"""Names of indexes that one table has before a change, and another one after it.

A name of an index, so also that of a key, is there once in a schema. A part whose name would be in
the way for a while steps aside first, under a third name. Runs when a migration is made.
"""

from __future__ import annotations

from collections import defaultdict
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
    taken = {part.name for each in (*old.tables, *new.tables) for part in indexed_parts(each)}
    later, ever = _holders(new), _holders(old, renamed, new)
    for before in old.tables:
        own = (before.name, names.get(before.name, before.name))
        table, schema = renamed.table(own[1]), schema_key(own[1])
        moves = schema_key(own[0]) != schema
        for part in indexed_parts(table) if table else ():
            rivals = (ever if moves else later)[schema, part.name].difference(own)
            if rivals and _goes(part, new.table(own[1]), moves):
                aside = name_object(bare(own[1]), (part.name,), "aside", taken)
                taken.add(aside)
                first, then = (_rename(each, part, aside) for each in own)
                asides.append(first)
                renamed = apply_operations(renamed, (then,))
    return asides, renamed


def _holders(*states: SchemaState) -> defaultdict[tuple[str, str], set[str]]:
    """Return the tables that have an index of a name, by the schema and that name."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for state in states:
        for table in state.tables:
            for part in indexed_parts(table):
                found[schema_key(table.name), part.name].add(table.name)
    return found


def _goes(part: Constraint | Index, table: Table | None, moves: bool) -> bool:
    """Say whether *part* loses its name, and not by a drop that comes before all else.

    Args:
        table: what it belongs to after the change.
    """
    if table is None:
        return True
    parts = indexed_parts(table)
    if any(each.name == part.name for each in parts):
        return False
    return moves or any(_same(part, each) for each in parts)


def _same(one: Constraint | Index, other: Constraint | Index) -> bool:
    if isinstance(one, Index):
        return isinstance(other, Index) and same_index(one, other)
    return isinstance(other, Constraint) and same_constraint(one, other)


def _rename(table: str, part: Constraint | Index, new: str) -> MigrationOperation:
    kind = ops.RenameIndex if isinstance(part, Index) else ops.RenameConstraint
    return kind(table, part.name, new)
