"""The run: plan, lock, apply, record. Runs at start-up and from the command line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial

from peewee import PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.connection import Echo, first_line, migration_lock, opened
from msframework.migrations.files import app_label, read_steps
from msframework.migrations.plan import Applied, plan_back, plan_forward, target_of
from msframework.migrations.record import Entry, Record
from msframework.migrations.step import MigrationStep, apply_step, label, revert_step

_SLOW = 1.0  # seconds; a step that took longer says how long


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """One migration as `showmigrations` lists it; `entry` is `None` while it is pending."""

    app: str
    name: str
    entry: Entry | None
    known: bool


class Runner:
    """Applies the migrations of *apps* to the database at *url*.

    Args:
        apps: dotted names, as in `INSTALLED_APPS`.
        echo: told one line for each step.
    """

    def __init__(self, url: str, apps: Sequence[str], echo: Echo = lambda text: None) -> None:
        self._url, self.apps, self._echo = url, tuple(apps), echo

    def __repr__(self) -> str:
        return f"Runner(apps={self.apps!r})"  # never the address, which may hold a password

    @cached_property
    def steps(self) -> list[MigrationStep]:
        """Every step of the apps, in the order in which they are applied.

        Raises:
            ImproperlyConfigured: all mistakes found in the migrations, together.
        """
        return read_steps(self.apps)

    def pending(self) -> tuple[str, ...]:
        """Return the pending migrations, as `app.name`, in the order of their application.

        Raises:
            ImproperlyConfigured: the migrations are wrong, or PostgreSQL cannot be reached.
        """
        steps = self.steps
        with opened(self._url) as database:
            applied = Record(database).read()
        return tuple(label(step) for step in steps if (step.app, step.name) not in applied)

    def status(self) -> list[MigrationStatus]:
        """Return every migration, applied, pending, or recorded while its file is gone."""
        steps = self.steps
        with opened(self._url) as database:
            applied = Record(database).read()
        lines = [
            MigrationStatus(s.app, s.name, applied.pop((s.app, s.name), None), True) for s in steps
        ]
        labels = {app_label(app) for app in self.apps}
        lines += [
            MigrationStatus(e.app, e.name, e, False) for e in applied.values() if e.app in labels
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
            ImproperlyConfigured: a migration failed, or cannot be taken back; an unknown app or
                target; PostgreSQL cannot be reached.
        """
        steps = self.steps
        goal = target_of(steps, self.apps, app, target)
        with opened(self._url) as database:
            record = Record(database)

            def read_plan() -> tuple[bool, list[MigrationStep]]:
                applied: Applied = record.read().keys()
                if goal.backwards(applied):
                    return True, plan_back(steps, goal, applied, fake)
                return False, plan_forward(steps, goal, applied)

            backwards, todo = read_plan()
            if plan:
                for step in todo:
                    self._echo(f"Would {'take back' if backwards else 'apply'} {label(step)}")
                return tuple(label(step) for step in todo)
            if not todo:
                return ()
            with migration_lock(database, self._echo):
                record.create()
                backwards, todo = read_plan()  # another run may have been quicker
                return self._run(database, record, todo, backwards, fake)

    @contextmanager
    def rehearsed(self) -> Iterator[PostgresqlDatabase]:
        """Give the database as it will be once everything pending is applied; nothing of it stays.

        Raises:
            ImproperlyConfigured: something pending needs to run outside of a transaction.
        """
        steps = self.steps
        with (
            opened(self._url) as database,
            migration_lock(database, self._echo),
            database.atomic() as transaction,
        ):
            record = Record(database)
            record.create()
            for step in steps:
                if (step.app, step.name) in record.read():
                    continue
                if not step.atomic:
                    raise ImproperlyConfigured(
                        f"{label(step)} is pending, and cannot be tried in a transaction. Run "
                        "`manage.py migrate` first."
                    )
                self._guard(step, partial(apply_step, step, database, record))
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
        for number, step in enumerate(todo, 1):
            recorded = (step.app, step.name) in record.read()
            if recorded is not backwards:
                continue  # recorded together with its table
            verb = "Taking back" if backwards else "Applying"
            verb = "Only recording" if fake else verb
            self._echo(f"{verb} {label(step)} ({number} of {len(todo)})")
            began = time.monotonic()
            self._guard(step, partial(self._do, database, record, step, backwards, fake))
            took = time.monotonic() - began
            if took > _SLOW:
                self._echo(f"  took {took:.1f} s")
            done.append(label(step))
        return tuple(done)

    @staticmethod
    def _do(
        database: PostgresqlDatabase,
        record: Record,
        step: MigrationStep,
        backwards: bool,
        fake: bool,
    ) -> None:
        if fake and backwards:
            record.remove(step.app, step.name)
        elif fake:
            step.note(record)
        elif backwards:
            revert_step(step, database, record)
        else:
            apply_step(step, database, record)

    @staticmethod
    def _guard(step: MigrationStep, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as exc:
            left = (
                "Nothing of it is left in the database"
                if step.atomic
                else "It runs outside of a transaction, so a part of it may be left in the database"
            )
            raise ImproperlyConfigured(
                f"The migration {label(step)} failed: {type(exc).__name__}: {first_line(exc)}. "
                f"{left}, and it is not recorded; those before it stay."
            ) from exc
