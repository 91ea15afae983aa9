"""What Django's makemigrations finds between pairs of models, for benchmarks.migrations_compared.

Runs in an environment of its own: reads pairs of texts as JSON, prints a list for each. An
operation that changes nothing in the database carries a note. With the argument `operations` it
prints the names of Django's operations.
"""

import json
import sys
from uuid import uuid4

import django
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

GIVEN = conninfo_to_dict(sys.argv[1])
settings.configure(
    INSTALLED_APPS=["django.contrib.postgres"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": GIVEN["dbname"],
            "USER": GIVEN["user"],
            "HOST": GIVEN["host"],
            "PORT": GIVEN.get("port", ""),
        }
    },
)
django.setup()

from django.apps.registry import Apps  # noqa: E402
from django.contrib.postgres import constraints, fields, indexes  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.db.migrations.autodetector import MigrationAutodetector  # noqa: E402
from django.db.migrations.graph import MigrationGraph  # noqa: E402
from django.db.migrations.questioner import MigrationQuestioner  # noqa: E402
from django.db.migrations.state import ModelState, ProjectState  # noqa: E402
from django.db.models import functions  # noqa: E402

YES = {"ask_initial": True, "ask_rename": True, "ask_rename_model": True}


def state(text):
    """Return the state of the models that *text* declares."""
    apps = Apps()
    names = {"models": models, "APPS": apps, "uuid4": uuid4, "__name__": "shop"}
    for module in (constraints, fields, indexes, functions):
        names |= {name: value for name, value in vars(module).items() if name[0].isupper()}
    exec(text, names)
    found = ProjectState()
    for model in apps.all_models["shop"].values():
        found.add_model(ModelState.from_model(model))
    return found


def see(before, after):
    """Return the names of the operations."""
    old, new = state(before), state(after)
    detector = MigrationAutodetector(old, new, MigrationQuestioner(YES))
    migrations = detector.changes(MigrationGraph()).get("shop", [])
    found, current = [], old
    for operation in (each for migration in migrations for each in migration.operations):
        changed = current.clone()
        operation.state_forwards("shop", changed)
        with connection.schema_editor(collect_sql=True, atomic=False) as editor:
            editor.deferred_sql = []
            try:
                operation.database_forwards("shop", editor, current, changed)
                silent = not (editor.collected_sql or editor.deferred_sql)
            except Exception as exc:
                found.append(f"{type(operation).__name__} (its SQL: {type(exc).__name__})")
                current = changed
                continue
        found.append(type(operation).__name__ + (" (no SQL)" if silent else ""))
        current = changed
    return found


def operations():
    """Return the names of Django's operations, and of those for PostgreSQL."""
    from django.contrib.postgres import operations as postgres
    from django.db.migrations import operations as general
    from django.db.migrations.operations.base import Operation

    found = list(general.__all__)
    for name, value in vars(postgres).items():
        own = isinstance(value, type) and value.__module__ == postgres.__name__
        if own and issubclass(value, Operation) and "Operation" not in name:
            found.append(name)
    return found


def main():
    """Answer for each pair."""
    if sys.argv[2:] == ["operations"]:
        json.dump(operations(), sys.stdout)
        return
    answers = []
    for pair in json.load(sys.stdin):
        try:
            answers.append(pair and see(*pair))
        except Exception as exc:
            answers.append(f"fails: {type(exc).__name__}: {str(exc).splitlines()[0][:60]}")
    json.dump(answers, sys.stdout)


main()
