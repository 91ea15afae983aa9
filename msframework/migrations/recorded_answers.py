"""The answers that existing operations give, for squashing them. Runs when they are squashed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msframework.migrations import operations as ops
from msframework.migrations.conversions import Conversion
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.renames import Fill, NamedKind
from msframework.migrations.schema import Column

Value = TypeVar("Value")
ColumnPlace = tuple[str, str]  # table, column


class Undecided(Exception):
    """Two operations give different answers to one question."""


class RecordedAnswers:
    """The answers that the *operations* of one app, in their order, give together."""

    def __init__(self, operations: Iterable[MigrationOperation]) -> None:
        self._tables: dict[str, str] = {}  # the last name of each table, by its first one
        self._columns: dict[ColumnPlace, str] = {}
        self._fills: dict[ColumnPlace, list[Fill]] = {}
        self._usings: dict[ColumnPlace, list[str | None]] = {}
        for each in operations:
            self._read(each)

    def _read(self, operation: MigrationOperation) -> None:
        match operation:
            case ops.RenameTable(old, new):
                first = next((one for one, last in self._tables.items() if last == old), old)
                self._tables[first] = new
                _move_table(self._columns, old, new)
                _move_table(self._fills, old, new)
                _move_table(self._usings, old, new)
            case ops.RenameColumn(table, old, new):
                self._columns[table, new] = self._columns.pop((table, old), old)
                if (table, old) in self._fills:
                    self._fills[table, new] = self._fills.pop((table, old))
                if (table, old) in self._usings:
                    self._usings[table, new] = self._usings.pop((table, old))
            case ops.AddColumn(table, column, fill):
                self._fills.setdefault((table, column.name), []).append(fill)
            case ops.AlterColumn(table, old, new, using, fill):
                if old.type != new.type:
                    self._usings.setdefault((table, new.name), []).append(using)
                if fill is not None:
                    self._fills.setdefault((table, new.name), []).append(fill)

    def is_rename(self, kind: NamedKind, table: str, old: str, new: str, likely: bool) -> bool:
        """Say whether operations rename *old* to *new*.

        Raises:
            Undecided: it is a type, or a value of one.
        """
        if kind in ("type", "value"):
            raise Undecided
        if kind == "table":
            return self._tables.get(old) == new
        return self._columns.get((table, new)) == old

    def end_renames(self) -> None:
        """Do nothing: each rename was one of a column or table that was there then."""

    def fill(self, table: str, column: Column, added: bool) -> Fill:
        """Return the one value that was given.

        Raises:
            Undecided: there were several, or the values were converted afterwards.
        """
        found = self._fills.get((table, column.name), [])
        if len(found) > 1 or (found and (table, column.name) in self._usings):
            raise Undecided
        return found[0] if found else None

    def using(self, table: str, old: Column, new: Column, change: Conversion) -> str | None:
        """Return the one expression that was given.

        Raises:
            Undecided: there were several.
        """
        found = self._usings.get((table, new.name), [])
        if len(found) != 1:
            raise Undecided
        return found[0]

    def accept_loss(self, table: str, column: str, loss: str) -> None:
        """Accept it, as it was accepted before."""

    def note_drop(self, table: str, column: str | None) -> None:
        """Accept it likewise."""


def _move_table(values: dict[ColumnPlace, Value], old: str, new: str) -> None:
    for table, column in list(values):
        if table == old:
            values[new, column] = values.pop((table, column))
