"""Operations on columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.operations.additions import add_column
from msframework.migrations.operations.alterations import alter_column
from msframework.migrations.operations.arguments import (
    check_column,
    check_fill,
    check_name,
    check_sql,
    check_table_name,
)
from msframework.migrations.operations.base import Phase, PhaseContext, SqlAction
from msframework.migrations.operations.casts import is_first_list
from msframework.migrations.operations.ddl import alter
from msframework.migrations.operations.followers import follow_column
from msframework.migrations.schema import Column
from msframework.migrations.sql import quote

_DESCRIBED = ("type", "default", "identity", "generated", "collation")


@dataclass(frozen=True, slots=True)
class AddColumn:
    """Adds a column to a table.

    Args:
        fill: what existing rows get: SQL, or a function that is called for each row.
    """

    table: str
    column: Column
    fill: str | Callable[[], object] | None = None

    def __post_init__(self) -> None:
        check_table_name("AddColumn", self.table)
        check_column(f"AddColumn to {self.table}", self.column)
        check_fill(f"AddColumn {self.column.name} to {self.table}", "fill", self.fill, self.column)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return the phases that add it, fill it, and set NOT NULL."""
        online = context.is_online(self.table)
        return add_column(self.table, self.column, self.fill, online)

    def reverse(self) -> DropColumn:
        """Return the operation that drops the column."""
        return DropColumn(self.table, self.column, self.fill)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"add column {self.column.name} to {self.table}"


@dataclass(frozen=True, slots=True)
class DropColumn:
    """Drops a column, with the indexes and constraints on it.

    Args:
        restore: what rows get when the column is added again: SQL, or a function that is called
            for each row.
    """

    table: str
    column: Column
    restore: str | Callable[[], object] | None = None

    def __post_init__(self) -> None:
        check_table_name("DropColumn", self.table)
        where = f"DropColumn {getattr(self.column, 'name', '')} of {self.table}"
        check_column(where, self.column)
        check_fill(where, "restore", self.restore, self.column)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase."""
        drop = alter(self.table, f"DROP COLUMN {quote(self.column.name)}")
        return (Phase((SqlAction(drop),)),)

    def reverse(self) -> AddColumn:
        """Return the operation that adds the column again."""
        return AddColumn(self.table, self.column, self.restore)

    def describe(self) -> str:
        """Return it in a line for people, with what its reverse cannot bring back."""
        lost = f"drop column {self.column.name} of {self.table}"
        column = self.column
        if column.generated is not None:
            return lost
        if column.serial or column.identity is not None:
            return f"{lost} (its values are lost; reversed, rows are numbered again)"
        if self.restore is not None:
            value = "values of a call" if callable(self.restore) else self.restore
        elif column.default is not None:
            value = column.default
        elif column.null:
            value = "NULL"
        else:
            return f"{lost} (its values are lost; reversible only without rows)"
        return f"{lost} (its values are lost; reversed, rows get {value})"


@dataclass(frozen=True, slots=True)
class RenameColumn:
    """Renames a column; a sequence follows that has the name which PostgreSQL gave it."""

    table: str
    old: str
    new: str

    def __post_init__(self) -> None:
        check_table_name("RenameColumn", self.table)
        check_name(f"RenameColumn of {self.table}", "old", self.old)
        check_name(f"RenameColumn of {self.table}", "new", self.new)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase."""
        rename = alter(self.table, f"RENAME COLUMN {quote(self.old)} TO {quote(self.new)}")
        follow = follow_column(self.table, self.old, self.new)
        return (Phase((SqlAction(rename), SqlAction(follow))),)

    def reverse(self) -> RenameColumn:
        """Return the operation that gives the column its old name."""
        return RenameColumn(self.table, self.new, self.old)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"rename column {self.old} of {self.table} to {self.new}"


@dataclass(frozen=True, slots=True)
class AlterColumn:
    """Changes a column in all but its name.

    Args:
        using: the expression for the values of another type; else they are cast.
        fill: what rows with NULL get where the column becomes NOT NULL, now or in reverse:
            SQL, or a function that is called for each row.
    """

    table: str
    old: Column
    new: Column
    using: str | None = None
    fill: str | Callable[[], object] | None = None

    def __post_init__(self) -> None:
        check_table_name("AlterColumn", self.table)
        where = f"AlterColumn of {self.table}"
        old, new = check_column(where, self.old, "old"), check_column(where, self.new, "new")
        where = f"AlterColumn {new.name} of {self.table}"
        if old.name != new.name:
            raise ImproperlyConfigured(
                f"AlterColumn of {self.table}: the old column is called {old.name!r}, the new one "
                f"{new.name!r}. Rename it first: RenameColumn({self.table!r}, {old.name!r}, "
                f"{new.name!r})."
            )
        if self.using is not None:
            check_sql(where, "using", self.using)
        check_fill(where, "fill", self.fill, old if new.null else new)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return the phases that change it, fill it, and set NOT NULL."""
        online = context.is_online(self.table)
        return alter_column(self.table, self.old, self.new, self.using, self.fill, online)

    def reverse(self) -> AlterColumn:
        """Return the operation that changes it back, by casts where the type has changed."""
        using = None
        if is_first_list(self.old.type, self.new.type):
            using = f"{quote(self.new.name)}[1]::{self.old.type}"
        return AlterColumn(self.table, self.new, self.old, using, self.fill)

    def describe(self) -> str:
        """Return it in a line for people."""
        text = ", ".join(_changes(self.old, self.new))
        return f"alter column {self.new.name} of {self.table}: {text or 'no change'}"


def _changes(old: Column, new: Column) -> Iterator[str]:
    """Yield the differences, in SQL's words; that of Python's default if there is no other."""
    if old == replace(new, client_default=old.client_default) != new:
        yield _change("Python default", old.client_default, new.client_default) + " (no SQL)"
    for name in _DESCRIBED:
        one, two = getattr(old, name), getattr(new, name)
        if one != two:
            yield _change(name, one, two)
    if old.null != new.null:
        yield "NULL allowed" if new.null else "NOT NULL"
    if old.serial != new.serial:
        yield "serial" if new.serial else "no longer serial"
    if old.comment != new.comment:
        yield "no comment" if new.comment is None else f"comment {new.comment!r}"


def _change(name: str, old: str | None, new: str | None) -> str:
    if new is None:
        return f"no {name}"
    return f"{name} {new}" if old is None else f"{name} {old} → {new}"
