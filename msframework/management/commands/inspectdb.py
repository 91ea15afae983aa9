"""`inspectdb`: prints models for the tables of a database. Runs on the command line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final

import click
from peewee import PostgresqlDatabase

from msframework.alike import find_nearest
from msframework.db.embedded import ensure_database
from msframework.exceptions import ImproperlyConfigured
from msframework.management.project import Project
from msframework.migrations.connection import database_url, opened
from msframework.migrations.files import app_label
from msframework.migrations.known_models import read_known
from msframework.migrations.model_source import render_models
from msframework.migrations.relation import find_tables, name_tables, read_tables
from msframework.migrations.remarks import read_remarks
from msframework.problem import list_names

_MOST_NAMES: Final = 8


@click.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("--schema", metavar="NAME", help="Only tables of this schema.")
@click.option(
    "--app",
    metavar="APP",
    help="For this app: leave out tables that have a model in INSTALLED_APPS.",
)
@click.pass_obj
def command(project: Project, tables: Sequence[str], schema: str | None, app: str | None) -> None:
    """Print a module of models for all tables of the database, or for each TABLE.

    A TABLE is named as in SQL: users, or shop.notes for one of another schema. Comments list what a
    model cannot declare; makemigrations finds no changes to these models. With --app, foreign keys
    to tables that have a model use that model, imported from its app.
    """
    settings = ensure_database(project.settings, partial(project.echo, err=True))
    apps = settings.installed_apps
    own_app = None if app is None else find_app(apps, app)
    with opened(database_url(settings)) as database:
        found = choose_tables(database, tables, schema)
        known = {} if own_app is None else read_known(database, apps, own_app)
        if not tables:
            found = {oid: name for oid, name in found.items() if oid not in known}
        others = [model for oid, model in known.items() if oid not in found]
        text = render_models(read_tables(database, found), read_remarks(database, found), others)
    if not found:
        raise ImproperlyConfigured("Every table has a model already.")
    project.echo(text.rstrip())


def find_app(apps: Sequence[str], app: str) -> str:
    """Return the dotted name of *app*, which may be its last part.

    Raises:
        ImproperlyConfigured: there is no such app.
    """
    for each in apps:
        if app_label(each) == app_label(app):
            return each
    labels = ", ".join(map(app_label, apps)) or "none"
    raise ImproperlyConfigured(f"There is no app {app!r}; INSTALLED_APPS has {labels}.")


def choose_tables(
    database: PostgresqlDatabase, names: Sequence[str], schema: str | None
) -> dict[int, str | None]:
    """Return the tables to be printed, by their oids.

    Raises:
        ImproperlyConfigured: one of *names* is no table, or there are none at all.
    """
    if not names:
        known = name_tables(database, find_tables(database))
        found = [oid for oid, (own, _) in known.items() if schema in (None, own)]
        if not found:
            place = "The database" if schema is None else f"The schema {schema!r}"
            raise ImproperlyConfigured(f"{place} has no tables.{_schemas(known, schema)}")
        return dict.fromkeys(found)
    asked = [_qualified(name, schema) for name in names]
    named = find_tables(database, set(asked))
    missing = [name for name in asked if name not in named.values()]
    if missing:
        known = name_tables(database, find_tables(database))
        raise ImproperlyConfigured.of([_unknown(name, known.values()) for name in missing])
    return dict.fromkeys(named)


def _qualified(name: str, schema: str | None) -> str:
    return name if schema is None or name.startswith(f"{schema}.") else f"{schema}.{name}"


def _schemas(known: Mapping[int, tuple[str, str]], schema: str | None) -> str:
    names = sorted({own for own, _ in known.values()})
    if schema is None or not names:
        return ""
    return f" There are tables in {list_names(names, _MOST_NAMES)}."


def _unknown(name: str, known: Collection[tuple[str, str]]) -> str:
    names = {each for own, plain in known for each in (plain, f"{own}.{plain}")}
    tables = sorted({plain for _, plain in known})
    close = find_nearest(name, names)
    listed = list_names(tables, _MOST_NAMES) or "none"
    advice = f"Did you mean {close}?" if close else f"It has {listed}."
    return f"The database has no table {name!r}. {advice}"
