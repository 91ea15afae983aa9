"""Renames of sequences and constraints whose names PostgreSQL derived from a table or column.

Of sequences, and since PostgreSQL 18 of NOT NULL constraints; so a table that was renamed equals
one that was made with its new name. What somebody has named otherwise keeps its name. The rules are
those of the server's makeObjectName, ChooseRelationName and ChooseConstraintName: the longer of
both names is cut until they fit, then the other too, and what is taken gets a number.
"""

from __future__ import annotations

from typing import Final

from msframework.migrations.naming import LONGEST_NAME
from msframework.migrations.operations.ddl import bare, block, schema_of
from msframework.migrations.sql import literal, quote_qualified

_DECLARATIONS: Final = """\
  each record;
  label text;
  room integer;
  made text;"""
_CLIP: Final = """\
left({name}, (SELECT max(n) FROM generate_series(0, room) AS n
          WHERE octet_length(left({name}, n)) <= {size}))"""
_RENAME: Final = """\
  FOR each IN
    SELECT 'ALTER SEQUENCE ' || objid::regclass || ' RENAME TO ' AS command, relname AS name,
      relnamespace AS space, attnum, attname, 'seq' AS label
    FROM pg_depend JOIN pg_class ON pg_class.oid = objid AND relkind = 'S'
      JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
    WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
      AND refobjid = {table} AND deptype IN ('a', 'i'){condition}
    UNION ALL
    SELECT 'ALTER TABLE ' || conrelid::regclass || ' RENAME CONSTRAINT ' || quote_ident(conname)
        || ' TO ', conname, connamespace, attnum, attname, 'not_null'
    FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
    WHERE contype = 'n' AND conrelid = {table}{condition}
    ORDER BY attnum
  LOOP
    label := substring(each.name FROM each.label || '[0-9]*$');
    room := {most} - octet_length(label);
    CONTINUE WHEN label IS NULL OR each.name <> {was};
    FOR number IN 0..9999 LOOP
      label := each.label || coalesce(nullif(number, 0)::text, '');
      room := {most} - octet_length(label);
      made := {now};
      EXIT WHEN made = each.name OR NOT EXISTS (
        SELECT FROM pg_class
        WHERE each.label = 'seq' AND relname = made AND relnamespace = each.space
        UNION ALL SELECT FROM pg_constraint
        WHERE each.label = 'not_null' AND conname = made AND connamespace = each.space);
    END LOOP;
    IF made <> each.name THEN
      EXECUTE each.command || quote_ident(made);
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
    was, now = (_made_name(literal(each), "each.attname") for each in (old, bare(new)))
    return _follow(new, was, now)


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
    was, now = (_made_name(literal(bare(table)), literal(each)) for each in (old, new))
    return _follow(table, was, now, f" AND attname = {literal(new)}")


def _follow(table: str, was: str, now: str, condition: str = "") -> str:
    most = LONGEST_NAME - len("__")
    text = _RENAME.format(table=_regclass(table), condition=condition, was=was, now=now, most=most)
    return block(text, _DECLARATIONS)


def _regclass(table: str) -> str:
    return f"{literal(quote_qualified(table))}::regclass"


def _made_name(table: str, column: str) -> str:
    """Return the expression for the name that PostgreSQL makes, with the variable `label`."""
    most = f"greatest((room + 1) / 2, room - octet_length({column}))"
    first = _CLIP.format(name=table, size=most)
    second = _CLIP.format(name=column, size=f"greatest(room / 2, room - octet_length({table}))")
    return f"{first}\n        || '_' || {second}\n        || '_' || label"
