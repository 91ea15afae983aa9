"""States after a rename, which is applied to every mention of the name, as PostgreSQL does.

Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from msframework.migrations import sql
from msframework.migrations.schema import Column, Constraint, ForeignKey, Index, SchemaState, Table


def rename_table(state: SchemaState, old: str, new: str) -> SchemaState:
    """Return *state* with the table *old* called *new*, also where foreign keys point to it."""
    return replace(state, tables=tuple(_retargeted(each, old, new) for each in state.tables))


def rename_column(state: SchemaState, table: str, old: str, new: str) -> SchemaState:
    """Return *state* with one column renamed, also in what is said about it elsewhere."""
    return replace(
        state,
        tables=tuple(
            _with_targets_renamed(
                _with_column_renamed(each, old, new) if each.name == table else each,
                table,
                old,
                new,
            )
            for each in state.tables
        ),
    )


def _retargeted(table: Table, old: str, new: str) -> Table:
    return replace(
        table,
        name=new if table.name == old else table.name,
        constraints=tuple(
            replace(each, target=new)
            if isinstance(each, ForeignKey) and each.target == old
            else each
            for each in table.constraints
        ),
    )


def _with_column_renamed(table: Table, old: str, new: str) -> Table:
    def constraint(each: Constraint | ForeignKey) -> Constraint | ForeignKey:
        if isinstance(each, ForeignKey):
            return replace(each, columns=_renamed(each.columns, old, new))
        return each

    table = _with_texts(table, lambda text: sql.rename(text, old, new))
    return replace(
        table,
        columns=tuple(
            replace(each, name=new) if each.name == old else each for each in table.columns
        ),
        constraints=tuple(map(constraint, table.constraints)),
        indexes=tuple(
            replace(each, include=_renamed(each.include, old, new)) for each in table.indexes
        ),
        storage=tuple(sql.rename(each, old, new) for each in table.storage),
    )


def _with_texts(table: Table, change: Callable[[str], str]) -> Table:
    """Return *table* with other expressions of generated columns, constraints and indexes."""

    def column(each: Column) -> Column:
        generated = each.generated
        return each if generated is None else replace(each, generated=change(generated))

    def constraint(each: Constraint | ForeignKey) -> Constraint | ForeignKey:
        if isinstance(each, ForeignKey):
            return each
        return replace(each, definition=change(each.definition))

    def index(each: Index) -> Index:
        where = None if each.where is None else change(each.where)
        return replace(each, elements=tuple(map(change, each.elements)), where=where)

    return replace(
        table,
        columns=tuple(map(column, table.columns)),
        constraints=tuple(map(constraint, table.constraints)),
        indexes=tuple(map(index, table.indexes)),
    )


def _with_targets_renamed(table: Table, target: str, old: str, new: str) -> Table:
    return replace(
        table,
        constraints=tuple(
            replace(each, target_columns=_renamed(each.target_columns, old, new))
            if isinstance(each, ForeignKey) and each.target == target
            else each
            for each in table.constraints
        ),
    )


def _renamed(names: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    return tuple(new if each == old else each for each in names)


def rename_type(state: SchemaState, old: str, new: str) -> SchemaState:
    """Return *state* with an enumerated type, its columns and the casts to it, under a new name."""
    if old == new:
        return state
    one, other = sql.quote_qualified(old), sql.quote_qualified(new)
    kinds = {one: other, f"{one}[]": f"{other}[]"}

    def cast(text: str) -> str:
        return sql.rename_type(text, old, new)

    def column(each: Column) -> Column:
        default = None if each.default is None else cast(each.default)
        return replace(each, type=kinds.get(each.type, each.type), default=default)

    def rename(table: Table) -> Table:
        table = _with_texts(table, cast)
        return replace(table, columns=tuple(map(column, table.columns)))

    enums = (replace(each, name=new) if each.name == old else each for each in state.enums)
    return replace(state, tables=tuple(map(rename, state.tables)), enums=tuple(enums))


def rename_values(state: SchemaState, enum: str, renamed: Sequence[tuple[str, str]]) -> SchemaState:
    """Return *state* with the new names of an enumerated type's values in the columns' defaults.

    Conditions of constraints and indexes keep their texts: a value in them may be one of a text.
    """
    kind = sql.quote_qualified(enum)
    names = {sql.literal(old): sql.literal(new) for old, new in renamed}

    def rename(column: Column) -> Column:
        if column.type != kind or column.default is None:
            return column
        value, *cast = column.default.partition("::")
        return replace(column, default="".join((names.get(value.strip(), value), *cast)))

    tables = (replace(each, columns=tuple(map(rename, each.columns))) for each in state.tables)
    return replace(state, tables=tuple(tables))
