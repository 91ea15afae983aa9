"""Columns that a sequence fills: serial and identity.

Which sequence belongs to a column only the database knows, so these are DO blocks.
"""

from __future__ import annotations

from msframework.migrations.operations.ddl import alter, block, object_name, sibling
from msframework.migrations.schema import Column
from msframework.migrations.sql import literal, quote, quote_qualified


def is_counted(column: Column) -> bool:
    """Say whether a sequence fills *column*."""
    return column.serial or column.identity is not None


def make_serial(table: str, column: Column) -> list[str]:
    """Return the statements that have a new sequence fill an existing column."""
    name = sequence_name(table, column.name)
    owner = f"{quote_qualified(table)}.{quote(column.name)}"
    return [
        f"CREATE SEQUENCE {name} AS {column.type} OWNED BY {owner}",
        alter(table, f"ALTER COLUMN {quote(column.name)} SET DEFAULT {next_value(table, column)}"),
    ]


def sequence_name(table: str, column: str) -> str:
    """Return as SQL the name of the sequence that fills a column of *table*."""
    return sibling(table, object_name(table.split(".", 1)[-1], column, "seq"))


def next_value(table: str, column: Column) -> str:
    """Return the expression that takes the next value for *column*."""
    return f"nextval({literal(sequence_name(table, column.name))}::regclass)"


def make_identity(table: str, column: Column) -> str:
    """Return the statement that makes an existing column an identity column."""
    kind = (column.identity or "by default").upper()
    return alter(table, f"ALTER COLUMN {quote(column.name)} ADD GENERATED {kind} AS IDENTITY")


def drop_source(table: str, column: Column) -> str:
    """Return the statement after which no sequence fills *column*; the sequence is gone."""
    if column.identity is not None:
        return alter(table, f"ALTER COLUMN {quote(column.name)} DROP IDENTITY")
    return block(_drop_serial(table, column), _declared(table, column.name))


def change_source(table: str, old: Column, new: Column) -> str:
    """Return the statement that makes the column plain, serial or identity, as *new* is.

    Counting goes on behind the greatest value, and behind what the old sequence has given out.
    """
    given = ""
    if is_counted(old):
        given = (
            "  IF sequence IS NOT NULL THEN\n"
            "    EXECUTE 'SELECT last_value + is_called::integer FROM ' || sequence\n"
            "      INTO following;\n"
            "  END IF;\n"
        )
    drop = ""
    if old.identity is not None:
        drop = f"  {drop_source(table, old)};\n"
    elif old.serial:
        drop = _drop_serial(table, old) + "\n"
    made = [make_identity(table, new)] if new.identity is not None else make_serial(table, new)
    body = given + drop + "".join(f"  {each};\n" for each in made) + _set_sequence(table, new)
    return block(body, f"{_declared(table, old.name)}\n  following bigint := 1;")


def change_identity(table: str, new: Column) -> str:
    """Return the statement that changes whether an identity column takes given values."""
    kind = (new.identity or "by default").upper()
    return alter(table, f"ALTER COLUMN {quote(new.name)} SET GENERATED {kind}")


def retype_sequence(table: str, column: Column) -> str:
    """Return the statement that gives a serial column's sequence the type of the column."""
    body = (
        "  IF sequence IS NOT NULL THEN\n"
        f"    EXECUTE 'ALTER SEQUENCE ' || sequence || ' AS {column.type}';\n"
        "  END IF;"
    )
    return block(body, _declared(table, column.name))


def _lookup(table: str, column: str) -> str:
    return f"pg_get_serial_sequence({literal(quote_qualified(table))}, {literal(column)})"


def _declared(table: str, column: str) -> str:
    return f"  sequence text := {_lookup(table, column)};"


def _drop_serial(table: str, column: Column) -> str:
    return (
        f"  {alter(table, f'ALTER COLUMN {quote(column.name)} DROP DEFAULT')};\n"
        "  IF sequence IS NOT NULL THEN\n"
        "    EXECUTE 'DROP SEQUENCE ' || sequence;\n"
        "  END IF;"
    )


def _set_sequence(table: str, column: Column) -> str:
    value, name = quote(column.name), quote_qualified(table)
    # The column is qualified, as it may be called what a variable of the block is called.
    last = f"coalesce(max(rows.{value}), 0) + 1"
    greatest = f"SELECT {last} FROM {name} AS rows"  # noqa: S608 - quoted
    return (
        f"  PERFORM setval({_lookup(table, column.name)},\n"
        f"    greatest(following, ({greatest})), false);"
    )
