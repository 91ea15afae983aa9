"""Steps: the migrations of a run, however they are written, in order. Runs at start-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from peewee import PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.operations.base import Backfill, MigrationOperation, PythonCall
from msframework.migrations.operations.program import read_phases, reverse_operations
from msframework.migrations.record import Record
from msframework.migrations.sql import quote


class MigrationStep(Protocol):
    """One migration: a file with `up`, or a version of a `MigrationModel`."""

    @property
    def app(self) -> str:
        """The last part of the app's dotted name."""

    @property
    def name(self) -> str:
        """The name that it is recorded under, together with the app."""

    @property
    def depends(self) -> tuple[str, ...]:
        """The steps that must be applied before, as `app.name`."""

    @property
    def atomic(self) -> bool:
        """Whether it runs in a transaction."""

    @property
    def reversible(self) -> bool:
        """Whether it can be taken back."""

    def up(self, database: PostgresqlDatabase, record: Record) -> None:
        """Apply it and record it."""

    def down(self, database: PostgresqlDatabase, record: Record) -> None:
        """Take it back and remove its record."""

    def note(self, record: Record) -> None:
        """Record it without applying it."""


def label(step: MigrationStep) -> str:
    """Return the name of *step* that people read and write: `users.0001_initial`."""
    return f"{step.app}.{step.name}"


@dataclass(frozen=True, slots=True)
class FileStep:
    """A numbered file below `migrations/`, with `up(migrator, db)` and perhaps `down`."""

    app: str
    name: str
    depends: tuple[str, ...]
    module: Any
    operations: tuple[MigrationOperation, ...] = ()
    replaces: tuple[str, ...] = ()

    @property
    def atomic(self) -> bool:
        """`atomic = False` in the file turns the transaction off."""
        return bool(getattr(self.module, "atomic", True))

    @property
    def reversible(self) -> bool:
        """Whether each operation has a way back, or the file a `down`."""
        if not hasattr(self.module, "up"):
            return reverse_operations(self.operations) is not None
        return callable(getattr(self.module, "down", None))

    def up(self, database: PostgresqlDatabase, record: Record) -> None:
        """Run the file's `up`, then record it."""
        if hasattr(self.module, "up"):
            self.module.up(SchemaMigrator.from_database(database), database)
        else:
            run_operations(database, self.operations)
        self.note(record)

    def down(self, database: PostgresqlDatabase, record: Record) -> None:
        """Run the file's `down`, then remove the record."""
        if hasattr(self.module, "up"):
            self.module.down(SchemaMigrator.from_database(database), database)
        else:
            run_operations(database, reverse_operations(self.operations) or ())
        record.remove(self.app, self.name)

    def note(self, record: Record) -> None:
        """Record the file with the `author` and the time `written` that it states."""
        written = getattr(self.module, "written", None)
        author = getattr(self.module, "author", None)
        record.add(self.app, self.name, author, None if written is None else str(written))


def sort_steps(steps: Sequence[MigrationStep]) -> list[MigrationStep]:
    """Return *steps* in an order in which each comes after its dependencies, else as given.

    Raises:
        ImproperlyConfigured: a dependency is unknown, or goes round in a circle.
    """
    known = known_steps(steps)
    problems: list[str] = []
    sorted_steps: list[MigrationStep] = []
    finished: set[str] = set()

    def visit(step: MigrationStep, path: tuple[str, ...]) -> None:
        name = label(step)
        if name in finished:
            return
        if name in path:
            circle = " → ".join((*path[path.index(name) :], name))
            problems.append(f"Migrations depend on each other in a circle: {circle}.")
            return
        for wanted in step.depends:
            found = find_step(known, wanted)
            if found is None:
                problems.append(
                    f"{name}: depends on {wanted!r}, which there is not. Write 'app.name' of a "
                    "migration of an app in INSTALLED_APPS."
                )
            else:
                visit(found, (*path, name))
        finished.add(name)
        sorted_steps.append(step)

    for step in steps:
        visit(step, ())
    if problems:
        raise ImproperlyConfigured.of(problems)
    return sorted_steps


def known_steps(steps: Sequence[MigrationStep]) -> dict[str, MigrationStep]:
    """Return *steps* by name; a squashed one also by those it replaces, where they are gone."""
    known = {name: step for step in steps for name in getattr(step, "replaces", ())}
    return known | {label(step): step for step in steps}


def run_operations(database: Any, operations: Sequence[MigrationOperation]) -> None:
    """Run *operations* in the transaction that is open."""
    for _, phases in read_phases(operations, online=False):
        for action in (each for phase in phases for each in phase.actions):
            if isinstance(action, PythonCall):
                action.function(database)
            elif isinstance(action, Backfill):
                value = action.value() if callable(action.value) else None
                sql = f"UPDATE {action.table} SET {quote(action.column)} = "  # noqa: S608
                if value is None:
                    database.execute_sql(sql + str(action.value).replace("%", "%%"))
                else:
                    database.execute_sql(f"{sql}%s", (value,))
            else:
                database.execute_sql(action.sql.replace("%", "%%"))


def find_step(steps: Mapping[str, MigrationStep], wanted: str) -> MigrationStep | None:
    """Return the step called *wanted*, or the only one whose name begins so (`users.0002`)."""
    if wanted in steps:
        return steps[wanted]
    found = [step for name, step in steps.items() if name.startswith(wanted)]
    return found[0] if len(found) == 1 and "." in wanted else None


def apply_step(step: MigrationStep, database: PostgresqlDatabase, record: Record) -> None:
    """Apply *step* and record it, both or neither unless it opted out of the transaction."""
    if not step.atomic:
        step.up(database, record)
        return
    with database.atomic():
        step.up(database, record)


def revert_step(step: MigrationStep, database: PostgresqlDatabase, record: Record) -> None:
    """Take *step* back and remove its record, both or neither unless it opted out."""
    if not step.atomic:
        step.down(database, record)
        return
    with database.atomic():
        step.down(database, record)
