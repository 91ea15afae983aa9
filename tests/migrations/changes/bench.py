"""A project of apps, two databases, and the way from one to the other."""

import gc
import importlib
import sys
from contextlib import contextmanager

import psycopg
from playhouse.postgres_ext import Psycopg3Database

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.declared import describe, read_models, table_name
from msframework.migrations.difference import find_operations
from msframework.migrations.fills import model_fills
from msframework.migrations.operations.program import wants_steps
from msframework.migrations.renames import GivenAnswers
from msframework.migrations.schema import SchemaState
from tests.migrations import catalog_rows
from tests.migrations.pg_catalog import create_by_peewee
from tests.migrations.snapshot import take_snapshot
from tests.migrations.support import Project

_WIPE = """
    DO $$ DECLARE name text; BEGIN
      FOR name IN SELECT nspname FROM pg_namespace
                  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
      END LOOP;
    END $$;
    CREATE SCHEMA public;
"""
_OPTIONS = {
    "--rename": "renames",
    "--drop": "drops",
    "--fill": "fills",
    "--using": "usings",
}
TOP = "market"


@contextmanager
def open_bench(server_url, root):
    """Give a bench with databases of its own."""
    names = ("changes_migrated", "changes_made")
    with psycopg.connect(server_url, autocommit=True) as admin:
        for name in names:
            admin.execute(f"CREATE DATABASE {name}")
        try:
            urls = [server_url.replace("@/postgres?", f"@/{name}?") for name in names]
            root.mkdir(exist_ok=True)
            bench = Bench(*urls, root)
            sys.path.insert(0, str(root))
            gc.collect()
            gc.freeze()
            try:
                yield bench
            finally:
                gc.unfreeze()
                bench.close()
                sys.path.remove(str(root))
        finally:
            for name in names:
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Bench:
    """Models that are written again and again, and the databases that follow.

    Args:
        url: the database that is migrated.
        made_url: the one in which peewee makes the tables directly.
    """

    def __init__(self, url, made_url, root):
        self.url, self.made_url = url, made_url
        self.project = Project(root)
        self.connection = psycopg.connect(url, autocommit=True)
        self.made = Psycopg3Database(made_url)
        self.made.connect()

    def close(self):
        """Close what is open."""
        self.project.forget()
        self.connection.close()
        self.made.close()

    def clear(self, apps):
        """Begin anew, with empty databases and no models."""
        self.connection.execute(_WIPE)
        self.apps = tuple(apps)
        self.states = [SchemaState()]
        self.done = []

    def write(self, texts):
        """Write the models of the apps, and forget those before."""
        for app in self.apps:
            self.project.write(f"{TOP}/{app}/models.py", texts.get(app, ""))
        self.project.forget()
        gc.collect()  # peewee finds models through the subclasses of its own
        importlib.invalidate_caches()

    def models(self):
        """Return the models as they are written."""
        return [model for app in self.apps for model in read_models(f"{TOP}.{app}")]

    def make(self, *options):
        """Run `makemigrations`; return its exit code, and what it said."""
        models = self.models()
        given = {name: [] for name in _OPTIONS.values()}
        for option, value in zip(options[::2], options[1::2], strict=True):
            given[_OPTIONS[option]].append(value)
        answers = GivenAnswers(**given, defaults=model_fills(models, table_name))
        try:
            state = describe(models)
            found = find_operations(self.states[-1], state, answers)
            answers.finish()
        except ImproperlyConfigured as exc:
            return 1, str(exc)
        if not found:
            return 0, "agree"
        self.pending = found
        self.states.append(state)
        return 0, "\n".join(each.describe() for each in found)

    def check(self):
        """Say whether `makemigrations --check` is green."""
        before, told = list(self.states), self.make()
        self.states = before
        return told == (0, "agree")

    def migrate(self):
        """Run `migrate`."""
        catalog_rows.run(self.connection, self.pending, wants_steps(self.pending))
        self.done.append(self.pending)

    def back(self):
        """Take the last migration back."""
        self.pending = self.done.pop()
        found = catalog_rows.reverse(self.pending)
        catalog_rows.run(self.connection, found, wants_steps(found))

    def written_faults(self):
        """Return what is wrong with the files that were written."""
        return []

    def query(self, statement):
        """Return the rows that a statement finds in the migrated database."""
        return self.connection.execute(statement).fetchall()

    def rows(self):
        """Return all rows of all tables, by the table."""
        found = {}
        for model in self.models():
            name = table_name(model)
            quoted = ".".join(f'"{each}"' for each in name.split("."))
            lines = self.query(f"SELECT to_jsonb(t)::text FROM {quoted} AS t")
            found[name] = sorted(text for (text,) in lines)
        return found

    def snapshot(self, comments=False):
        """Return what `pg_catalog` says of the migrated database."""
        return take_snapshot(self.url, comments=comments)

    def made_snapshot(self, by_hand=""):
        """Return what it says where peewee has made the tables of the models."""
        self.made.execute_sql(_WIPE.replace("%", "%%"))
        create_by_peewee(self.made, self.models())
        if by_hand:
            self.made.execute_sql(by_hand.replace("%", "%%"))
        return take_snapshot(self.made_url, comments=False)
