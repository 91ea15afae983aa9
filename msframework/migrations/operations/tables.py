"""Operations on whole tables."""

from __future__ import annotations

from dataclasses import dataclass

from msframework.migrations.operations.arguments import check_kind, check_table, check_table_name
from msframework.migrations.operations.base import Phase, PhaseContext, SqlAction
from msframework.migrations.operations.ddl import (
    alter,
    bare,
    block,
    comment_on_table,
    create_schema,
    create_table,
    object_name,
    schema_of,
)
from msframework.migrations.operations.followers import follow_table, refuse_taken_names
from msframework.migrations.schema import Table
from msframework.migrations.sql import literal, quote, quote_qualified


@dataclass(frozen=True, slots=True)
class CreateTable:
    """Makes a table with its constraints, comments and indexes, and its schema if need be."""

    table: Table

    def __post_init__(self) -> None:
        check_table("CreateTable", self.table)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase: nobody uses the table yet."""
        schema = create_schema(self.table.name)
        statements = [*([] if schema is None else [schema]), *create_table(self.table)]
        return (Phase(tuple(SqlAction(each) for each in statements)),)

    def reverse(self) -> DropTable:
        """Return the operation that drops the table."""
        return DropTable(self.table)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"create table {self.table.name}"


@dataclass(frozen=True, slots=True)
class DropTable:
    """Drops a table that nothing depends on; its reverse creates it again, without rows."""

    table: Table

    def __post_init__(self) -> None:
        check_table("DropTable", self.table)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase."""
        return (Phase((SqlAction(f"DROP TABLE {quote_qualified(self.table.name)}"),)),)

    def reverse(self) -> CreateTable:
        """Return the operation that makes the table again."""
        return CreateTable(self.table)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"drop table {self.table.name} (its rows are lost)"


@dataclass(frozen=True, slots=True)
class RenameTable:
    """Renames a table, or moves it to another schema, which is made if need be.

    The sequences of its columns follow, where they have the names that PostgreSQL gave them.
    """

    old: str
    new: str

    def __post_init__(self) -> None:
        check_table_name("RenameTable", self.old, "old")
        check_table_name("RenameTable", self.new, "new")

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase."""
        moves = schema_of(self.old) != schema_of(self.new)
        renames = bare(self.old) != bare(self.new)
        statements, name = [], self.old
        if moves and renames:
            # Its old name may be taken there, and its new one here: it moves by a third, and so do
            # its sequences.
            passing = object_name(bare(self.old), bare(self.new), "moves")
            statements.append(alter(name, f"RENAME TO {quote(passing)}"))
            name = _in_schema_of(self.old, passing)
            statements.append(follow_table(bare(self.old), name))
        if moves:
            statements += self._move(name)
            name = _in_schema_of(self.new, bare(name))
        if renames:
            statements.append(alter(name, f"RENAME TO {quote(bare(self.new))}"))
            statements.append(follow_table(bare(name), self.new))
        return (Phase(tuple(SqlAction(each) for each in statements)),) if statements else ()

    def _move(self, name: str) -> list[str]:
        schema = schema_of(self.new)
        taken = refuse_taken_names(name, self.new)
        if schema is not None:
            made = create_schema(self.new)
            return [
                *([] if made is None else [made]),
                taken,
                alter(name, f"SET SCHEMA {quote(schema)}"),
            ]
        command = literal(alter(name, "SET SCHEMA "))
        return [taken, block(f"  EXECUTE {command} || quote_ident(current_schema());")]

    def reverse(self) -> RenameTable:
        """Return the operation that gives the table its old name."""
        return RenameTable(self.new, self.old)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"rename table {self.old} to {self.new}"


@dataclass(frozen=True, slots=True)
class CommentTable:
    """Changes the comment of a table; `None` is none."""

    table: str
    old: str | None
    new: str | None

    def __post_init__(self) -> None:
        check_table_name("CommentTable", self.table)
        for what, text in (("old", self.old), ("new", self.new)):
            if text is not None:
                check_kind(f"CommentTable of {self.table}", what, text, str, "a text, or None")

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase."""
        return (Phase((SqlAction(comment_on_table(self.table, self.new)),)),)

    def reverse(self) -> CommentTable:
        """Return the operation that sets the old comment."""
        return CommentTable(self.table, self.new, self.old)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"{'drop' if self.new is None else 'set'} the comment of table {self.table}"


def _in_schema_of(table: str, name: str) -> str:
    """Return the table *name* in the schema of *table*."""
    schema = schema_of(table)
    return name if schema is None else f"{schema}.{name}"
