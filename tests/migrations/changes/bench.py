"""A project of apps, two databases, and the way from one to the other."""

import gc
import importlib
import shutil
import sys
from contextlib import contextmanager

import psycopg
from playhouse.postgres_ext import Psycopg3Database

from msframework.conf.settings import DatabaseSettings, Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.management.commands import makemigrations, migrate
from msframework.migrations.declared import read_models, table_name
from msframework.migrations.files import read_files
from msframework.migrations.migration_file import read_content, read_module_state
from msframework.migrations.source import render
from tests.migrations.pg_catalog import create_by_peewee
from tests.migrations.snapshot import read_snapshot
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
TOP = "market"


@contextmanager
def open_bench(server_url, root):
    """Give a bench with databases of its own."""
    names = ("changes_migrated", "changes_made")
    with psycopg.connect(server_url, autocommit=True) as admin:
        for name in names:
            admin.execute(f"CREATE DATABASE {name} STRATEGY file_copy")
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
        self.url = url
        self.project = Project(root)
        self.said = []
        self.connection = psycopg.connect(url, autocommit=True, prepare_threshold=None)
        self.made = Psycopg3Database(made_url)
        self.made.connect()

    def close(self):
        """Close what is open."""
        self.project.forget()
        self.connection.close()
        self.made.close()

    def clear(self, apps, tenant=None):
        """Begin anew, with empty databases and no models.

        Args:
            tenant: the schema of the search path, if it is not the usual one.
        """
        self.tenant = tenant
        self._wipe(self.connection.execute)
        self.apps = tuple(apps)
        path = f"&options=-csearch_path%3D{tenant}" if tenant else ""
        self.settings = Settings(
            module=f"{TOP}.configs",
            installed_apps=tuple(f"{TOP}.{app}" for app in apps),
            database=DatabaseSettings(url=self.url + path),
        )
        shutil.rmtree(self.project.root / TOP, ignore_errors=True)

    def _wipe(self, execute):
        execute(_WIPE)
        if self.tenant:
            execute(f"CREATE SCHEMA {self.tenant}")
        execute(f"SET search_path TO {self.tenant or 'DEFAULT'}")

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

    def run(self, command, *arguments):
        """Run a command of `manage.py` as one does at a desk; return its code and what it said."""
        self.said.clear()
        try:
            code = command.main(list(arguments), command.name, obj=self, standalone_mode=False)
        except ImproperlyConfigured as exc:
            return 1, str(exc)
        return code or 0, "\n".join(self.said)

    def echo(self, message="", **style):
        """Take what a command says."""
        self.said.append(str(message))

    def override(self, values):
        """Take options of the command line, which no change gives."""

    def make(self, *options):
        """Run `makemigrations`."""
        return self.run(makemigrations.command, *options)

    def check(self):
        """Say whether `makemigrations --check` is green, and what it says."""
        code, said = self.make("--check")
        return not code, said

    def migrate(self):
        """Run `migrate`.

        Raises:
            ImproperlyConfigured: it fails.
        """
        code, said = self.run(migrate.command)
        if code:
            raise ImproperlyConfigured(said)

    def files(self):
        """Return the files of migrations, by their apps."""
        root = self.project.root / TOP
        found = {app: sorted((root / app / "migrations").glob("0*.py")) for app in self.apps}
        return {app: [path.stem for path in paths] for app, paths in found.items()}

    def back(self, files):
        """Take back what is not among *files*.

        Raises:
            ImproperlyConfigured: it fails.
        """
        now = self.files()
        for app in (each for each in reversed(self.apps) if now[each] != files[each]):
            code, said = self.run(migrate.command, app, (["zero"] + files[app])[-1])
            if code:
                raise ImproperlyConfigured(said)

    def written_faults(self, known=None):
        """Return what is wrong with the files but those *known*: they must be made again the same.

        Args:
            known: the files that were looked at before, by their apps.
        """
        faults = []
        for app in self.apps:
            for file in read_files(f"{TOP}.{app}"):
                if known and file.path.stem in known[app]:
                    continue
                text = file.path.read_text()
                if _written_again(file) != text:
                    faults.append(f"{file.path} is not made again the same:\n{text}")
                faults += [f"{file.path}: {line}" for line in text.splitlines() if len(line) > 100]
        return faults

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
        return read_snapshot(self.connection, comments=comments)

    def made_snapshot(self, by_hand=""):
        """Return what it says where peewee has made the tables of the models."""
        self._wipe(lambda text: self.made.execute_sql(text.replace("%", "%%")))
        create_by_peewee(self.made, self.models())
        if by_hand:
            self.made.execute_sql(by_hand.replace("%", "%%"))
        return read_snapshot(self.made.connection(), comments=False)


def _written_again(file):
    """Return the text of what is read from a file."""
    content = read_content(file)
    module = content.module
    state, atomic = read_module_state(module), getattr(module, "atomic", True)
    depends = getattr(module, "depends", ())
    return render(module.__doc__, depends, atomic, content.operations, state)
