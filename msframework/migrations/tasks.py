"""The phases of a migration as a list of tasks, and how far a run has come. Runs at start-up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.operations.base import (
    Backfill,
    MigrationOperation,
    Phase,
    SqlAction,
)
from msframework.migrations.record import Progress

Program = Sequence[tuple[MigrationOperation, tuple[Phase, ...]]]


# Stands behind a digest while an index is built of which nothing stood before.
BEGUN: Final = " begun"


class UnfinishedMigration(ImproperlyConfigured):
    """A migration was interrupted, and cannot be continued in this way."""


@dataclass(slots=True)
class Position:
    """The position of an execution, for the report of a failure.

    Args:
        operation: its number, from 1, and its description; `None` in Python of the user.
        statement: the SQL that runs; `None` where it holds values of rows.
        done: the finished phases that stay, of `total`.
    """

    operation: tuple[int, str] | None = None
    statement: str | None = None
    done: int = 0
    total: int = 0
    left: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One phase, with the operation that it belongs to."""

    number: int
    operation: MigrationOperation
    phase: Phase


def digest(tasks: Sequence[Task]) -> str:
    """Return a digest of what *tasks* do."""
    parts = []
    for task in tasks:
        for action in task.phase.actions:
            if isinstance(action, SqlAction):
                parts.append(action.sql)
            elif isinstance(action, Backfill):
                value = action.value if isinstance(action.value, str) else _name(action.value)
                parts.append(f"{action.table}.{action.column}={value}")
            else:
                parts.append(_name(action.function))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)


def list_tasks(program: Program) -> list[Task]:
    """Return the phases of *program*, in order."""
    return [
        Task(number, operation, phase)
        for number, (operation, phases) in enumerate(program, 1)
        for phase in phases
    ]


def check_unchanged(label: str, tasks: Sequence[Task], found: Progress, backwards: bool) -> None:
    """Refuse to continue from *found* if it does not fit *tasks*.

    Raises:
        UnfinishedMigration: it led the other way, or the file was edited since.
    """
    if found.backwards is not backwards:
        done = "taken back" if found.backwards else "applied"
        raise UnfinishedMigration(
            f"{label} is {done} in part: {found.done} of its phases are done. Finish that first: "
            + (
                "`manage.py migrate APP TARGET` with the migration before it."
                if found.backwards
                else "`manage.py migrate`."
            )
        )
    if found.done > len(tasks) or digest(tasks[: found.done]) != found.digest.removesuffix(BEGUN):
        raise UnfinishedMigration(
            f"{label} was interrupted after {found.done} phases, whose operations have been edited "
            "since. Restore that part of the file; or do the rest by hand, and record it by "
            "`manage.py migrate --fake`."
        )
