"""The SQL that changes the values of an enumerated type, or its name. Runs at start-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msframework.migrations.operations.base import Phase, PhaseContext, SqlAction
from msframework.migrations.operations.ddl import (
    bare,
    block,
    create_schema,
    object_name,
    schema_of,
    sibling,
)
from msframework.migrations.schema import EnumType
from msframework.migrations.sql import literal, quote, quote_qualified

# Everything that must go before the columns of a type can have another one, and what makes it
# again, read while the type still has its name.
_DEPENDENTS = """\
  WITH used AS (
    SELECT attrelid, attnum, attrelid::regclass AS of_table, quote_ident(attname) AS of_column,
      atttypid <> {type} AS is_array, pg_get_expr(adbin, adrelid) AS default_text
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p')
      LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE atttypid IN ({type}, (SELECT typarray FROM pg_type WHERE oid = {type}))
      AND NOT attisdropped AND attinhcount = 0
  ), checks AS (
    SELECT DISTINCT of_table, conname, pg_get_constraintdef(pg_constraint.oid) AS definition
    FROM used JOIN pg_constraint ON conrelid = attrelid AND attnum = ANY (conkey)
    WHERE contype = 'c'
  ), indexes AS (
    SELECT DISTINCT indexrelid, pg_get_indexdef(indexrelid) AS definition
    FROM used JOIN pg_index ON indrelid = attrelid
      JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = indexrelid
        AND refobjid = attrelid AND refobjsubid = attnum
    WHERE indpred IS NOT NULL OR indexprs IS NOT NULL
  ), commands AS (
    SELECT 1 AS step, 'ALTER TABLE ' || of_table || ' DROP CONSTRAINT ' || quote_ident(conname)
      AS command FROM checks
    UNION ALL SELECT 1, 'DROP INDEX ' || indexrelid::regclass FROM indexes
    UNION ALL SELECT 2, 'ALTER TABLE ' || of_table || ' ALTER COLUMN ' || of_column
      || ' DROP DEFAULT' FROM used WHERE default_text IS NOT NULL
    UNION ALL SELECT 3, 'ALTER TABLE ' || of_table || ' ALTER COLUMN ' || of_column || ' TYPE '
      || {new} || CASE WHEN is_array THEN '[] USING ' || of_column || '::text[]::' || {new} || '[]'
        ELSE ' USING ' || of_column || '::text::' || {new} END FROM used
    UNION ALL SELECT 4, 'ALTER TABLE ' || of_table || ' ALTER COLUMN ' || of_column
      || ' SET DEFAULT ' || default_text FROM used WHERE default_text IS NOT NULL
    UNION ALL SELECT 5, definition FROM indexes
    UNION ALL SELECT 5, 'ALTER TABLE ' || of_table || ' ADD CONSTRAINT ' || quote_ident(conname)
      || ' ' || definition FROM checks
  )
  SELECT coalesce(array_agg(command) FILTER (WHERE step < 3), '{{}}'),
    coalesce(array_agg(command ORDER BY step) FILTER (WHERE step >= 3), '{{}}')
  INTO before, behind FROM commands;"""

# A query of each column for rows with a value that the type loses.
_HOLDERS: Final = """\
  FOR place, statement IN
    SELECT attrelid::regclass || '.' || quote_ident(attname),
      format('SELECT EXISTS (SELECT FROM %s WHERE %I::text' || CASE WHEN atttypid = {type}
        THEN ' = ANY (%L))' ELSE '[] && %L)' END, attrelid::regclass, attname, {lost})
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p')
    WHERE atttypid IN ({type}, (SELECT typarray FROM pg_type WHERE oid = {type}))
      AND NOT attisdropped AND attinhcount = 0
  LOOP
    EXECUTE statement INTO held;
    IF held THEN
      RAISE EXCEPTION USING MESSAGE = {message} || place || '.', HINT = {hint},
        ERRCODE = 'integrity_constraint_violation';
    END IF;
  END LOOP;"""
_HINT: Final = "Give those rows another value first, by a Run(UPDATE …) before this operation."


def rename_type(old: str, new: str) -> tuple[Phase, ...]:
    """Return the phase, if any, that renames a type, or moves it to another schema."""
    statements, name = [], old
    schema = schema_of(new)
    if schema != schema_of(old):
        if schema is None:
            command = literal(f"ALTER TYPE {quote_qualified(old)} SET SCHEMA ")
            statements.append(block(f"  EXECUTE {command} || quote_ident(current_schema());"))
            name = bare(old)
        else:
            made = create_schema(new)
            statements += [] if made is None else [made]
            statements.append(f"ALTER TYPE {quote_qualified(old)} SET SCHEMA {quote(schema)}")
            name = f"{schema}.{bare(old)}"
    if bare(old) != bare(new):
        statements.append(f"ALTER TYPE {quote_qualified(name)} RENAME TO {quote(bare(new))}")
    return (Phase(tuple(SqlAction(each) for each in statements)),) if statements else ()


def change_values(old: tuple[str, ...], new: EnumType, context: PhaseContext) -> tuple[Phase, ...]:
    """Return the phases that give the type of the name of *new* its values.

    A value that was added can be used once its transaction is over (the manual, ALTER TYPE).
    """
    if old == new.values:
        return ()
    if _is_within(old, new.values):
        added = [SqlAction(each) for each in _add_values(old, new)]
        if context.online:
            return tuple(Phase((each,), transaction=False, waits=False) for each in added)
        return (Phase(tuple(added)),)
    renamed = renamed_values(old, new.values)
    if renamed:
        name = quote_qualified(new.name)
        return (
            Phase(
                tuple(
                    SqlAction(f"ALTER TYPE {name} RENAME VALUE {literal(one)} TO {literal(two)}")
                    for one, two in renamed
                )
            ),
        )
    return (Phase((SqlAction(_make_anew(old, new)),)),)


def is_made_anew(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Say whether a type with other values is made anew, which rewrites the tables that have it."""
    return old != new and not _is_within(old, new) and not renamed_values(old, new)


