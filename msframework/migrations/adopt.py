"""First migrations for tables that exist already (`makemigrations --adopt`).

Runs on the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from peewee import PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.app_models import read_all_models
from msframework.migrations.catalog import find_adopted
from msframework.migrations.difference import find_operations
from msframework.migrations.draft_file import Draft
from msframework.migrations.drafting import Drafting
from msframework.migrations.files import app_label, read_apps, read_files
from msframework.migrations.history import recorded_owners
from msframework.migrations.renames import SilentAnswers
from msframework.migrations.schema import SchemaState
from msframework.migrations.survey import Survey, choose_apps


def draft_adoption(
    apps: Sequence[str], app: str | None, name: str | None, database: PostgresqlDatabase
) -> list[Draft]:
    """Return a first migration for each app that has tables in *database* and no migrations.

    Raises:
        ImproperlyConfigured: no such app, or it has migrations; none of its tables exists, or
            migrations of another app have made one; its models cannot be read.
    """
    chosen = [each for each in choose_apps(apps, app) if app is not None or not read_files(each)]
    if app is not None and read_files(chosen[0]):
        raise ImproperlyConfigured(
            f"{app} has migrations already. Without --adopt they are compared with the models."
        )
    reading = read_apps(apps)
    models = read_all_models(apps)
    labels = {app_label(each): each for each in chosen}
    if problems := [text for each in labels for text in models.problems.get(each, ())]:
        raise ImproperlyConfigured.of(problems)
    wanted = [models.of(each) for each in labels]
    _refuse_moved(wanted, recorded_owners(reading.steps))
    found = find_adopted(database, _join(wanted)).state
    if not found.tables:
        raise ImproperlyConfigured(
            "There is nothing to adopt: the database has no table of an app without migrations."
        )
    empty = {each: SchemaState() for each in labels}
    as_found = Survey(replace(models, state=found), reading, labels, empty, (), {}, ())
    operations = find_operations(SchemaState(), found, SilentAnswers())
    drafts = Drafting(as_found, name, (("adopted", True),)).drafts(SchemaState(), operations)
    return [
        replace(
            draft, summary=tuple(each.replace("create ", "adopt ", 1) for each in draft.summary)
        )
        for draft in drafts
    ]


def _join(states: Sequence[SchemaState]) -> SchemaState:
    return SchemaState(
        tuple(table for state in states for table in state.tables),
        enums=tuple(enum for state in states for enum in state.enums),
    )


def _refuse_moved(wanted: Sequence[SchemaState], owners: Mapping[str, str]) -> None:
    """Refuse tables that migrations of another app have made, by the apps in *owners*.

    Raises:
        ImproperlyConfigured: there is one.
    """
    moved = [table.name for state in wanted for table in state.tables if table.name in owners]
    if moved:
        raise ImproperlyConfigured(
            f"Migrations of {', '.join(sorted({owners[each] for each in moved}))} have made "
            f"{', '.join(moved)}. Without --adopt the tables change their app."
        )
