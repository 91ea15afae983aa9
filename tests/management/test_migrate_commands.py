import os
import shutil
import subprocess
import sys

import click
import pytest

from msframework.db.embedded import EmbeddedServer
from msframework.db.home import find_home
from msframework.exceptions import ImproperlyConfigured
from tests.migrations.support import (
    clean_environment,
    columns,
    project,
    query,
    recorded,
    server_url,
    url,
)

__all__ = ["clean_environment", "columns", "project", "query", "recorded", "server_url", "url"]

MODELS = """
    from peewee import CharField, Model

    class Shoe(Model):
        name = CharField()

        class Meta:
            table_name = "shoes"
"""


class Handed:
    """What a command is handed: settings, and where it writes."""

    def __init__(self, settings):
        self.settings = settings
        self.said = []

    def echo(self, message="", **style):
        self.said.append(str(message))


@pytest.fixture
def handed(project, url):
    from msframework.conf.settings import DatabaseSettings, Settings

    project.write("market/shoes/models.py", MODELS)
    project.write("market/hats/__init__.py", "")
    settings = Settings(
        module="market.configs",
        installed_apps=("market.shoes", "market.hats"),
        database=DatabaseSettings(url=url),
    )
    return Handed(settings)


@pytest.fixture
def manage(handed, monkeypatch, project):
    """Runs a command as the command line does; gives its exit code and what it said."""
    from msframework.management.commands import db, makemigrations, migrate, showmigrations

    monkeypatch.chdir(project.root)
    commands = {
        "db": db.command,
        "makemigrations": makemigrations.command,
        "migrate": migrate.command,
        "showmigrations": showmigrations.command,
    }

    def run(name, *arguments):
        handed.said.clear()
        code = commands[name].main(
            list(arguments), prog_name=name, obj=handed, standalone_mode=False
        )
        return code or 0, list(handed.said)

    return run


PATH = "market/shoes/migrations/0001_initial.py"


def test_from_models_to_tables_and_back(manage, columns):
    assert manage("makemigrations", "--check") == (1, [f"Missing: {PATH}", "  create table shoes"])
    assert manage("makemigrations") == (0, [f"Wrote {PATH}", "  create table shoes"])
    assert manage("makemigrations", "--check") == (
        0,
        [
            "No changes: the models are as the last migrations leave them (1 app). "
            "Not looked at: hats (no models)."
        ],
    )
    assert manage("migrate", "--plan") == (
        0,
        ["Would apply shoes.0001_initial", "  create table shoes"],
    )
    assert manage("migrate") == (0, ["Applying shoes.0001_initial (1 of 1)"])
    assert columns("shoes") == ["id", "name"]
    assert manage("migrate") == (0, ["Nothing to migrate."])
    assert manage("migrate", "shoes", "zero") == (0, ["Taking back shoes.0001_initial (1 of 1)"])
    assert columns("shoes") == []


def test_check_lists_what_is_pending_and_changes_nothing(manage, project, columns, query):
    project.write(
        PATH,
        """
        from msframework.migrations import Column, CreateTable, Run, Table

        operations = (
            CreateTable(Table("shoes", (Column("id", "integer"),))),
            Run("CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS value"),
        )
        """,
    )

    assert manage("migrate", "--check") == (
        1,
        [
            "Pending: shoes.0001_initial",
            "  create table shoes",
            "  run CREATE TABLE seen AS SELECT current_setting('lock_timeout...",
        ],
    )
    assert columns("shoes") == []
    manage("migrate", "--lock-timeout", "0.5")
    assert query("SELECT value FROM seen") == [("500ms",)]
    assert manage("migrate", "shoes", "--check") == (0, ["Nothing to migrate."])
    with pytest.raises(click.UsageError, match="--check goes without"):
        manage("migrate", "shoes", "0001", "--check")


def test_fake_changes_the_record_only(manage, columns, recorded):
    manage("makemigrations")

    assert manage("migrate", "--fake") == (0, ["Recording shoes.0001_initial as applied (1 of 1)"])

    assert recorded() == ["shoes.0001_initial"]
    assert columns("shoes") == []


def test_an_empty_migration_needs_no_database(manage, handed, project):
    code, said = manage("makemigrations", "shoes", "--empty", "--name", "fill")

    assert (code, said) == (0, ["Wrote market/shoes/migrations/0001_fill.py"])
    import click

    with pytest.raises(click.UsageError, match="needs an APP"):
        manage("makemigrations", "--empty")


def test_tables_that_stand_already_are_adopted(manage, query, columns, recorded):
    query("CREATE TABLE shoes (id serial PRIMARY KEY, size int)")

    with pytest.raises(ImproperlyConfigured, match="--adopt shoes"):
        manage("makemigrations")
    assert manage("makemigrations", "--adopt") == (0, [f"Wrote {PATH}", "  adopt table shoes"])
    assert manage("migrate") == (0, ["Recording shoes.0001_initial as applied (1 of 1)"])

    _, said = manage("makemigrations", "--fill", "shoes.name='x'", "--drop", "shoes.size")
    assert said[0] == "Wrote market/shoes/migrations/0002_add_name_drop_size.py"
    manage("migrate")
    assert columns("shoes") == ["id", "name"]
    with pytest.raises(ImproperlyConfigured, match="shoes has migrations already"):
        manage("makemigrations", "shoes", "--adopt")


