"""First migrations for tables that exist already (`makemigrations --adopt`).

Runs on the command line.
"""

from __future__ import annotations

from collections.abc import Sequence

from peewee import PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.catalog import find_adopted
from msframework.migrations.difference import find_operations
from msframework.migrations.draft import Draft, next_path
from msframework.migrations.files import app_label, read_files
from msframework.migrations.renames import SilentAnswers
from msframework.migrations.schema import SchemaState
from msframework.migrations.source import MigrationText, write
from msframework.migrations.survey import choose_apps, read_all_models
from msframework.migrations.titles import slug


def draft_adoption(
    apps: Sequence[str], app: str | None, name: str | None, database: PostgresqlDatabase
) -> list[Draft]:
    """Return a first migration for each app that has tables in *database* and no migrations.

    Raises:
        ImproperlyConfigured: no such app, or it has migrations; none of its tables exists.
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
            "There is nothing to adopt: the database has no table of an app without migrations."
        )
    return drafts


def _draft(app: str, name: str | None, state: SchemaState) -> Draft:
    operations = find_operations(SchemaState(), state, SilentAnswers())
    text = MigrationText(
        "Adopt the tables that exist already.",
        operations=tuple(operations),
        state=state,
        marks=(("adopted", True),),
    )
    path = next_path(app, slug(name or "initial"))
    summary = tuple(f"adopt table {table.name}" for table in state.tables)
    return Draft(app_label(app), path, write(text), summary)
