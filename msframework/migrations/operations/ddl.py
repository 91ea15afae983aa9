"""The SQL of columns, constraints, indexes and tables. Runs at start-up."""

from __future__ import annotations

import re
from typing import Final

from msframework.migrations.naming import name_object
from msframework.migrations.schema import Column, Constraint, ForeignKey, Index, Table
from msframework.migrations.sql import literal, quote, quote_qualified

_SERIAL: Final = {"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}
_NEXT_VALUE: Final = re.compile(r"nextval\('([^']+)'(?:::regclass)?\)\Z", re.IGNORECASE)


def object_name(table: str, column: str, label: str) -> str:
    """Return the name that PostgreSQL gives to what belongs to *column*.

    Args:
        table: its bare name.
        label: `seq` of a sequence, `not_null` of a constraint.
    """
    return name_object(table, (column,), label, ())


def bare(name: str) -> str:
    """Return the name of a table without its schema."""
    return name.split(".", 1)[-1]


def schema_of(name: str) -> str | None:
    """Return the schema in the name of a table, if it has one."""
    schema, dot, _ = name.partition(".")
    return schema if dot else None


def sibling(table: str, name: str) -> str:
    """Return *name* as SQL, qualified by the schema of *table*."""
    schema = schema_of(table)
    return quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"


def column_type(column: Column) -> str:
    """Return the type of *column* as SQL, with its collation."""
    collation = "" if column.collation is None else f" COLLATE {column.collation}"
    return column.type + collation


def column_definition(column: Column) -> str:
    """Return the definition of *column* for CREATE TABLE and ADD COLUMN."""
    if column.serial:
        return f"{quote(column.name)} {_SERIAL[column.type]} NOT NULL"
    parts = [quote(column.name), column_type(column)]
    if column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    if column.generated is not None:
        parts.append(f"GENERATED ALWAYS AS ({column.generated}) STORED")
    if column.identity is not None:
        parts.append(f"GENERATED {column.identity.upper()} AS IDENTITY")
    if not column.null:
        parts.append("NOT NULL")
    return " ".join(parts)


def constraint_definition(constraint: Constraint | ForeignKey) -> str:
    """Return the definition of *constraint* for CREATE TABLE and ADD CONSTRAINT."""
    if isinstance(constraint, ForeignKey):
        definition = _foreign_key_definition(constraint)
    else:
        definition = constraint.definition
    return f"CONSTRAINT {quote(constraint.name)} {definition}"


def _foreign_key_definition(key: ForeignKey) -> str:
    columns = ", ".join(quote(each) for each in key.columns)
    targets = ", ".join(quote(each) for each in key.target_columns)
    parts = [f"FOREIGN KEY ({columns}) REFERENCES {quote_qualified(key.target)} ({targets})"]
    if key.on_delete is not None:
        parts.append(f"ON DELETE {key.on_delete}")
    if key.on_update is not None:
        parts.append(f"ON UPDATE {key.on_update}")
    if key.deferrable is not None:
        parts.append(f"DEFERRABLE INITIALLY {key.deferrable.upper()}")
    return " ".join(parts)


def create_index(table: str, index: Index, concurrently: bool = False) -> str:
    """Return the statement that makes *index*."""
    parts = ["CREATE UNIQUE INDEX" if index.unique else "CREATE INDEX"]
    parts += ["CONCURRENTLY"] * concurrently
    parts += [quote(index.name), "ON", quote_qualified(table)]
    if index.method != "btree":
        parts.append(f"USING {quote(index.method)}")
    parts.append(f"({', '.join(index.elements)})")
    if index.include:
        parts.append(f"INCLUDE ({', '.join(quote(each) for each in index.include)})")
    if not index.nulls_distinct:
        parts.append("NULLS NOT DISTINCT")
    if index.storage:
        parts.append(f"WITH ({', '.join(index.storage)})")
    if index.where is not None:
        parts.append(f"WHERE {index.where}")
    return " ".join(parts)


def comment_on_column(table: str, column: str, text: str | None) -> str:
    """Return the statement that sets or drops the comment of a column."""
    return f"COMMENT ON COLUMN {quote_qualified(table)}.{quote(column)} IS {_comment(text)}"


def comment_on_table(table: str, text: str | None) -> str:
    """Return the statement that sets or drops the comment of a table."""
    return f"COMMENT ON TABLE {quote_qualified(table)} IS {_comment(text)}"


def _comment(text: str | None) -> str:
    return "NULL" if text is None else literal(text)


def create_table(table: Table) -> list[str]:
    """Return the statements that make *table*: itself, its indexes, its comments."""
    lines = [column_definition(each) for each in table.columns]
    lines += [constraint_definition(each) for each in table.constraints]
    inner = ",\n    ".join(lines)
    head = f"CREATE TABLE {quote_qualified(table.name)} (\n    {inner}\n)"
    statements = [each for column in table.columns for each in create_sequence(column)]
    statements.append(" ".join((head, *table.storage)))
    statements += [create_index(table.name, each) for each in table.indexes]
    if table.comment is not None:
        statements.append(comment_on_table(table.name, table.comment))
    statements += [
        comment_on_column(table.name, each.name, each.comment)
        for each in table.columns
        if each.comment is not None
    ]
    return statements


def create_sequence(column: Column) -> list[str]:
    """Return the statement that makes the sequence whose values are the default of *column*.

    Others may take values of it too, so that it goes with none of them.
    """
    match = _NEXT_VALUE.match(column.default or "")
    return [f"CREATE SEQUENCE IF NOT EXISTS {match[1]}"] if match else []


def block(body: str, declarations: str = "") -> str:
    """Return a DO block, for statements that depend on the database's contents."""
    tag = "$do$"
    while tag in body:
        tag = tag[:-1] + "_$"
    declared = f"DECLARE\n{declarations}\n" if declarations else ""
    return f"DO {tag}\n{declared}BEGIN\n{body}\nEND\n{tag}"


def refusal(rows: str, message: str, hint: str) -> str:
    """Return a DO block that fails if the query *rows* finds any row.

    Args:
        message: as SQL, like *hint*.
    """
    return block(
        f"  IF EXISTS ({rows}) THEN\n"
        f"    RAISE EXCEPTION USING MESSAGE = {message},\n"
        f"      HINT = {hint},\n"
        "      ERRCODE = 'integrity_constraint_violation';\n"
        "  END IF;"
    )


def create_schema(name: str) -> str | None:
    """Return the statements that create the schema of the table *name* if it is missing.

    IF NOT EXISTS alone asks for the right to create schemas even where there is nothing to do.
    """
    schema = schema_of(name)
    if schema is None:
        return None
    return block(
        f"  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = {literal(schema)}) THEN\n"
        f"    CREATE SCHEMA {quote(schema)};\n"
        "  END IF;"
    )


def alter(table: str, change: str) -> str:
    """Return the statement that makes one *change* of *table*."""
    return f"ALTER TABLE {quote_qualified(table)} {change}"
