"""Steps: the migrations of a run, however they are written, in order. Runs at start-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from playhouse.migrate import SchemaMigrator

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.execute import Execution
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.program import read_phases
from msframework.migrations.record import Progress, Record


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
    def obstacle(self) -> str | None:
        """Why it cannot be taken back; `None` where it can."""

    @property
    def replaces(self) -> tuple[str, ...]:
        """The steps, as `app.name`, that it says the same as all together."""

    @property
    def file(self) -> str | None:
        """The path of its file."""

    def up(self, execution: Execution, record: Record) -> None:
        """Apply it and record it."""

    def down(self, execution: Execution, record: Record) -> None:
        """Take it back and remove its record."""

    def describe(self, backwards: bool = False) -> tuple[str, ...]:
        """Return a line for each of its operations; none where it is Python."""

    def note(self, record: Record) -> None:
        """Record it without applying it."""

    def forget(self, record: Record) -> None:
        """Remove its record without taking it back."""


def label(step: MigrationStep) -> str:
    """Return the label of *step*, by which people name it: `users.0001_initial`."""
    return f"{step.app}.{step.name}"


@dataclass(frozen=True, slots=True)
class FileStep:
    """A numbered file below `migrations/`, with `operations`, or `up(migrator, db)` and `down`.

    Args:
        replaces: the files, as `app.name`, that this one was squashed from.
    """

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
    def file(self) -> str | None:
        """The path of the file."""
        return getattr(self.module, "__file__", None)

    @property
    def obstacle(self) -> str | None:
        """The operation that is not reversible, or that the file has no `down`."""
        if not self._is_python():
            for number, each in enumerate(self.operations, 1):
                if each.reverse() is None:
                    return (
                        f"operation {number} ({each.describe()}) is not reversible; give "
                        "Run a second argument, backward"
                    )
            return None
        if callable(getattr(self.module, "down", None)):
            return None
        return "give the file a down(migrator, db)"

    def up(self, execution: Execution, record: Record) -> None:
        """Apply the file, then record it."""
        self._run(execution, record, backwards=False)

    def down(self, execution: Execution, record: Record) -> None:
        """Take the file back, then remove the record."""
        self._run(execution, record, backwards=True)

    def note(self, record: Record) -> None:
        """Record the file with the `author` and the time `written` that it states."""
        written = getattr(self.module, "written", None)
        author = getattr(self.module, "author", None)
        record.add(self.app, self.name, author, None if written is None else str(written))

    def forget(self, record: Record) -> None:
        """Remove the record, and those of the files that this one replaces."""
        for name in (label(self), *self.replaces):
            record.remove(self.app, name.partition(".")[2])

    def describe(self, backwards: bool = False) -> tuple[str, ...]:
        """Return a line for each operation, in the order of a run."""
        return tuple(each.describe() for each in self._program(backwards))

    def _is_python(self) -> bool:
        return not self.operations and callable(getattr(self.module, "up", None))

    def _program(self, backwards: bool) -> list[MigrationOperation]:
        if not backwards:
            return list(self.operations)
        found = [each.reverse() for each in reversed(self.operations)]
        return [each for each in found if each is not None]

    def _run(self, execution: Execution, record: Record, backwards: bool) -> None:
        def finish() -> None:
            (self.forget if backwards else self.note)(record)

        if self._is_python():
            self._call(execution, finish, backwards)
            return
        program = read_phases(self._program(backwards), online=not self.atomic)
        if self.atomic:
            execution.run_together(label(self), program, finish)
        else:
            progress = Progress(self.app, self.name, backwards, 0, "")
            execution.run_apart(label(self), program, finish, progress)

    def _call(self, execution: Execution, finish: Callable[[], None], backwards: bool) -> None:
        database = execution.database
        function = self.module.down if backwards else self.module.up

        def work() -> None:
            function(SchemaMigrator.from_database(database), database)
            finish()

        if self.atomic:
            execution.transaction(label(self), work)
        else:
            execution.outside(label(self), work)


def sort_steps(steps: Sequence[MigrationStep]) -> list[MigrationStep]:
    """Return *steps* sorted so that each follows its dependencies; otherwise as given.

    Raises:
        ImproperlyConfigured: a dependency is unknown or circular.
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
                    f"{name}: depends on {wanted!r}, which does not exist. Write 'app.name' of a "
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
    known = {name: step for step in steps for name in step.replaces}
    return known | {label(step): step for step in steps}


def find_step(steps: Mapping[str, MigrationStep], wanted: str) -> MigrationStep | None:
    """Return the step called *wanted*, or the only one whose name begins so (`users.0002`)."""
    if wanted in steps:
        return steps[wanted]
    found = [step for name, step in steps.items() if name.startswith(wanted)]
    return found[0] if len(found) == 1 and "." in wanted else None
