"""Renames of sequences and constraints whose names PostgreSQL derived from a table or column.

Of sequences, and since PostgreSQL 18 of NOT NULL constraints; so a table that was renamed equals
one that was made with its new name. What somebody has named otherwise keeps its name.
"""

from __future__ import annotations

from typing import Final

from msframework.migrations.operations.ddl import bare, block, object_name, schema_of
from msframework.migrations.sql import literal, quote_qualified

_LABELS: Final = ("seq", "not_null")
_RENAME: Final = """\
  FOR each IN
    SELECT 'ALTER SEQUENCE ' || objid::regclass || ' RENAME TO ' AS command, relname AS name,
      {old_seq} AS old,
      {new_seq} AS new
    FROM pg_depend JOIN pg_class ON pg_class.oid = objid AND relkind = 'S'
      JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
    WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
      AND refobjid = {table} AND deptype IN ('a', 'i')
    UNION ALL
    SELECT 'ALTER TABLE ' || conrelid::regclass || ' RENAME CONSTRAINT ' || quote_ident(conname)
        || ' TO ', conname,
      {old_not_null},
      {new_not_null}
    FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
    WHERE contype = 'n' AND conrelid = {table}
  LOOP
    IF each.name = each.old THEN
      EXECUTE each.command || quote_ident(each.new);
    END IF;
  END LOOP;"""

_TAKEN: Final = """\
  SELECT string_agg(quote_ident(parts.name), ', ' ORDER BY parts.name) INTO names
  FROM (
    SELECT {name}::name AS name
    UNION SELECT relname FROM pg_class JOIN pg_index ON indexrelid = oid WHERE indrelid = {table}
    UNION SELECT relname FROM pg_class JOIN pg_depend ON objid = pg_class.oid
    WHERE relkind = 'S' AND classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
      AND refobjid = {table} AND deptype IN ('a', 'i')
  ) AS parts JOIN pg_class ON relname = parts.name
    JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspname = {schema};
  IF names IS NOT NULL THEN
    RAISE EXCEPTION USING MESSAGE = {message} || names || '.', HINT = {hint},
      ERRCODE = 'duplicate_table';
  END IF;"""
_HINT: Final = (
    "Its indexes and keys move with it under their names: rename either of two, by "
    "RenameIndex, RenameConstraint or RenameTable before this operation."
)


def follow_table(old: str, new: str) -> str:
    """Return the statements that rename a table's sequences and constraints after it.

    Args:
        old: the bare name that it had.
        new: as it is called now, with its schema if need be.
    """
    names = {f"old_{each}": _made_name(old, each) for each in _LABELS}
    names |= {f"new_{each}": _made_name(bare(new), each) for each in _LABELS}
    return block(_RENAME.format(table=_regclass(new), **names), "  each record;")


def refuse_taken_names(table: str, new: str) -> str:
    """Return the statement that fails where a schema has names of what moves to it.

    Args:
        table: its name before the move.
        new: its name in the end, with the schema that it moves to.
    """
    schema = schema_of(new)
    target = "the first schema of the search path" if schema is None else f"the schema {schema}"
    body = _TAKEN.format(
        name=literal(bare(new)),
        table=_regclass(table),
        schema="current_schema()" if schema is None else literal(schema),
        message=literal(f"The table {table} moves to {target}, which has these names already: "),
        hint=literal(_HINT),
    )
    return block(body, "  names text;")


def follow_column(table: str, old: str, new: str) -> str:
    """Return the statements that rename a column's sequence and constraint after it."""
    names = {
        f"{age}_{each}": literal(object_name(bare(table), column, each))
        for age, column in (("old", old), ("new", new))
        for each in _LABELS
    }
    return block(_RENAME.format(table=_regclass(table), **names), "  each record;")


def _regclass(table: str) -> str:
    return f"{literal(quote_qualified(table))}::regclass"


def _made_name(table: str, label: str) -> str:
    """Return the expression for `object_name` of a column; exact where a name that is cut is ASCII.

    The longer of both is cut until they fit, then each in turn.
    """
    room = 63 - len(label) - 2
    own = f"left({literal(table)}, greatest({(room + 1) // 2}, {room} - length(attname)))"
    column = f"left(attname, greatest({room // 2}, {room} - length({literal(table)})))"
    return f"{own} || '_' || {column} || '_{label}'"
