"""The survey of all apps: their models, and the states that their migrations lead to.

Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import peewee
from peewee import PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.catalog import find_adopted
from msframework.migrations.declared import (
    describe,
    read_enums,
    read_models,
    read_models_of,
    table_name,
)
from msframework.migrations.files import (
    MigrationSet,
    app_directory,
    app_label,
    find_forks,
    has_classes,
    read_apps,
    read_files,
)
from msframework.migrations.history import History, read_history
from msframework.migrations.schema import SchemaState


class Rehearsal(Protocol):
    """A source of the apps, and of the database after the pending migrations."""

    @property
    def apps(self) -> Sequence[str]:
        """The dotted names of the apps."""

    def rehearsed(self) -> AbstractContextManager[PostgresqlDatabase]:
        """Yield the database after the pending migrations; they are rolled back."""


@dataclass(frozen=True, slots=True)
class AppModels:
    """The models of all apps, and the apps that own their tables and types.

    Args:
        classes: by the label of the app.
        owners: the labels of the apps of tables, by name.
        enum_owners: likewise, of types.
    """

    classes: Mapping[str, Sequence[type[peewee.Model]]]
    owners: Mapping[str, str]
    enum_owners: Mapping[str, str]
    state: SchemaState

    def of(self, app: str) -> SchemaState:
        """Return the state that the models of one app describe."""
        return SchemaState(
            tuple(each for each in self.state.tables if self.owners.get(each.name) == app),
            enums=tuple(
                each for each in self.state.enums if self.enum_owners.get(each.name) == app
            ),
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """Every app as it is, and as it was when its last migration was written.

    Args:
        apps: the dotted names of those that are compared, by label.
        old: by label.
        by_database: the labels of those whose files carry no state.
        skipped: the labels of those that are not looked at, with the reason.
        problems: the mistakes in the files of the others.
    """

    models: AppModels
    reading: MigrationSet
    apps: Mapping[str, str]
    old: Mapping[str, SchemaState]
    by_database: tuple[str, ...]
    skipped: Mapping[str, str]
    problems: tuple[str, ...]

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


def read_all_models(apps: Sequence[str]) -> AppModels:
    """Return the models of *apps*.

    Raises:
        ImproperlyConfigured: a declaration of a model cannot be read.
    """
    classes = {app_label(app): models for app, models in read_models_of(apps).items()}
    owners: dict[str, str] = {}
    enum_owners: dict[str, str] = {}
    for app, models in classes.items():
        for model in models:
            owners.setdefault(table_name(model), app)
            for _, enum in read_enums(model):
                enum_owners.setdefault(enum.name, app)
    every = list(dict.fromkeys(model for models in classes.values() for model in models))
    return AppModels(classes, owners, enum_owners, describe(every))


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
    if app is not None and problems:
        raise ImproperlyConfigured.of(problems)
    broken = {app_label(each) for each in reading.problems} | forks.keys()
    others = rehearsal.apps if app is None else ()
    skipped = {app_label(each): reason for each in others if (reason := _reason(each))}
    apps = {n: each for n, each in labels.items() if n not in broken and n not in skipped}
    old, by_database = _old_states(apps, reading, models, rehearsal.rehearsed)
    return Survey(models, reading, apps, old, by_database, skipped, tuple(problems))


def _reason(app: str) -> str | None:
    """Return why *app* is not looked at, if it is not."""
    if app_directory(app) is None:
        return "a module"
    if has_classes(app):
        return "its migrations are classes"
    try:
        empty = not read_files(app)
    except ImproperlyConfigured:
        return None
    return "no models" if empty and not read_models(app) else None


def _old_states(
    apps: Mapping[str, str],
    reading: MigrationSet,
    models: AppModels,
    rehearsed: Callable[[], AbstractContextManager[PostgresqlDatabase]],
) -> tuple[dict[str, SchemaState], tuple[str, ...]]:
    """Return the state after each app's migrations, from its files, else from the database."""
    old: dict[str, SchemaState] = {}
    unknown: list[str] = []
    for app in apps:
        history = read_history(reading.steps, app)
        state = history.state(history.leaf())
        if state is None and history.steps and models.classes[app]:
            unknown.append(app)
        old[app] = state or SchemaState()
    if unknown:
        wanted = SchemaState(
            tuple(table for app in unknown for table in models.of(app).tables),
            enums=tuple(enum for app in unknown for enum in models.of(app).enums),
        )
        with rehearsed() as database:
            found = find_adopted(database, wanted).state
        for app in unknown:
            names = {table.name for table in models.of(app).tables}
            enums = {enum.name for enum in models.of(app).enums}
            old[app] = SchemaState(
                tuple(table for table in found.tables if table.name in names),
                enums=tuple(enum for enum in found.enums if enum.name in enums),
            )
    return old, tuple(unknown)
