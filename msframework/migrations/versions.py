"""The steps of a `MigrationModel`: its table, then its versions. Runs at start-up."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peewee import Model, PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.catalog import find_adopted
from msframework.migrations.connection import db, migration_lock, say
from msframework.migrations.declared import describe
from msframework.migrations.execute import Execution
from msframework.migrations.operations import CreateEnum, CreateTable
from msframework.migrations.record import Record
from msframework.migrations.schema import SchemaState
from msframework.migrations.step import MigrationStep

INITIAL = "initial"


@dataclass(frozen=True, slots=True)
class Info:
    """The note of `@info` on one version."""

    version: str | None = None
    author: str | None = None
    datetime: str | None = None
    atomic: bool = True


@dataclass(frozen=True, slots=True)
class TableStep:
    """The creation of a model's table from today's model, up to date with all versions."""

    app: str
    owner: Any
    versions: tuple[VersionStep, ...]

    atomic = True
    obstacle = "classes are not reversible; write a new version"
    replaces = ()

    @property
    def name(self) -> str:
        """The model's name and `initial`."""
        return f"{self.owner._model.__name__}.{INITIAL}"

    @property
    def depends(self) -> tuple[str, ...]:
        """The dependencies that the class names in `_depends`."""
        return tuple(self.owner._depends)

    @property
    def file(self) -> str | None:
        """The path of the module of the class."""
        return _file_of(self.owner)

    def up(self, execution: Execution, record: Record) -> None:
        """Create a missing table; record the versions of one that equals today's model."""
        execution.transaction(f"{self.app}.{self.name}", lambda: self._make(execution, record))

    def _make(self, execution: Execution, record: Record) -> None:
        model, database = self.owner._model, execution.database
        applied = record.read()
        self.note(record)
        if any((step.app, step.name) in applied for step in self.versions):
            return
        state = describe([model])
        adopted = find_adopted(database, state)
        if adopted.missing:
            create_tables(execution, state, adopted.state)
        elif any(_matters(line) for lines in adopted.differences.values() for line in lines):
            return  # an older table: its versions are run
        for step in self.versions:
            step.note(record)

    def down(self, execution: Execution, record: Record) -> None:
        """Never called: a class is not reversible."""
        raise NotImplementedError

    def describe(self, backwards: bool = False) -> tuple[str, ...]:
        """Return nothing: what Python does is known when it runs."""
        return ()

    def note(self, record: Record) -> None:
        """Record that the table is there."""
        record.add(self.app, self.name)

    def forget(self, record: Record) -> None:
        """Remove that record."""
        record.remove(self.app, self.name)


@dataclass(frozen=True, slots=True)
class VersionStep:
    """One `migrate_*` method of a `MigrationModel`."""

    app: str
    owner: Any
    method: str
    info: Info

    depends = ()
    obstacle = "classes are not reversible; write a new version"
    replaces = ()

    @property
    def version(self) -> str:
        """The version that `@info` states, else the method's name after `migrate_`."""
        return self.info.version or self.method.removeprefix("migrate_")

    @property
    def name(self) -> str:
        """The model's name and the version, which is unique within the model only."""
        return f"{self.owner._model.__name__}.{self.version}"

    @property
    def atomic(self) -> bool:
        """`@info(atomic=False)` turns the transaction off."""
        return self.info.atomic

    @property
    def file(self) -> str | None:
        """The path of the module of the class."""
        return _file_of(self.owner)

    def up(self, execution: Execution, record: Record) -> None:
        """Run the method, then record it."""

        def work() -> None:
            migration = self.owner(execution.database)
            migration._execution = execution
            getattr(migration, self.method)()
            self.note(record)

        if self.atomic:
            execution.transaction(f"{self.app}.{self.name}", work)
        else:
            execution.outside(f"{self.app}.{self.name}", work)

    def down(self, execution: Execution, record: Record) -> None:
        """Never called: a class is not reversible."""
        raise NotImplementedError

    def describe(self, backwards: bool = False) -> tuple[str, ...]:
        """Return nothing: what Python does is known when it runs."""
        return ()

    def note(self, record: Record) -> None:
        """Record the version with its author and time."""
        record.add(self.app, self.name, self.info.author, self.info.datetime)

    def forget(self, record: Record) -> None:
        """Remove the record of the version."""
        record.remove(self.app, self.name)


def read_class(owner: Any, app: str | None = None) -> list[MigrationStep]:
    """Return the steps of the `MigrationModel` *owner*: its table, then its versions as defined.

    Args:
        app: the app that they are recorded under; else the class's `_app`, or its directory's name.

    Raises:
        ImproperlyConfigured: the class has no `_model`, or its versions are not unique.
    """
    if owner._model is None:
        raise ImproperlyConfigured(f"{owner.__name__}: set _model to the model that it migrates.")
    label = owner._app or app or _directory_name(owner)
    methods: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        for name, value in vars(base).items():
            if name.startswith("migrate_") or hasattr(value, "migration_info"):
                methods[name] = value
    versions = tuple(
        VersionStep(label, owner, name, getattr(method, "migration_info", Info()))
        for name, method in methods.items()
    )
    problems = []
    used = {INITIAL: "the table itself"}
    for step in versions:
        where = f"{owner.__name__}.{step.method}"
        if not step.method.startswith("migrate_"):
            problems.append(f"{where}: has @info, but its name does not begin with 'migrate_'.")
        if step.version in used:
            problems.append(
                f"{where}: version {step.version!r} is taken by {used[step.version]}. Versions are "
                "unique within a model."
            )
        used[step.version] = step.method
    if problems:
        raise ImproperlyConfigured.of(problems)
    return [TableStep(label, owner, versions), *versions]


def auto_migrate(migration: Any) -> None:
    """Bring the table of the `MigrationModel` instance *migration* up to date.

    Raises:
        ImproperlyConfigured: a version is used twice; the exception of a failing method otherwise.
    """
    steps = read_class(type(migration))
    database = migration.database
    with db.using(database), migration_lock(database, say):
        record = Record(database)
        record.create()
        with Execution(database, say) as execution:
            for step in steps:
                if (step.app, step.name) not in record.read():
                    step.up(execution, record)


def create_table(database: PostgresqlDatabase, model: type[Model]) -> None:
    """Create the table of *model*, with its types, constraints and indexes."""
    state = describe([model])
    with Execution(database) as execution, database.atomic():
        create_tables(execution, state, find_adopted(database, state).state)


def create_tables(execution: Execution, state: SchemaState, standing: SchemaState) -> None:
    """Create the types and tables of *state*, except types that exist."""
    known = {enum.name for enum in standing.enums}
    for enum in state.enums:
        if enum.name not in known:
            execution.run_operation(CreateEnum(enum))
    for table in state.tables:
        execution.run_operation(CreateTable(table))


def _matters(line: str) -> bool:
    """Say whether a difference makes a table outdated; a comment does not."""
    return not line.startswith("comment")


def _file_of(owner: Any) -> str | None:
    return getattr(sys.modules.get(owner.__module__), "__file__", None)


def _directory_name(owner: Any) -> str:
    file = _file_of(owner)
    directory = Path(file).resolve().parent if file else Path.cwd()
    return directory.parent.name if directory.name == "migrations" else directory.name
