import re
from pathlib import Path

import pytest

from msframework.conf.settings import DatabaseSettings, Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.management.commands import inspectdb, makemigrations, migrate
from tests.migrations.snapshot import compare_snapshots, take_snapshot

DDL = """
    CREATE SCHEMA shop;
    CREATE TABLE users (id serial PRIMARY KEY, name varchar(40) NOT NULL);
    CREATE TABLE shop.notes (
        id serial, author_id int REFERENCES users ON DELETE CASCADE,
        at date, text text, CONSTRAINT noted PRIMARY KEY (id)
    );
    CREATE TABLE shop.logs (at date, n int CHECK (n > 0)) PARTITION BY LIST (n);
    CREATE TABLE shop.logs_1 PARTITION OF shop.logs FOR VALUES IN (1);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER touch BEFORE INSERT ON shop.notes FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE STATISTICS shop.both ON author_id, text FROM shop.notes;
    CREATE POLICY mine ON users USING (true);
    ALTER TABLE shop.notes ADD again int,
        ADD CONSTRAINT fresh FOREIGN KEY (again) REFERENCES users NOT VALID;
    CREATE RULE nothing AS ON DELETE TO users DO INSTEAD NOTHING;
    CREATE UNLOGGED TABLE users_cache (id int);
"""
USERS = '''"""Models of the tables of a database, written by `manage.py inspectdb`."""

from msframework.models import AutoField, CharField, Model


# In the database only: a policy of row security: mine
# In the database only: a rule: CREATE RULE nothing AS ON DELETE TO users DO INSTEAD NOTHING;
class Users(Model):
    id = AutoField()
    name = CharField(max_length=40)

    class Meta:
        table_name = "users"
'''
SHOP = '''"""Models of the tables of a database, written by `manage.py inspectdb`."""

from msframework.models import SQL, AutoField, Check, DateField, IntegerField, Model, TextField


# In the database only: a partition: shop.logs_1
class Logs(Model):
    at = DateField(null=True)
    n = IntegerField(null=True, constraints=[Check("n > 0")])

    class Meta:
        table_name = "logs"
        schema = "shop"
        primary_key = False
        table_settings = ["PARTITION BY LIST (n)"]


# In the database only: a trigger: CREATE TRIGGER touch BEFORE INSERT ON shop.notes FOR EACH ROW
# EXECUTE FUNCTION touch()
# In the database only: fresh is not validated
# In the database only: statistics: CREATE STATISTICS shop."both" ON author_id, text FROM shop.notes
# In the database only: CONSTRAINT noted PRIMARY KEY (id). A model calls it notes_pkey.
class Notes(Model):
    id = AutoField()
    author_id = IntegerField(null=True)
    at = DateField(null=True)
    text = TextField(null=True)
    again = IntegerField(null=True)

    class Meta:
        table_name = "notes"
        schema = "shop"
        constraints = [
            SQL("CONSTRAINT fresh FOREIGN KEY (again) REFERENCES users (id)"),
            SQL("FOREIGN KEY (author_id) REFERENCES users (id) ON DELETE CASCADE"),
        ]
'''


class Handed:
    """What the command line hands to a command."""

    def __init__(self, url, apps=()):
        database = DatabaseSettings(url=url)
        self.settings = Settings(module="x", database=database, installed_apps=apps)
        self.said, self.errors = [], []

    def echo(self, message="", *, err=False, **style):
        (self.errors if err else self.said).append(message)


@pytest.fixture
def inspect(url, query):
    """Runs the command on a database that has the tables of DDL; gives what it prints."""
    query(DDL)

    def run(*arguments, apps=()):
        handed = Handed(url, apps)
        inspectdb.command.main(list(arguments), prog_name="x", obj=handed, standalone_mode=False)
        assert handed.errors == []
        return "\n".join(handed.said) + "\n"

    return run


def test_tables_are_printed_as_models(inspect):
    assert inspect("users") == USERS
    assert inspect("--schema", "shop") == SHOP
    assert inspect("--schema", "shop", "notes", "shop.logs") == SHOP
    everything = inspect()
    assert [line for line in everything.splitlines() if line.startswith("class ")] == [
        "class Logs(Model):",
        "class Users(Model):",
        "class Notes(Model):",
        "class UsersCache(Model):",
    ]
    assert "    author = ForeignKeyField(\n        Users,\n" in everything


def test_types_and_sequences_that_no_model_declares_are_remarks(inspect, query):
    query(
        """
        CREATE DOMAIN few AS integer CHECK (VALUE < 9);
        CREATE TYPE "Mood" AS ENUM ('ok');
        CREATE TYPE mode AS ENUM ('on');
        CREATE TABLE things (
            few few, moods "Mood"[], mode mode, modes mode[], id serial,
            number integer GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 5)
        );
        """
    )
    remark = "# In the database only: "

    assert [line for line in inspect("things").splitlines() if line.startswith(remark)] == [
        f"{remark}a type that no migration makes: few few",
        f'{remark}a type that no migration makes: moods "Mood"[]',
        f"{remark}the sequence of number: START 100 INCREMENT 5",
    ]


