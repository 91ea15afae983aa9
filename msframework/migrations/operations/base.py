"""Operations, and the phases in which a run executes them.

An operation is a plain value that knows its reverse. It gives the run its phases: in a migration
with `atomic = False` each phase is a transaction of its own, or a statement outside of any; else
all are one transaction. Tables that the same migration creates are `fresh`: nobody else uses them,
so they are changed in one phase.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from peewee import PostgresqlDatabase


@dataclass(frozen=True, slots=True)
class SqlAction:
    """One statement of SQL, with its values in it."""

    sql: str


@dataclass(frozen=True, slots=True)
class Backfill:
    """Values for one column of the rows that have NULL in it.

    Args:
        table: as SQL.
        column: its bare name.
        value: SQL, or a function that is called for each row.
    """

    table: str
    column: str
    value: str | Callable[[], object]


@dataclass(frozen=True, slots=True)
class PythonCall:
    """A function of the migration, called with the database."""

    function: Callable[[PostgresqlDatabase], object]


Action = SqlAction | Backfill | PythonCall


@dataclass(frozen=True, slots=True)
class Phase:
    """Actions that are done together.

    Args:
        transaction: `False` for the one statement that cannot run in a transaction, and for a
            `Backfill`, whose batches are transactions of their own.
        index: the index that this phase builds CONCURRENTLY, as SQL: an invalid one that a failed
            attempt left is dropped first, a valid one counts as done.
        waits: it takes a lock for which others wait behind it, so it is tried with a short
            `lock_timeout`, again and again; `False` for what takes long and holds up nobody.
    """

    actions: tuple[Action, ...]
    transaction: bool = True
    index: str | None = None
    waits: bool = True


@dataclass(frozen=True, slots=True)
class PhaseContext:
    """The circumstances in which an operation runs.

    Args:
        online: others use the tables meanwhile (`atomic = False`).
        fresh: the tables that this migration has made.
    """

    online: bool = False
    fresh: frozenset[str] = frozenset()

    def is_online(self, table: str) -> bool:
        """Say whether others may use *table* meanwhile."""
        return self.online and table not in self.fresh


class MigrationOperation(Protocol):
    """One change that a migration makes."""

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return the phases, in order."""

    def reverse(self) -> MigrationOperation | None:
        """Return the operation that takes this one back; `None` if it is irreversible."""

    def describe(self) -> str:
        """Return it in a line for people: `add column sex to users`."""