def _is_within(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Say whether *new* has the values of *old* in their order, and more."""
    return tuple(each for each in new if each in old) == old


def _add_values(old: tuple[str, ...], new: EnumType) -> list[str]:
    """Return the statements that add values, each beside one that is there by then."""
    statements = []
    last: str | None = None
    for value in new.values:
        if value not in old:
            place = f" AFTER {literal(last)}" if last is not None else ""
            if last is None and old:
                place = f" BEFORE {literal(old[0])}"
            # IF NOT EXISTS, as an interrupted attempt may have added it.
            add = f"ALTER TYPE {quote_qualified(new.name)} ADD VALUE IF NOT EXISTS "
            statements.append(add + literal(value) + place)
        last = value
    return statements


def renamed_values(old: tuple[str, ...], new: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return each value with its new name, where some have others in their places."""
    if len(old) != len(new):
        return []
    pairs = [(one, two) for one, two in zip(old, new, strict=True) if one != two]
    return [] if any(one in new or two in old for one, two in pairs) else pairs


def _make_anew(old: tuple[str, ...], new: EnumType) -> str:
    """Return the statement that replaces the type by a new one, in all columns that have it."""
    name, spare = quote_qualified(new.name), object_name(bare(new.name), "type", "before")
    values = ", ".join(literal(each) for each in new.values)
    type_of = f"{literal(name)}::regtype"
    refusal = _refuse_lost(type_of, new.name, [each for each in old if each not in new.values])
    dependents = _DEPENDENTS.format(type=type_of, new=literal(name))
    body = f"""\
{refusal}{dependents}
  FOREACH statement IN ARRAY before LOOP
    EXECUTE statement;
  END LOOP;
  ALTER TYPE {name} RENAME TO {quote(spare)};
  CREATE TYPE {name} AS ENUM ({values});
  FOREACH statement IN ARRAY behind LOOP
    EXECUTE statement;
  END LOOP;
  DROP TYPE {sibling(new.name, spare)};"""
    declared = "  before text[];\n  behind text[];\n  statement text;"
    return block(body, declared + "\n  place text;\n  held boolean;" * bool(refusal))


def _refuse_lost(type_of: str, name: str, lost: Sequence[str]) -> str:
    """Return the statement that fails where rows hold a value that the type loses."""
    if not lost:
        return ""
    return (
        _HOLDERS.format(
            type=type_of,
            lost=f"ARRAY[{', '.join(literal(each) for each in lost)}]",
            message=literal(
                f"The type {name} loses {', '.join(lost)}, which is a value of rows in "
            ),
            hint=literal(_HINT),
        )
        + "\n"
    )
