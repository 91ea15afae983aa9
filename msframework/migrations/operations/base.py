"""What an operation is, and what it asks of the run.

An operation is a plain value that knows its reverse. It gives the run its phases: in a migration
with `atomic = False` each phase is a transaction of its own, or a statement outside of any; else
all are one transaction. Tables that the same migration makes are `fresh`: nobody else sees them,
so that they are changed the short way.
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
            `Backfill`, each batch of which is one.
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
    """What an operation may take into account.

    Args:
        online: others read and write the tables meanwhile (`atomic = False`).
        fresh: the tables that this migration has made.
    """

    online: bool = False
    fresh: frozenset[str] = frozenset()

    def is_online(self, table: str) -> bool:
        """Say whether others may be at work on *table*."""
        return self.online and table not in self.fresh


class MigrationOperation(Protocol):
    """One change that a migration makes."""

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return what is to be done, in order."""

    def reverse(self) -> MigrationOperation | None:
        """Return the operation that takes this one back; `None` where there is no way back."""

    def describe(self) -> str:
        """Return it in a line for people: `add column sex to users`."""
