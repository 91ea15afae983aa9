"""Finds the migrations of the installed apps, files and classes. Runs at start-up."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playhouse.migrations import Migration

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.model import MigrationModel
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.program import check_operations
from msframework.migrations.step import FileStep, MigrationStep, label, sort_steps
from msframework.migrations.versions import read_class


def app_label(app: str) -> str:
    """Return the name of *app* in records and commands: the last part of its dotted name."""
    return app.rpartition(".")[2]


def app_directory(app: str) -> Path | None:
    """Return the directory of the package *app*; `None` for a plain module.

    Raises:
        ImproperlyConfigured: there is no such package.
    """
    try:
        spec = importlib.util.find_spec(app)
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        raise ImproperlyConfigured(
            f"INSTALLED_APPS names {app!r}, which cannot be found. Check the spelling, and that "
            "the project's root is the current directory."
        )
    places = list(spec.submodule_search_locations or ())
    return Path(places[0]) if places else None


def has_classes(app: str) -> bool:
    """Say whether *app* keeps its migrations in classes, in a module `migrations.py`."""
    directory = app_directory(app)
    return directory is not None and (directory / "migrations.py").is_file()


def read_files(app: str) -> list[Migration]:
    """Return the numbered files of *app*, in their order, not yet loaded."""
    directory = app_directory(app)
    if directory is None:
        return []
    return list(Migration.load_directory(str(directory / "migrations")))


def read_steps(apps: Sequence[str]) -> list[MigrationStep]:
    """Return every step of *apps*, in the order in which they are applied.

    Raises:
        ImproperlyConfigured: all mistakes found, together.
    """
    steps: list[MigrationStep] = []
    problems: list[str] = []
    labels: dict[str, str] = {}
    for app in apps:
        name = app_label(app)
        if labels.setdefault(name, app) != app:
            problems.append(
                f"INSTALLED_APPS: {app!r} and {labels[name]!r} both end in {name!r}, which their "
                "migrations are recorded under. Rename one."
            )
            continue
        try:
            steps += _read_app(app)
        except ImproperlyConfigured as exc:
            problems += exc.problems
    names = [label(step) for step in steps]
    problems += [
        f"{name}: there are two migrations of this name. Give two models of one app two names."
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if problems:
        raise ImproperlyConfigured.of(problems)
    return sort_steps(steps)


def _read_app(app: str) -> list[MigrationStep]:
    directory = app_directory(app)
    if directory is None:
        return []
    if has_classes(app):
        if (directory / "migrations").is_dir():
            raise ImproperlyConfigured(
                f"{app}: has both migrations.py and a directory migrations/. Python sees the "
                "directory only; keep one of them."
            )
        return _read_classes(app)
    return _read_directory(app)


def _read_classes(app: str) -> list[MigrationStep]:
    module = importlib.import_module(f"{app}.migrations")
    steps: list[MigrationStep] = []
    problems: list[str] = []
    for value in list(vars(module).values()):
        if not isinstance(value, type) or not issubclass(value, MigrationModel):
            continue
        if value.__module__ != module.__name__:
            continue
        try:
            steps += read_class(value, app_label(app))
        except ImproperlyConfigured as exc:
            problems += exc.problems
    if problems:
        raise ImproperlyConfigured.of(problems)
    return steps


def _read_directory(app: str) -> list[MigrationStep]:
    steps: list[MigrationStep] = []
    problems: list[str] = []
    previous: tuple[str, ...] = ()
    for file in read_files(app):
        module: Any = file.load()
        depends = getattr(module, "depends", ())
        operations: tuple[MigrationOperation, ...] = ()
        if (found := getattr(module, "operations", None)) is not None:
            try:
                operations = check_operations(str(file.path), found)
            except ImproperlyConfigured as exc:
                problems += exc.problems
        elif not callable(getattr(module, "up", None)):
            problems.append(f"{file.path}: defines neither operations nor up(migrator, db).")
        if isinstance(depends, str) or not all(isinstance(each, str) for each in depends):
            problems.append(f"{file.path}: depends is {depends!r}; write a tuple of 'app.name'.")
            depends = ()
        replaces = tuple(getattr(module, "replaces", ()))
        wanted = (*previous, *depends)
        step = FileStep(app_label(app), file.name, wanted, module, operations, replaces)
        previous = (label(step),)
        steps.append(step)
    if problems:
        raise ImproperlyConfigured.of(problems)
    return steps
