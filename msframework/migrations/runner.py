"""The run: plan, lock, apply, record. Runs at start-up and from the command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TextIO

from peewee import PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.connection import Echo, migration_lock, opened
from msframework.migrations.execute import Execution
from msframework.migrations.failure import describe_failure
from msframework.migrations.files import app_label, read_steps
from msframework.migrations.history import find_forks
from msframework.migrations.interruption import Interrupted, interruptible
from msframework.migrations.plan import (
    Applied,
    affected_by,
    check_unfinished,
    plan_back,
    plan_forward,
    settle_squashed,
    target_of,
)
from msframework.migrations.record import Entry, ProgressTable, Record
from msframework.migrations.standing import is_standing
from msframework.migrations.step import MigrationStep, label
from msframework.migrations.tasks import UnfinishedMigration
from msframework.migrations.waiting import LockPolicy

_SLOW = 1.0  # seconds; a step that took longer says how long


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """One migration as `showmigrations` lists it; `entry` is `None` while it is pending.

    Args:
        phases: how many of its phases are done, where it was interrupted.
    """

    app: str
    name: str
    entry: Entry | None
    known: bool
    phases: int | None = None


class Runner:
    """Applies the migrations of *apps* to the database at *url*.

    Args:
        apps: dotted names, as in `INSTALLED_APPS`.
        echo: told one line for each step.
        policy: how long it waits for locks that others hold.
        terminal: where a line of progress can be written over.
    """

    def __init__(
        self,
        url: str,
        apps: Sequence[str],
        echo: Echo = lambda text: None,
        policy: LockPolicy | None = None,
        terminal: TextIO | None = None,
    ) -> None:
        self._url, self.apps, self._echo = url, tuple(apps), echo
        self._policy, self._terminal = policy, terminal

    def __repr__(self) -> str:
        return f"Runner(apps={self.apps!r})"  # never the address, which may hold a password

    @cached_property
    def steps(self) -> list[MigrationStep]:
        """Every step of the apps, in the order in which they are applied.

        Raises:
            ImproperlyConfigured: all mistakes found in the migrations, together.
        """
        return read_steps(self.apps)

    @cached_property
    def _branched(self) -> list[MigrationStep]:
        """Every step, also of apps that have several last migrations."""
        return read_steps(self.apps, refuses_forks=False)

    def forks(self) -> tuple[str, ...]:
        """Return a problem for each app that has several last migrations.

        Raises:
            ImproperlyConfigured: all other mistakes found in the migrations, together.
        """
        return tuple(find_forks(self._branched))

    def pending(self) -> tuple[str, ...]:
        """Return the pending migrations, as `app.name`, in the order in which they run.

        Raises:
            ImproperlyConfigured: the migrations are wrong, or PostgreSQL cannot be reached.
        """
        return tuple(label(step) for step in self.pending_steps())

    def pending_steps(self, app: str | None = None) -> list[MigrationStep]:
        """Return the steps that are pending, of all apps, or of one and what it depends on.

        Raises:
            ImproperlyConfigured: the migrations are wrong, or PostgreSQL cannot be reached.
        """
        goal = target_of(self.steps, self.apps, app, None)
        with opened(self._url) as database:
            applied = Record(database).read()
        return plan_forward(settle_squashed(self.steps, applied), goal, applied)

    def status(self) -> list[MigrationStatus]:
        """Return every migration, applied, pending, or recorded while its file is gone.

        Those of apps that have several last migrations are among them; see `forks`.
        """
        steps = self._branched
        with opened(self._url) as database:
            applied = Record(database).read()
            unfinished = ProgressTable(database).read()
        names = {f"{app}.{name}" for app, name in applied}
        gone = {each for step in steps if label(step) in names for each in step.replaces}
        lines = []
        for step in settle_squashed(steps, applied):
            key = (step.app, step.name)
            part = unfinished.get(key)
            done = None if part is None else part.done
            lines.append(MigrationStatus(*key, applied.pop(key, None), True, done))
        labels = {app_label(app) for app in self.apps}
        lines += [
            MigrationStatus(each.app, each.name, each, False)
            for each in applied.values()
            if each.app in labels and f"{each.app}.{each.name}" not in gone
        ]
        return lines

    def migrate(
        self,
        app: str | None = None,
        target: str | None = None,
        plan: bool = False,
        fake: bool = False,
    ) -> tuple[str, ...]:
        """Apply the pending migrations; return those applied or taken back, as `app.name`.

        Args:
            app: this app only, and its dependencies; by its dotted name or the last part.
            target: up to this migration, or back to it when it is applied; `zero` takes all back.
            plan: only return the migrations that would run.
            fake: change the record only.

        Raises:
            Interrupted: a signal ended the run.
            ImproperlyConfigured: a migration failed, or cannot be taken back; an unknown app or
                target; PostgreSQL cannot be reached.
        """
        target_of(self.steps, self.apps, app, None)
        with opened(self._url) as database:
            record = Record(database)
            backwards, todo = self._plan(database, app, target, fake)
            if plan:
                self._tell_plan(todo, backwards)
                return tuple(label(step) for step in todo)
            if not todo:
                return ()
            with interruptible(), _between(), migration_lock(database, self._echo):
                record.create()
                # Another run was quicker.
                backwards, todo = self._plan(database, app, target, fake)
                return self._run(database, record, todo, backwards, fake)

    def _plan(
        self, database: PostgresqlDatabase, app: str | None, target: str | None, fake: bool
    ) -> tuple[bool, list[MigrationStep]]:
        """Return whether the way leads back, and the steps on it."""
        applied: Applied = Record(database).read().keys()
        steps = settle_squashed(self.steps, applied)
        goal = target_of(steps, self.apps, app, target)
        backwards = goal.backwards(applied)
        if backwards:
            todo = plan_back(steps, goal, applied, fake)
        else:
            todo = plan_forward(steps, goal, applied)
        if not fake:
            affected = affected_by(steps, goal) if backwards else ()
            check_unfinished(ProgressTable(database).read().values(), affected, backwards)
        return backwards, todo

    def _tell_plan(self, todo: Sequence[MigrationStep], backwards: bool) -> None:
        for step in todo:
            self._echo(f"Would {'take back' if backwards else 'apply'} {label(step)}")
            for line in step.describe(backwards):
                self._echo(f"  {line}")

    @contextmanager
    def rehearsed(self) -> Iterator[PostgresqlDatabase]:
        """Apply everything pending in a transaction, yield the database, and roll back.

        Raises:
            ImproperlyConfigured: something pending needs to run outside of a transaction.
        """
        with (
            opened(self._url) as database,
            migration_lock(database, self._echo),
            Execution(database, self._echo, self._policy) as execution,
            database.atomic() as transaction,
        ):
            record = Record(database)
            record.create()
            for step in settle_squashed(self.steps, record.read()):
                if (step.app, step.name) in record.read():
                    continue
                if not step.atomic:
                    raise ImproperlyConfigured(
                        f"{label(step)} is pending, and cannot run in a transaction, so its "
                        "effect cannot be read. Run `manage.py migrate` first."
                    )
                if is_standing(database, step):
                    step.note(record)
                else:
                    self._guard(step, execution, partial(step.up, execution, record))
            yield database
            transaction.rollback()

    def _run(
        self,
        database: PostgresqlDatabase,
        record: Record,
        todo: list[MigrationStep],
        backwards: bool,
        fake: bool,
    ) -> tuple[str, ...]:
        done: list[str] = []
        with Execution(database, self._echo, self._policy, self._terminal) as execution:
            for number, step in enumerate(todo, 1):
                applied = record.read()
                if ((step.app, step.name) in applied) is not backwards:
                    continue  # recorded together with its table
                only_note = fake or (not backwards and _is_there(database, step, applied))
                verb = "Taking back" if backwards else "Applying"
                text = f"{verb} {label(step)}"
                if only_note:
                    text = f"Recording {label(step)} as {'taken back' if backwards else 'applied'}"
                self._echo(f"{text} ({number} of {len(todo)})")
                began = time.monotonic()
                action = partial(_do, execution, record, step, backwards, only_note)
                self._guard(step, execution, action)
                took = time.monotonic() - began
                if took > _SLOW:
                    self._echo(f"  took {took:.1f} s")
                done.append(label(step))
        return tuple(done)

    @staticmethod
    def _guard(step: MigrationStep, execution: Execution, action: Callable[[], None]) -> None:
        try:
            action()
        except UnfinishedMigration:
            raise  # it says all itself
        except (Exception, SystemExit) as exc:
            raise _failed(step, execution, exc) from exc
        except KeyboardInterrupt as exc:
            text = f"{label(step)} was interrupted. {_what_is_left(step, execution)}"
            raise Interrupted(text, exc) from exc


@contextmanager
def _between() -> Iterator[None]:
    """Say what is left of a run that a signal ends while no migration runs."""
    try:
        yield
    except KeyboardInterrupt as exc:
        raise Interrupted(
            "The run was interrupted while no migration was running: those that it has reported as "
            "applied or taken back stay so, and none is done in part.",
            exc,
        ) from exc


def _is_there(database: PostgresqlDatabase, step: MigrationStep, applied: Applied) -> bool:
    """Say whether *step* need only be recorded: squashed from applied ones, or adopted.

    Raises:
        ImproperlyConfigured: it is adopted, and tables differ from what it says.
    """
    return _is_replaced(step, applied) or is_standing(database, step)


def _do(
    execution: Execution, record: Record, step: MigrationStep, backwards: bool, only_note: bool
) -> None:
    if only_note and backwards:
        step.forget(record)
    elif only_note:
        step.note(record)
    elif backwards:
        step.down(execution, record)
    else:
        step.up(execution, record)
    if only_note:
        ProgressTable(execution.database).remove(step.app, step.name)
    if backwards:
        for app, _, name in (each.partition(".") for each in step.replaces):
            record.remove(app, name)


def _is_replaced(step: MigrationStep, applied: Applied) -> bool:
    """Say whether *step* is squashed from migrations that are all applied."""
    replaced = [(app, name) for app, _, name in (each.partition(".") for each in step.replaces)]
    return bool(replaced) and all(each in applied for each in replaced)


def _failed(step: MigrationStep, execution: Execution, exc: BaseException) -> ImproperlyConfigured:
    text = describe_failure(exc, execution.place, step.file)
    return ImproperlyConfigured(
        f"The migration {label(step)} failed.\n{text}\n{_what_is_left(step, execution)}"
    )


def _what_is_left(step: MigrationStep, execution: Execution) -> str:
    place = execution.place
    if step.atomic:
        left = "Nothing of it remains in the database, and it is not recorded."
    elif place.total and not place.done:
        left = f"None of its {place.total} phases is done; the same command starts it again."
    elif place.total:
        left = (
            f"{place.done} of its {place.total} phases are done and remain; the same command goes "
            "on with the next one."
        )
    else:
        left = (
            "It runs outside of a transaction, so a part of it may remain in the database; it is "
            "not recorded."
        )
    more = f" {place.left}" if place.left else ""
    return f"{left} The migrations before it in this run are kept.{more}"
