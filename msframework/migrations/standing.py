"""Tables of models that exist in the database though no migration has created them.

Runs when a migration is made, or applied.
"""

from __future__ import annotations

from collections.abc import Mapping

from peewee import PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.catalog import find_adopted
from msframework.migrations.migration_file import read_module_state
from msframework.migrations.operations import CreateTable
from msframework.migrations.relation import find_tables
from msframework.migrations.schema import SchemaState
from msframework.migrations.step import MigrationStep, label


def find_standing(
    database: PostgresqlDatabase, states: Mapping[str, SchemaState]
) -> dict[str, tuple[str, ...]]:
    """Return the tables of *states* that exist in the database, by app."""
    found = {}
    for app, state in states.items():
        names = [table.name for table in state.tables]
        standing = set(find_tables(database, names).values()) if names else set()
        if standing:
            found[app] = tuple(name for name in names if name in standing)
    return found


def is_standing(database: PostgresqlDatabase, step: MigrationStep) -> bool:
    """Say whether *step* has `adopted = True`, and the tables of its `state` exist as it says.

    Raises:
        ImproperlyConfigured: some of them are missing, or differ.
    """
    module = getattr(step, "module", None)
    state = read_module_state(module) if getattr(module, "adopted", False) else None
    if state is None:
        return False
    where = label(step)
    found = find_adopted(database, state)
    if not found.state.tables:
        return False
    if not any(isinstance(each, CreateTable) for each in getattr(step, "operations", ())):
        return not found.missing and not found.differences  # the rest of tables made before
    problems = [
        f"{where}: the table {name} is missing, while others of it exist." for name in found.missing
    ]
    problems += [
        f"{where}: the table {name} is not as the migration says: {line}."
        for name, lines in found.differences.items()
        for line in lines
    ]
    if problems:
        raise ImproperlyConfigured.of(problems)
    return True
