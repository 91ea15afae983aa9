"""The phases that add a column of any kind. Runs at start-up."""

from __future__ import annotations

from dataclasses import replace

from msframework.migrations.operations.base import Action, Phase, SqlAction
from msframework.migrations.operations.ddl import (
    alter,
    column_definition,
    comment_on_column,
    create_sequence,
    refusal,
)
from msframework.migrations.operations.required import (
    FillValue,
    is_constant,
    required_phases,
)
from msframework.migrations.operations.sequences import (
    change_source,
    is_counted,
    make_serial,
    next_value,
)
from msframework.migrations.schema import Column
from msframework.migrations.sql import literal, quote, quote_qualified, same


def add_column(
    table: str, column: Column, fill: FillValue | None, online: bool
) -> tuple[Phase, ...]:
    """Return the phases that add *column* to *table*, and give existing rows their values.

    A value that PostgreSQL computes once for all existing rows is not written into them (its
    manual, ALTER TABLE, notes); any other is written in batches where others use the table.
    """
    if is_counted(column):
        phases = _add_counted(table, column, fill, online)
    elif fill is None and _is_direct(column, online):
        phases = [_add_directly(table, column)]
    elif isinstance(fill, str) and is_constant(fill):
        phases = [_add_with_value(table, column, fill)]
    else:
        phases = _add_empty(table, column, column.default if fill is None else fill, online)
    first = [SqlAction(each) for each in create_sequence(column)]
    last = []
    if column.comment is not None:
        last.append(SqlAction(comment_on_column(table, column.name, column.comment)))
    phases[0] = replace(phases[0], actions=(*first, *phases[0].actions, *last))
    return tuple(phases)


def _is_direct(column: Column, online: bool) -> bool:
    """Say whether a plain ADD COLUMN is enough."""
    return not online or column.default is None or is_constant(column.default)


def _add(table: str, column: Column) -> SqlAction:
    return SqlAction(alter(table, f"ADD COLUMN {column_definition(column)}"))


def _add_directly(table: str, column: Column) -> Phase:
    add = _add(table, column)
    if column.null or column.default is not None or column.generated is not None:
        return Phase((add,))
    return Phase((_refuse_rows(table, column), add))


def _refuse_rows(table: str, column: Column) -> SqlAction:
    """Return the action that fails with a clear message if the table has rows."""
    message = literal(
        f"The table {table} has rows, for which the column {column.name} (NOT NULL) has no value."
    )
    hint = literal("Give the operation a fill (a dropped column: a restore), or allow NULL.")
    return SqlAction(refusal(f"SELECT FROM {quote_qualified(table)}", message, hint))


def _add_with_value(table: str, column: Column, fill: str) -> Phase:
    """Return the phase that has PostgreSQL keep one value for all existing rows."""
    actions: list[Action] = [_add(table, replace(column, default=fill))]
    if not same(column.default, fill):
        actions.append(_set_default(table, column))
    return Phase(tuple(actions))


def _set_default(table: str, column: Column) -> SqlAction:
    value = "DROP DEFAULT" if column.default is None else f"SET DEFAULT {column.default}"
    return SqlAction(alter(table, f"ALTER COLUMN {quote(column.name)} {value}"))


def _add_empty(table: str, column: Column, fill: FillValue | None, online: bool) -> list[Phase]:
    """Return the phases that add the column with NULL everywhere, then fill it."""
    actions = [_add(table, replace(column, null=True, default=None))]
    if column.default is not None:
        actions.append(_set_default(table, column))
    filled = required_phases(table, column, fill, not column.null, online)
    return [Phase(tuple(actions)), *filled]


def _add_counted(table: str, column: Column, fill: FillValue | None, online: bool) -> list[Phase]:
    """Return the phases that add a column filled from a sequence, and number the existing rows."""
    if not online and fill is None:
        return [Phase((_add(table, column),))]
    plain = replace(column, serial=False, identity=None)
    serial = replace(plain, serial=True)
    add = _add(table, replace(plain, null=True))
    counted = tuple(SqlAction(each) for each in make_serial(table, serial))
    value = next_value(table, serial) if fill is None else fill
    phases = [
        Phase((add, *counted)),
        *required_phases(table, column, value, True, online),
    ]
    if fill is not None or column.identity is not None:
        phases.append(Phase((SqlAction(change_source(table, serial, column)),)))
    return phases
