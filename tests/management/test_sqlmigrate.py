"""`sqlmigrate` prints a migration's SQL, without a database."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.management.commands import sqlmigrate
from msframework.migrations import AddColumn, Column, Run


@dataclass
class Step:
    """A migration whose file was loaded."""

    name: str
    module: SimpleNamespace
    app: str = "users"
    depends: tuple = ()
    atomic: bool = True


def up(migrator, db):
    """Do what only Python can."""


STEPS = [
    Step("0001_old", SimpleNamespace(up=up)),
    Step(
        "0002_age", SimpleNamespace(operations=(AddColumn("users", Column("age", "integer"), "0"),))
    ),
    Step("0003_rows", SimpleNamespace(operations=[Run("SELECT 1", "SELECT 2"), Run("SELECT 3")])),
]


@pytest.fixture
def print_sql(monkeypatch):
    """Runs the command; gives what it prints."""
    monkeypatch.setattr(sqlmigrate, "read_steps", lambda apps: STEPS)
    said = []
    project = SimpleNamespace(
        settings=Settings(module="site", installed_apps=("shop.users",)), echo=said.append
    )

    def run(*arguments):
        sqlmigrate.command.main(
            list(arguments), prog_name="sqlmigrate", obj=project, standalone_mode=False
        )
        (text,) = said
        return text

    return run


def test_the_sql_of_a_migration_is_printed_by_the_beginning_of_its_name(print_sql):
    assert print_sql("users", "0002").splitlines()[3:] == [
        "BEGIN;",
        "",
        "-- add column age to users",
        "ALTER TABLE users ADD COLUMN age integer DEFAULT 0 NOT NULL;",
        "ALTER TABLE users ALTER COLUMN age DROP DEFAULT;",
        "",
        "COMMIT;",
    ]


def test_the_way_back_is_printed_too(print_sql):
    text = print_sql("shop.users", "0002_age", "--backwards")

    assert text.startswith("-- users.0002_age backwards\n")
    assert "ALTER TABLE users DROP COLUMN age;" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("users", "0001", "--backwards"), "users.0001_old has no operations and no down"),
        (("users", "0003", "--backwards"), "cannot be taken back: 'run SELECT 3' has no way back"),
        (("users", "0009"), "users has no migration '0009'"),
        (("users", "zero"), "'zero' is no migration"),
        (("hats", "0001"), "There is no app 'hats'"),
    ],
)
def test_what_has_no_sql_says_why(print_sql, arguments, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        print_sql(*arguments)


def test_python_stands_in_a_comment(print_sql):
    assert "\n-- Python: up(database)\n" in print_sql("users", "0001")
