"""`sqlmigrate` prints a migration's SQL, without a database."""

from types import SimpleNamespace

import pytest

from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.management.commands import sqlmigrate
from tests.migrations.support import project

__all__ = ["project"]

FILES = {
    "0001_old": """
        def up(migrator, db):
            pass
    """,
    "0002_age": """
        from msframework.migrations import AddColumn, Column

        operations = (AddColumn("users", Column("age", "integer"), fill="0"),)
        state = ()
    """,
    "0003_rows": """
        from msframework.migrations import Run

        atomic = False
        operations = (Run("SELECT 1", "SELECT 2"), Run("SELECT 3"))
    """,
}


@pytest.fixture
def print_sql(project):
    """Runs the command; gives what it prints."""
    for name, text in FILES.items():
        project.write(f"shop/users/migrations/{name}.py", text)
    project.write("shop/broken/migrations/0001_initial.py", "operations = 7\n")
    project.write("shop/classes/migrations.py", CLASSES)
    said = []
    apps = ("shop.users", "shop.broken", "shop.classes")
    handed = SimpleNamespace(
        settings=Settings(module="site", installed_apps=apps), echo=said.append
    )

    def run(*arguments):
        sqlmigrate.command.main(
            list(arguments), prog_name="sqlmigrate", obj=handed, standalone_mode=False
        )
        (text,) = said
        return text

    return run


CLASSES = """
    from peewee import Model

    from msframework.migrations import MigrationModel

    class Shoe(Model):
        pass

    class ShoeMigration(MigrationModel):
        _model = Shoe
"""


def test_the_sql_of_a_migration_is_printed_by_the_beginning_of_its_name(print_sql):
    assert print_sql("users", "0002").splitlines() == [
        "-- users.0002_age",
        "\\set ON_ERROR_STOP on",
        "",
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


def test_python_stands_in_a_comment(print_sql):
    assert "\n-- Python: up(database)\n" in print_sql("users", "0001")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("users", "0001", "--backwards"), "users.0001_old cannot be taken back: give the file"),
        (("users", "0003", "--backwards"), r"operation 2 \(run SELECT 3\) is not reversible"),
        (("users", "0009"), "users has no migration '0009'"),
        (("users", "zero"), "'zero' is no migration"),
        (("hats", "0001"), "There is no app 'hats'"),
        (("broken", "0001"), "operations is 7"),
        (("classes", "Shoe"), r"classes.Shoe.initial is a version of a class"),
    ],
)
def test_what_has_no_sql_says_why(print_sql, arguments, message):
    with pytest.raises(ImproperlyConfigured, match=message):
        print_sql(*arguments)
