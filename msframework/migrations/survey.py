"""The survey of all apps: their models, and the states that their migrations lead to.

Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from peewee import PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.app_models import AppModels, read_all_models
from msframework.migrations.catalog import find_adopted
from msframework.migrations.files import (
    MigrationSet,
    app_directory,
    app_label,
    find_forks,
    has_classes,
    read_apps,
)
from msframework.migrations.history import History, read_history
from msframework.migrations.left_alone import find_tables_without_models
from msframework.migrations.schema import ForeignKey, SchemaState
from msframework.migrations.step import FileStep


class Rehearsal(Protocol):
    """A source of the apps, and of the database after the pending migrations."""

    @property
    def apps(self) -> Sequence[str]:
        """The dotted names of the apps."""

    def rehearsed(self) -> AbstractContextManager[PostgresqlDatabase]:
        """Yield the database after the pending migrations; they are rolled back."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Every app as it is, and as it was when its last migration was written.

    Args:
        apps: the dotted names of those that are compared, by label.
        old: by label.
        by_database: the labels of those whose files carry no state.
        skipped: the labels of those that are not looked at, with the reason.
        problems: the mistakes in the files and models of the others.
        left_alone: what the database has and the models of those in `by_database` have not.
    """

    models: AppModels
    reading: MigrationSet
    apps: Mapping[str, str]
    old: Mapping[str, SchemaState]
    by_database: tuple[str, ...]
    skipped: Mapping[str, str]
    problems: tuple[str, ...]
    left_alone: tuple[str, ...] = ()

    def history(self, app: str) -> History:
        """Return the files of the app labelled *app*."""
        return read_history(self.reading.steps, app)


def choose_apps(apps: Sequence[str], app: str | None) -> list[str]:
    """Return the apps that may have files of migrations, or *app* alone.

    Raises:
        ImproperlyConfigured: there is no such app, or it has no files.
    """
    if app is None:
        return [each for each in apps if app_directory(each) is not None and not has_classes(each)]
    chosen = [each for each in apps if app_label(each) == app_label(app)]
    if not chosen:
        raise ImproperlyConfigured(
            f"There is no app {app!r}; INSTALLED_APPS has "
            f"{', '.join(sorted(map(app_label, apps))) or 'none'}."
        )
    if app_directory(chosen[0]) is None:
        raise ImproperlyConfigured(f"{chosen[0]} is a module; only a package has migrations.")
    if has_classes(chosen[0]):
        raise ImproperlyConfigured(
            f"{chosen[0]} keeps its migrations in classes, in migrations.py: add a version there."
        )
    return chosen


def survey(rehearsal: Rehearsal, app: str | None) -> Survey:
    """Return the survey of all apps, or of *app* alone.

    Raises:
        ImproperlyConfigured: there is no such app; its files, or the models, have mistakes.
    """
    chosen = choose_apps(rehearsal.apps, app)
    reading = read_apps(rehearsal.apps)
    models = read_all_models(rehearsal.apps)
    problems = [text for each in chosen for text in reading.problems.get(each, ())]
    forks = {text.partition(" ")[0]: text for text in find_forks(reading.steps)}
    labels = {app_label(each): each for each in chosen}
    problems += [text for name, text in forks.items() if name in labels]
    found = models.problems if app is None else {n: models.problems.get(n, ()) for n in labels}
    problems += [text for texts in found.values() for text in texts]
    if app is not None and problems:
        raise ImproperlyConfigured.of(problems)
    broken = {app_label(each) for each in reading.problems} | forks.keys() | models.problems.keys()
    others = rehearsal.apps if app is None else chosen
    skipped = {
        app_label(each): reason for each in others if (reason := _reason(each, reading, models))
    }
    apps = {n: each for n, each in labels.items() if n not in broken and n not in skipped}
    if app is None:
        problems += _part_with_dependents(apps, reading, models)
    old = _old_states(apps, reading, models)
    by_database = tuple(each for each in apps if each not in old)
    left_alone: tuple[str, ...] = ()
    if by_database:
        with rehearsal.rehearsed() as database:
            left_alone = _read_standing(database, by_database, models, old)
    return Survey(models, reading, apps, old, by_database, skipped, tuple(problems), left_alone)


def _part_with_dependents(
    apps: dict[str, str], reading: MigrationSet, models: AppModels
) -> Iterator[str]:
    """Take from *apps* those that need tables which broken apps are still to make; say why."""
    broken = list(models.problems)
    while broken:
        missing = {table: app for app in broken for table in _unmade_tables(app, reading, models)}
        broken = []
        for app in list(apps):
            needed = [table for table in _targets(models.of(app)) if table in missing]
            if needed:
                del apps[app]
                broken.append(app)
                yield (
                    f"{app} needs {needed[0]} of {missing[needed[0]]}, which no migration makes "
                    "yet: the mistakes of that app come first."
                )


def _unmade_tables(app: str, reading: MigrationSet, models: AppModels) -> Iterator[str]:
    """Yield the tables of *app* that no migration makes yet, as far as its files can be read."""
    steps = [step for step in reading.steps if step.app == app]
    if not all(isinstance(step, FileStep) for step in steps):
        return
    if any(app_label(each) == app for each in reading.problems):
        return
    history = read_history(steps, app)
    states = [history.state(leaf) for leaf in history.leaves]
    for table, owner in models.owners.items():
        if owner == app and all(state is not None and not state.table(table) for state in states):
            yield table


def _targets(state: SchemaState) -> Iterator[str]:
    for table in state.tables:
        yield from (each.target for each in table.constraints if isinstance(each, ForeignKey))


def _reason(app: str, reading: MigrationSet, models: AppModels) -> str | None:
    """Return why *app* is not looked at, if it is not."""
    if app_directory(app) is None:
        return "a module"
    if has_classes(app):
        return "its migrations are classes"
    label = app_label(app)
    if models.classes[label] or label in models.problems or app in reading.problems:
        return None
    history = read_history(reading.steps, label)
    if not history.steps:
        return "no models"
    states = [history.state(leaf) for leaf in history.leaves]
    return None if any(states) else "no models, and its files carry no state"


def _old_states(
    apps: Iterable[str], reading: MigrationSet, models: AppModels
) -> dict[str, SchemaState]:
    """Return the state after the migrations of each app whose files carry one, or that has none."""
    old = {}
    for app in apps:
        history = read_history(reading.steps, app)
        state = history.state(history.leaf())
        if state is not None or not history.steps or not models.classes[app]:
            old[app] = state or SchemaState()
    return old


def _read_standing(
    database: PostgresqlDatabase,
    apps: Collection[str],
    models: AppModels,
    old: dict[str, SchemaState],
) -> tuple[str, ...]:
    """Add the tables of *apps* in *database* to *old*; return what no model has."""
    wanted = {app: models.of(app) for app in apps}
    found = find_adopted(
        database,
        SchemaState(
            tuple(table for state in wanted.values() for table in state.tables),
            enums=tuple(enum for state in wanted.values() for enum in state.enums),
        ),
    )
    known = {*models.owners, *(table.name for state in old.values() for table in state.tables)}
    for app, state in wanted.items():
        names = {table.name for table in state.tables}
        enums = {enum.name for enum in state.enums}
        old[app] = SchemaState(
            tuple(table for table in found.state.tables if table.name in names),
            enums=tuple(enum for enum in found.state.enums if enum.name in enums),
        )
    return (*found.undeclared, *find_tables_without_models(database, known))
