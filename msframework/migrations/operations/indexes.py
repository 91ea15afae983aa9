"""Operations on indexes."""

from __future__ import annotations

from dataclasses import dataclass

from msframework.migrations.operations.arguments import check_index, check_name, check_table_name
from msframework.migrations.operations.base import Phase, PhaseContext, SqlAction
from msframework.migrations.operations.ddl import create_index, sibling
from msframework.migrations.schema import Index
from msframework.migrations.sql import quote


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """Makes an index."""

    table: str
    index: Index

    def __post_init__(self) -> None:
        check_table_name("CreateIndex", self.table)
        check_index(f"CreateIndex on {self.table}", self.index)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase; CONCURRENTLY where others write to the table."""
        if context.is_online(self.table):
            statement = SqlAction(create_index(self.table, self.index, concurrently=True))
            name = sibling(self.table, self.index.name)
            return (Phase((statement,), transaction=False, index=name, waits=False),)
        return (Phase((SqlAction(create_index(self.table, self.index)),)),)

    def reverse(self) -> DropIndex:
        """Return the operation that drops the index."""
        return DropIndex(self.table, self.index)

    def describe(self) -> str:
        """Return it in a line for people."""
        kind = "unique index" if self.index.unique else "index"
        return f"create {kind} {self.index.name} on {self.table}"


@dataclass(frozen=True, slots=True)
class DropIndex:
    """Drops an index."""

    table: str
    index: Index

    def __post_init__(self) -> None:
        check_table_name("DropIndex", self.table)
        check_index(f"DropIndex on {self.table}", self.index)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase; CONCURRENTLY where others use the table."""
        name = sibling(self.table, self.index.name)
        if context.is_online(self.table):
            # IF EXISTS, as an interrupted attempt may have dropped it.
            statement = SqlAction(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            return (Phase((statement,), transaction=False, waits=False),)
        return (Phase((SqlAction(f"DROP INDEX {name}"),)),)

    def reverse(self) -> CreateIndex:
        """Return the operation that makes the index again."""
        return CreateIndex(self.table, self.index)

    def describe(self) -> str:
        """Return it in a line for people."""
        kind = "unique index" if self.index.unique else "index"
        return f"drop {kind} {self.index.name} of {self.table}"


@dataclass(frozen=True, slots=True)
class RenameIndex:
    """Renames an index, and the constraint that it may belong to."""

    table: str
    old: str
    new: str

    def __post_init__(self) -> None:
        check_table_name("RenameIndex", self.table)
        check_name(f"RenameIndex on {self.table}", "old", self.old)
        check_name(f"RenameIndex on {self.table}", "new", self.new)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase."""
        old = sibling(self.table, self.old)
        return (Phase((SqlAction(f"ALTER INDEX {old} RENAME TO {quote(self.new)}"),)),)

    def reverse(self) -> RenameIndex:
        """Return the operation that gives the index its old name."""
        return RenameIndex(self.table, self.new, self.old)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"rename index {self.old} of {self.table} to {self.new}"
