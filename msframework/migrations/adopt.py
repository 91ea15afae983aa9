"""Migrations of tables that stood before there were any, which are recorded rather than run.

Runs on the command line; whether the tables stand is looked up when such a migration is applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from peewee import PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.catalog import find_adopted
from msframework.migrations.difference import find_operations
from msframework.migrations.draft import Draft, next_path
from msframework.migrations.files import app_label, read_files
from msframework.migrations.relation import find_tables
from msframework.migrations.renames import SilentAnswers
from msframework.migrations.schema import SchemaState
from msframework.migrations.source import MigrationText, write
from msframework.migrations.survey import choose_apps, read_all_models
from msframework.migrations.titles import slug


def find_standing(
    database: PostgresqlDatabase, states: Mapping[str, SchemaState]
) -> dict[str, tuple[str, ...]]:
    """Return which tables of *states* stand in the database, by app."""
    found = {}
    for app, state in states.items():
        names = [table.name for table in state.tables]
        standing = set(find_tables(database, names).values()) if names else set()
        if standing:
            found[app] = tuple(name for name in names if name in standing)
    return found


def draft_adoption(
    apps: Sequence[str], app: str | None, name: str | None, database: PostgresqlDatabase
) -> list[Draft]:
    """Return the first migration of each app without one whose tables stand, as they stand.

    Raises:
        ImproperlyConfigured: no such app, or it has migrations; no table of it stands.
    """
    chosen = [each for each in choose_apps(apps, app) if app is not None or not read_files(each)]
    if app is not None and read_files(chosen[0]):
        raise ImproperlyConfigured(
            f"{app} has migrations already. Without --adopt they are compared with the models."
        )
    models = read_all_models(apps)
    drafts = []
    for each in chosen:
        state = find_adopted(database, models.of(app_label(each))).state
        if state.tables:
            drafts.append(_draft(each, name, state))
    if not drafts:
        raise ImproperlyConfigured(
            "There is nothing to adopt: no table of a model of an app without migrations stands "
            "in the database."
        )
    return drafts


def _draft(app: str, name: str | None, state: SchemaState) -> Draft:
    operations = find_operations(SchemaState(), state, SilentAnswers())
    text = MigrationText(
        "Adopt the tables that stand already.",
        operations=tuple(operations),
        state=state,
        marks=(("adopted", True),),
    )
    path = next_path(app, slug(name or "initial"))
    summary = tuple(f"adopt table {table.name}" for table in state.tables)
    return Draft(app_label(app), path, write(text), summary)


def is_standing(database: PostgresqlDatabase, where: str, state: SchemaState) -> bool:
    """Say whether the tables that a migration with `adopted = True` makes stand as it says.

    Raises:
        ImproperlyConfigured: some do not stand, or are others.
    """
    found = find_adopted(database, state)
    if not found.state.tables:
        return False
    problems = [
        f"{where}: {name} does not stand, but others of its tables do." for name in found.missing
    ]
    problems += [
        f"{where}: the table {name} is not as the migration says: {line}."
        for name, lines in found.differences.items()
        for line in lines
    ]
    if problems:
        raise ImproperlyConfigured.of(problems)
    return True
