"""The phases that change a column. Runs at start-up."""

from __future__ import annotations

from dataclasses import replace

from msframework.migrations.operations.base import Phase, SqlAction
from msframework.migrations.operations.casts import cast_between
from msframework.migrations.operations.ddl import (
    alter,
    column_definition,
    column_type,
    comment_on_column,
    create_sequence,
    refusal,
)
from msframework.migrations.operations.required import FillValue, required_phases
from msframework.migrations.operations.sequences import (
    change_identity,
    change_source,
    drop_source,
    is_counted,
    next_value,
    retype_sequence,
)
from msframework.migrations.schema import Column
from msframework.migrations.sql import literal, quote, quote_qualified, same


def alter_column(
    table: str, old: Column, new: Column, using: str | None, fill: FillValue | None, online: bool
) -> tuple[Phase, ...]:
    """Return the phases that make the column *old* of *table* what *new* is.

    First the changes that are quick (except a change of type), then NOT NULL, then a new sequence,
    which needs NOT NULL.
    """
    if new.generated is not None and not same(old.generated, new.generated):
        return (_compute(table, old, new),)
    phases = []
    statements = _first_changes(table, old, new, using)
    if statements:
        phases.append(Phase(tuple(SqlAction(each) for each in statements)))
    if old.null and is_counted(new) and fill is None:
        return (*phases, *_number(table, new, online))
    if old.null and not new.null:
        value = new.default if fill is None else fill
        phases += required_phases(table, new, value, True, online)
    last = _new_source(table, old, new)
    if last is not None:
        phases.append(Phase((SqlAction(last),)))
    return tuple(phases)


def _number(table: str, new: Column, online: bool) -> list[Phase]:
    """Return the phases that number the rows with NULL, and those to come."""
    plain = replace(new, serial=False, identity=None)
    serial = replace(plain, serial=True)
    value = next_value(table, serial)
    phases = [
        Phase((SqlAction(change_source(table, plain, serial)),)),
        *required_phases(table, new, value, True, online),
    ]
    if new.identity is not None:
        phases.append(Phase((SqlAction(change_source(table, serial, new)),)))
    return phases


def _first_changes(table: str, old: Column, new: Column, using: str | None) -> list[str]:
    """Return the statements that loosen, retype, set the default and the comment."""
    name = quote(new.name)
    statements = []
    if is_counted(old) and not is_counted(new):
        statements.append(drop_source(table, old))
    if old.generated is not None and new.generated is None:
        statements.append(alter(table, f"ALTER COLUMN {name} DROP EXPRESSION"))
    if new.null and not old.null:
        statements.append(alter(table, f"ALTER COLUMN {name} DROP NOT NULL"))
    retyped = not same(old.type, new.type) or not same(old.collation, new.collation)
    retyped = retyped or using is not None
    redefault = not same(old.default, new.default)
    if old.default is not None and (retyped or (redefault and new.default is None)):
        statements.append(alter(table, f"ALTER COLUMN {name} DROP DEFAULT"))
    if retyped:
        statements += _retype(table, old, new, using)
    if new.default is not None and (retyped or redefault):
        statements += create_sequence(new)
        statements.append(alter(table, f"ALTER COLUMN {name} SET DEFAULT {new.default}"))
    if old.comment != new.comment:
        statements.append(comment_on_column(table, new.name, new.comment))
    return statements


def _retype(table: str, old: Column, new: Column, using: str | None) -> list[str]:
    cast = using
    if using is None and not same(old.type, new.type):
        cast = cast_between(quote(new.name), old.type, new.type)
    value = "" if cast is None else f" USING {cast}"
    change = f"ALTER COLUMN {quote(new.name)} TYPE {column_type(new)}{value}"
    statements = [alter(table, change)]
    # PostgreSQL gives the sequence of an identity column the new type itself.
    if old.serial and is_counted(new) and not same(old.type, new.type):
        statements.append(retype_sequence(table, new))
    return statements


def _new_source(table: str, old: Column, new: Column) -> str | None:
    """Return the statements that change which sequence fills the column, if any."""
    if not is_counted(new) or (old.serial and new.serial):
        return None
    if old.identity is not None and new.identity is not None:
        return None if old.identity == new.identity else change_identity(table, new)
    return change_source(table, old, new)


def _compute(table: str, old: Column, new: Column) -> Phase:
    """Return the phase that replaces the column by a generated one.

    PostgreSQL drops the indexes and constraints on a column with it; they have operations of their
    own before and after this one.
    """
    message = literal(
        f"The column {new.name} of {table} has an index or a constraint, which would be dropped "
        "with it."
    )
    hint = literal("Drop it by an operation before this one, and create it again by one after it.")
    find = (
        f"SELECT FROM pg_depend JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid\n"
        f"      LEFT JOIN pg_constraint AS own ON classid = 'pg_constraint'::regclass\n"
        f"        AND own.oid = objid\n"
        f"      LEFT JOIN pg_class AS made ON classid = 'pg_class'::regclass AND made.oid = objid\n"
        f"      WHERE refobjid = {literal(quote_qualified(table))}::regclass\n"
        f"        AND attname = {literal(new.name)}\n"
        f"        AND (own.contype <> 'n' OR made.relkind IN ('i', 'I'))"
    )
    statements = [
        refusal(find, message, hint),
        alter(table, f"DROP COLUMN {quote(old.name)}"),
        alter(table, f"ADD COLUMN {column_definition(new)}"),
    ]
    if new.comment is not None:
        statements.append(comment_on_column(table, new.name, new.comment))
    return Phase(tuple(SqlAction(each) for each in statements))
