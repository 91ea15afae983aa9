"""Finds the migrations of the installed apps, files and classes. Runs at start-up."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from msframework._imports import import_module
from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.history import find_forks, read_state
from msframework.migrations.migration_file import MigrationFile, find_files, read_content
from msframework.migrations.model import MigrationModel
from msframework.migrations.step import FileStep, MigrationStep, label, sort_steps
from msframework.migrations.versions import read_class

__all__ = [
    "MigrationFile",
    "MigrationSet",
    "app_directory",
    "app_label",
    "find_forks",
    "has_classes",
    "read_apps",
    "read_files",
    "read_state",
    "read_steps",
]


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


def read_files(app: str) -> list[MigrationFile]:
    """Return the numbered files of *app*, in their order, not yet loaded.

    Raises:
        ImproperlyConfigured: a file has not the name of a migration.
    """
    directory = app_directory(app)
    return [] if directory is None else find_files(directory / "migrations")


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """The migrations of all apps, as far as they can be read.

    Args:
        steps: those of the apps without mistakes, in the order of apps and names.
        problems: the mistakes of the other apps, by the app.
    """

    steps: tuple[MigrationStep, ...]
    problems: Mapping[str, tuple[str, ...]]


def read_apps(apps: Sequence[str]) -> MigrationSet:
    """Read the migrations of each of *apps*, whether those of the others can be read or not."""
    steps: list[MigrationStep] = []
    problems: dict[str, tuple[str, ...]] = {}
    labels: dict[str, str] = {}
    for app in apps:
        name = app_label(app)
        if labels.setdefault(name, app) != app:
            problems[app] = (
                f"INSTALLED_APPS: {app!r} and {labels[name]!r} both end in {name!r}, which their "
                "migrations are recorded under. Rename one.",
            )
            continue
        try:
            steps += _read_app(app)
        except ImproperlyConfigured as exc:
            problems[app] = exc.problems
    names = [label(step) for step in steps]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            app = labels[name.partition(".")[0]]
            problems[app] = (
                *problems.get(app, ()),
                f"{name}: there are two migrations of this name. Give two models of one app two "
                "names.",
            )
    broken = {app_label(app) for app in problems}
    return MigrationSet(tuple(step for step in steps if step.app not in broken), problems)


def read_steps(apps: Sequence[str], *, refuses_forks: bool = True) -> list[MigrationStep]:
    """Return every step of *apps*, in the order in which they are applied.

    Args:
        apps: the apps, by their dotted names.
        refuses_forks: whether an app that has several last migrations is a mistake.

    Raises:
        ImproperlyConfigured: all mistakes found, together.
    """
    found = read_apps(apps)
    problems = [problem for each in found.problems.values() for problem in each]
    # A file that follows one which is not there is no branch.
    ordered = [] if problems else sort_steps(found.steps)
    if refuses_forks:
        problems += find_forks(found.steps)
    if problems:
        raise ImproperlyConfigured.of(problems)
    return ordered


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
    steps: list[MigrationStep] = []
    problems: list[str] = []
    module = import_module(f"{app}.migrations", problems)
    if module is None:
        raise ImproperlyConfigured.of(problems)
    for value in list(vars(module).values()):
        if not isinstance(value, type) or not issubclass(value, MigrationModel):
            continue
        if value.__module__ != module.__name__:
            continue
        try:
            steps += read_class(value, app_label(app))
        except ImproperlyConfigured as exc:
            problems += exc.problems
    problems += _find_unread(module)
    if problems:
        raise ImproperlyConfigured.of(problems)
    return steps


def _find_unread(module: ModuleType) -> Iterator[str]:
    """Yield a problem for each function of *module* with `@info` that no migration runs."""
    values = list(vars(module).values())
    classes = [each for each in values if isinstance(each, type)]
    read = {base for each in classes if issubclass(each, MigrationModel) for base in each.__mro__}
    methods = (value for each in classes if each not in read for value in vars(each).values())
    for value in (*values, *methods):
        if inspect.isfunction(value) and hasattr(value, "migration_info"):
            yield (
                f"{module.__name__}.{value.__qualname__}: has @info, but is no method of a "
                "MigrationModel, so nothing would run it. Move it into one."
            )


def _read_directory(app: str) -> list[MigrationStep]:
    steps: list[MigrationStep] = []
    problems: list[str] = []
    name = app_label(app)
    before: MigrationFile | None = None  # the one that a file without `depends` follows
    unnamed: list[MigrationFile] = []
    last: MigrationFile | None = None
    for file in read_files(app):
        try:
            content = read_content(file)
        except ImproperlyConfigured as exc:
            problems += exc.problems
            continue
        own = any(each.startswith(f"{name}.") for each in content.depends)
        if last is not None and last.number < file.number:
            before = last
        previous = [] if own else [before]
        if not own:
            if unnamed and unnamed[-1].number == file.number:
                previous = [unnamed[-1]]
            unnamed.append(file)
        depends = (*(f"{name}.{each.name}" for each in previous if each), *content.depends)
        steps.append(
            FileStep(name, file.name, depends, content.module, content.operations, content.replaces)
        )
        last = file
    if problems:
        raise ImproperlyConfigured.of(problems)
    return steps