def test_what_was_adopted_is_made_where_it_does_not_stand(manage, query, columns):
    query("CREATE TABLE shoes (id serial PRIMARY KEY, name varchar(255) NOT NULL)")
    manage("makemigrations", "--adopt")
    query("DROP TABLE shoes")

    assert manage("migrate") == (0, ["Applying shoes.0001_initial (1 of 1)"])
    assert columns("shoes") == ["id", "name"]


def test_what_was_adopted_must_stand_as_it_was(manage, query):
    query("CREATE TABLE shoes (id serial PRIMARY KEY, name varchar(255) NOT NULL)")
    manage("makemigrations", "--adopt")
    query("ALTER TABLE shoes ALTER name TYPE text")

    with pytest.raises(ImproperlyConfigured, match="the table shoes is not as the migration says"):
        manage("migrate")


def test_showmigrations_lists_each_app(manage, project):
    manage("makemigrations")
    manage("makemigrations", "shoes", "--empty", "--name", "fill")
    (project.root / PATH).write_text('author = "ada"\n' + (project.root / PATH).read_text())
    manage("migrate", "shoes", "0001")
    (project.root / "market/shoes/migrations/0002_fill.py").rename(
        project.root / "market/shoes/migrations/0003_fill.py"
    )

    code, said = manage("showmigrations")

    assert code == 0
    assert [line[:22] for line in said] == [
        "shoes",
        "  [x] 0001_initial  20",
        "  [ ] 0003_fill",
        "hats",
        "  (no migrations)",
    ]
    assert said[1].endswith("  ada")
    assert manage("showmigrations", "market.hats")[1] == ["hats", "  (no migrations)"]
    with pytest.raises(ImproperlyConfigured, match="There is no app 'boots'"):
        manage("showmigrations", "boots")


def test_two_last_migrations_are_listed_and_said(manage, project):
    manage("makemigrations")
    for name in ("0002_a", "0002_b"):
        text = 'depends = ("shoes.0001_initial",)\noperations = ()\n'
        (project.root / f"market/shoes/migrations/{name}.py").write_text(text)

    code, said = manage("showmigrations", "shoes")

    assert code == 0
    assert said[:4] == ["shoes", "  [ ] 0001_initial", "  [ ] 0002_a", "  [ ] 0002_b"]
    assert "shoes has 2 last migrations, as from separate branches" in said[4]


def test_a_lost_file_is_marked(manage, project):
    manage("makemigrations")
    manage("migrate")
    (project.root / PATH).unlink()

    assert manage("showmigrations", "shoes")[1][1].startswith("  [?] 0001_initial  20")


def test_apply_pending_says_what_it_did(handed, manage):
    from msframework.management.commands.migrate import apply_pending

    manage("makemigrations")
    said = []

    apply_pending(handed.settings, said.append)
    apply_pending(handed.settings, said.append)

    assert said == ["Applying shoes.0001_initial (1 of 1)", "Applied 1 pending migration."]


def test_without_a_database_the_message_says_what_to_set(manage, handed):
    from msframework.conf.settings import Settings

    handed.settings = Settings(module="market.configs")

    with pytest.raises(ImproperlyConfigured, match="set DATABASE_URL"):
        manage("migrate")


@pytest.fixture
def embedded(project, handed):
    from msframework.conf.settings import Settings

    handed.settings = Settings(module="market.configs", debug=True)
    server = EmbeddedServer(project.root)
    yield server
    home = find_home(server.root)
    if home is not None:
        server.reset()
        shutil.rmtree(home.path)


def test_db_before_there_is_a_server(manage, embedded):
    assert manage("db", "status") == (0, ["never started here"])
    assert manage("db", "stop") == (0, ["It was not running."])
    assert manage("db", "reset") == (0, ["There is no embedded PostgreSQL here yet."])


def test_db_looks_after_the_embedded_server(manage, embedded, handed, monkeypatch):
    address = embedded.start()

    assert manage("db", "url") == (0, [address])
    assert manage("db", "status")[1][0].startswith("running\n")
    assert manage("db", "stop") == (0, ["Stopped the embedded PostgreSQL."])
    assert manage("db", "status")[1][0].startswith("stopped\n")

    asked = []
    monkeypatch.setattr("click.confirm", lambda text, abort: asked.append((text, abort)))
    manage("db", "reset")
    assert asked == [(f"Throw away all data in {embedded.status().data}?", True)]
    assert not embedded.status().data.exists()

    embedded.start()
    assert manage("db", "reset", "--yes")[1] == [
        "The data is gone; the next start begins with an empty server."
    ]
    assert len(asked) == 1


def test_db_status_says_when_the_services_use_another_database(manage):
    assert manage("db", "status")[1][-1].startswith("DATABASE_URL is set, so the services use")


def test_the_commands_hang_on_manage_py(project, handed, url, clean_environment):
    project.write(
        "market/configs.py", f"DATABASE_URL = {url!r}\nINSTALLED_APPS = ['market.shoes']\n"
    )
    environment = clean_environment | {"SANIC_CONFIG_MODULE": "market.configs"}

    def manage_py(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "msframework", *arguments],
            cwd=project.root,
            env=environment | {"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
        )

    made = manage_py("makemigrations")
    assert (made.returncode, made.stdout) == (0, f"Wrote {PATH}\n  create table shoes\n"), made
    assert manage_py("migrate").stdout == "Applying shoes.0001_initial (1 of 1)\n"
    wrong = manage_py("migrate", "boots")
    assert wrong.returncode == 1
    assert wrong.stderr == "Error: There is no app 'boots'; INSTALLED_APPS has shoes.\n"
