"""Models of apps whose tables exist in a database. Runs on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from peewee import PostgresqlDatabase

from msframework.migrations.declared import read_models_of, table_name
from msframework.migrations.relation import find_tables, name_tables, read_tables
from msframework.migrations.schema import Table


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model of an app.

    Args:
        module: the module to import it from; `None` for the module that is being written.
        fields: the names of its fields, by their columns.
    """

    table: Table
    name: str
    module: str | None
    fields: Mapping[str, str]


def read_known(
    database: PostgresqlDatabase, apps: Sequence[str], own_app: str
) -> dict[int, KnownModel]:
    """Return the models of *apps* whose tables exist in *database*, by the oids of the tables."""
    models = {
        table_name(model): (app, model)
        for app, each in read_models_of(apps).items()
        for model in each
    }
    asked = find_tables(database, models)
    names = name_tables(database, asked)
    tables = {each.name: each for each in read_tables(database, dict.fromkeys(asked)).tables}
    found = {}
    for oid, name in asked.items():
        app, model = models[name or ""]
        found[oid] = KnownModel(
            tables[names[oid][1]],
            model.__name__,
            None if app == own_app else model.__module__,
            {field.column_name: field.name for field in model._meta.sorted_fields},
        )
    return found