def test_tables_that_have_models_are_left_out_for_an_app(inspect, project):
    project.write(
        "realm/people/models.py",
        """
        from msframework.models import CharField, Model

        class Person(Model):
            name = CharField(max_length=40)

            class Meta:
                table_name = "users"
        """,
    )
    project.write(
        "realm/notes/models.py",
        """
        from msframework.models import IntegerField, Model

        class Log(Model):
            n = IntegerField(primary_key=True)

            class Meta:
                table_name = "logs"
                schema = "shop"
        """,
    )
    apps = ("realm.people", "realm.notes")

    printed = inspect("--app", "notes", apps=apps)

    assert [line for line in printed.splitlines() if line.startswith("class ")] == [
        "class Notes(Model):",
        "class UsersCache(Model):",
    ]
    assert "from realm.people.models import Person\n" in printed
    assert "    author = ForeignKeyField(\n        Person,\n" in printed
    assert "author = ForeignKeyField(\n        Person,\n" in inspect(
        "shop.notes", "--app", "realm.notes", apps=apps
    )
    assert "class Users(Model)" in inspect("users", "--app", "notes", apps=apps)
    with pytest.raises(ImproperlyConfigured, match="no app 'x'; INSTALLED_APPS has people, notes"):
        inspect("--app", "x", apps=apps)
    project.write(
        "realm/rest/models.py",
        """
        from msframework.models import Model

        class Note(Model):
            class Meta:
                table_name = "notes"
                schema = "shop"
        """,
    )
    with pytest.raises(ImproperlyConfigured, match="Every table has a model already"):
        inspect("--app", "notes", "--schema", "shop", apps=(*apps, "realm.rest"))


WRONG = [
    (["user"], r"The database has no table 'user'\. Did you mean users\?"),
    (["notes", "x"], r"no table 'notes'\. Did you mean shop\.notes\?.*no table 'x'\. It has"),
    (["zzzzz"], r"It has shop\.logs, shop\.notes, users, users_cache\."),
    (["--schema", "shop", "users"], "no table 'shop.users'"),
    (["--schema", "nowhere"], "'nowhere' has no tables. There are tables in public, shop."),
]


def test_an_unknown_table_is_named(inspect):
    for arguments, message in WRONG:
        with pytest.raises(ImproperlyConfigured, match=f"(?s){message}"):
            inspect(*arguments)


def test_a_database_without_tables_says_so(url):
    with pytest.raises(ImproperlyConfigured, match="The database has no tables"):
        inspectdb.command.main([], obj=Handed(url), standalone_mode=False)


def test_help_says_what_is_printed(capsys):
    inspectdb.command.main(["--help"], prog_name="inspectdb", standalone_mode=False)

    assert "Print a module of models for all tables of the database" in capsys.readouterr().out


def test_an_error_shows_no_secret():
    handed = Handed("postgresql://me:hidden-word@127.0.0.1:1/x")

    with pytest.raises(ImproperlyConfigured, match="PostgreSQL cannot be reached") as caught:
        inspectdb.command.main([], obj=handed, standalone_mode=False)

    assert "hidden-word" not in str(caught.value)


PAGE = Path(__file__).resolve().parents[2] / "docs" / "concepts" / "existing.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def manage(url, query, project, monkeypatch):
    """Runs a command for the app `realm.shop`, on the page's tables; gives its code and output."""
    query(blocks("sql")[0])
    monkeypatch.chdir(project.root)
    handed = Handed(url, ("realm.shop",))
    project.write("realm/shop/__init__.py", "")

    def run(module, *arguments):
        handed.said.clear()
        code = module.command.main(list(arguments), obj=handed, standalone_mode=False)
        project.forget()
        return code or 0, "\n".join(handed.said) + "\n"

    return run


def test_an_existing_database_is_adopted_as_its_page_says(manage, project, url, recorded):
    code, printed = manage(inspectdb, "--app", "shop")
    assert (code, printed) == (0, blocks("python")[0])
    project.write("realm/shop/models.py", printed)
    before = take_snapshot(url)

    assert manage(makemigrations, "--adopt", "shop")[0] == 0
    assert manage(migrate)[0] == 0
    assert recorded() == ["shop.0001_initial"]
    assert compare_snapshots(before, take_snapshot(url)) == []

    assert manage(makemigrations, "--check")[0] == 0
    assert manage(migrate, "shop", "zero")[0] == 0
    assert take_snapshot(url)["columns"] == []
    assert manage(migrate)[0] == 0
    assert compare_snapshots(before, take_snapshot(url)) == []


def test_tables_that_are_others_are_not_adopted(manage, project, query):
    project.write("realm/shop/models.py", blocks("python")[0])
    manage(makemigrations, "--adopt", "shop")
    query("ALTER TABLE users ALTER email TYPE text")
    query("ALTER TABLE shop.notes DROP CONSTRAINT notes_few_tags")

    with pytest.raises(ImproperlyConfigured, match=r"(?s)column email.*notes_few_tags"):
        manage(migrate)
