import click
import pytest

from msframework.conf.settings import DatabaseSettings, Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.management.commands import makemigrations
from msframework.migrations.runner import Runner
from tests.migrations.support import project, query, server_url, url

__all__ = ["project", "query", "server_url", "url"]

MODELS = """
    from peewee import CharField, IntegerField, Model

    class Shoe(Model):
        {fields}

        class Meta:
            table_name = "shoes"
"""
DIRECTORY = "market/shoes/migrations"


class Handed:
    """What a command is handed: settings without a database, and where it writes."""

    def __init__(self, *apps, url=None):
        database = DatabaseSettings(url=url)
        self.settings = Settings(module="configs", installed_apps=apps, database=database)
        self.said = []
        self.yellow = []

    def echo(self, message="", fg=None):
        self.said.append(str(message))
        if fg == "yellow":
            self.yellow.append(str(message))


@pytest.fixture
def handed():
    return Handed("market.shoes", "market.hats")


@pytest.fixture
def write(project, monkeypatch):
    """Writes the model of the shoes with these fields."""
    monkeypatch.chdir(project.root)
    project.write("market/hats/__init__.py", "")

    def run(*fields):
        project.write("market/shoes/models.py", MODELS.format(fields="\n        ".join(fields)))

    run("name = CharField()")
    return run


def make(handed, *arguments):
    handed.said.clear()
    code = makemigrations.command.main(list(arguments), obj=handed, standalone_mode=False)
    return code or 0, list(handed.said)


def test_a_database_is_not_needed(handed, write):
    assert make(handed, "--check") == (
        1,
        [f"Missing: {DIRECTORY}/0001_initial.py", "  create table shoes"],
    )
    assert make(handed)[1][0] == f"Wrote {DIRECTORY}/0001_initial.py"
    assert make(handed) == (
        0,
        [
            "No changes: the models are as the last migrations leave them (1 app). "
            "Not looked at: hats (no models)."
        ],
    )


def test_no_app_that_can_be_compared_is_told_from_no_changes(write):
    assert make(Handed("market.hats")) == (
        0,
        ["Nothing was compared. Not looked at: hats (no models)."],
    )


def test_a_dry_run_prints_the_text(handed, write, project):
    code, said = make(handed, "--dry-run")

    assert code == 0
    assert said[:2] == [f"Would write {DIRECTORY}/0001_initial.py", "  create table shoes"]
    assert said[2].startswith('"""Create table shoes."""\n')
    assert not (project.root / DIRECTORY).exists()


def test_options_answer_what_is_not_to_be_guessed(handed, write):
    make(handed)
    write("label = CharField()", "size = CharField()")

    with pytest.raises(ImproperlyConfigured, match=r"--rename shoes\.name:label"):
        make(handed, "--fill", "shoes.size='43'")
    code, said = make(handed, "--rename", "shoes.name:label", "--fill", "shoes.size='43'")

    assert (code, said) == (
        0,
        [
            f"Wrote {DIRECTORY}/0002_rename_name_to_label_add_size.py",
            "  rename column name of shoes to label",
            "  add column size to shoes",
        ],
    )


def test_a_text_that_lost_its_quotes_in_the_shell_is_refused(handed, write, project):
    make(handed)
    write("name = CharField()", "size = CharField()")

    with pytest.raises(ImproperlyConfigured, match="the value big is no column of shoes"):
        make(handed, "--fill", "shoes.size=big")

    assert len(list((project.root / DIRECTORY).glob("0*"))) == 1
    make(handed, "--fill", "shoes.size=name")


def test_a_check_asks_nothing(handed, write):
    make(handed)
    write("label = CharField()", "size = CharField()")

    code, said = make(handed, "--check")

    assert code == 1
    assert said[0].startswith(f"Missing: {DIRECTORY}/0002_")


def test_what_loses_data_is_yellow(handed, write):
    write("name = CharField()", "size = CharField(null=True, index=True)")
    make(handed)
    write("name = CharField()")

    make(handed)

    (line,) = handed.yellow
    assert line.startswith("  drop column size of shoes (its values are lost")


@pytest.fixture
def terminal(monkeypatch):
    """Answers of a person at a terminal, in their order; gives the questions."""

    def answer(*answers):
        left, asked = list(answers), []

        def reply(text, **more):
            asked.append(text)
            return left.pop(0)

        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        monkeypatch.setattr(click, "confirm", reply)
        monkeypatch.setattr(click, "prompt", reply)
        return asked

    return answer


def test_a_person_at_a_terminal_is_asked(handed, write, terminal):
    make(handed)
    write("label = CharField()", "size = CharField()")
    asked = terminal(True, "'43'")

    with pytest.raises(ImproperlyConfigured, match=r"--rename"):
        make(handed, "--no-input")
    _, said = make(handed)

    assert asked[0] == "Was the column name of shoes renamed to label?"
    assert asked[1] == (
        "shoes.size (varchar(255)) is NOT NULL. Value for existing rows, as SQL, such as '…'"
    )
    assert said[0] == f"Wrote {DIRECTORY}/0002_rename_name_to_label_add_size.py"


def test_the_files_of_good_apps_are_written_beside_bad_ones(write, project):
    handed = Handed("market.shoes", "market.boots")
    project.write("market/boots/migrations/0001_initial.py", "operation = ()\n")

    with pytest.raises(ImproperlyConfigured, match=r"Did you mean operations\?"):
        make(handed)

    assert handed.said[0] == f"Wrote {DIRECTORY}/0001_initial.py"
    with pytest.raises(ImproperlyConfigured, match=r"Did you mean operations\?"):
        make(handed, "boots")
    with pytest.raises(ImproperlyConfigured, match=r"Did you mean operations\?"):
        make(handed, "--check")


def test_branches_are_joined(handed, write, project):
    make(handed)
    for name in ("a", "b"):
        project.write(
            f"{DIRECTORY}/0002_{name}.py", "operations = ()\ndepends = ('shoes.0001_initial',)\n"
        )

    with pytest.raises(ImproperlyConfigured, match="makemigrations --merge shoes"):
        make(handed)
    assert make(handed, "--merge", "--check") == (
        1,
        [f"Missing: {DIRECTORY}/0003_merge.py", "  join 0002_a, 0002_b"],
    )
    assert make(handed, "--merge")[1][0] == f"Wrote {DIRECTORY}/0003_merge.py"
    assert make(handed, "--merge") == (0, ["Nothing to merge: each app has one last file."])


def test_options_that_exclude_each_other_are_refused(handed, write):
    for options in (["--merge", "--empty"], ["--check", "--dry-run"], ["--empty"]):
        with pytest.raises(click.UsageError):
            make(handed, *options)


def test_apps_that_were_compared_with_the_database_are_named(write, project, url):
    handed = Handed("market.shoes", url=url)
    project.write(
        f"{DIRECTORY}/0001_initial.py",
        """
        def up(migrator, db):
            db.execute_sql("CREATE TABLE shoes (id serial PRIMARY KEY, name varchar(255) NOT NULL)")
        """,
    )

    assert make(handed) == (
        0,
        [
            "No changes: the models are as the last migrations leave them (1 app). Compared with "
            "the database, as none of their files has a state: shoes."
        ],
    )


def test_what_no_model_has_is_named_and_left_alone_without_a_state(write, project, url):
    handed = Handed("market.shoes", "market.hats", url=url)
    project.write("market/hats/migrations/0001_initial.py", "def up(migrator, db):\n    pass\n")
    project.write(
        f"{DIRECTORY}/0001_initial.py",
        """
        def up(migrator, db):
            db.execute_sql("CREATE TABLE hats (id serial PRIMARY KEY)")
            db.execute_sql("CREATE SCHEMA depot CREATE TABLE boxes ()")
            db.execute_sql(
                "CREATE TABLE shoes (id serial PRIMARY KEY, name varchar(255) NOT NULL DEFAULT 'a' "
                "CONSTRAINT named CHECK (name <> ''), two text GENERATED ALWAYS AS ('2') STORED, "
                "hat integer CONSTRAINT shoes_hat REFERENCES hats)"
            )
            db.execute_sql("CREATE UNIQUE INDEX shoes_lower ON shoes (lower(name))")
        """,
    )
    write("name = CharField()", "hat = IntegerField(null=True)")

    code, said = make(handed, "--check")

    assert code == 0
    assert said[0].endswith("Not looked at: hats (no models, and its files carry no state).")
    assert said[1].startswith("No model has the following, and no file says who made it")
    assert said[2:] == [
        "  DEFAULT 'a'::character varying of shoes.name",
        "  shoes.two (text GENERATED ALWAYS AS ('2'::text))",
        "  CONSTRAINT named CHECK (name::text <> ''::text) of shoes",
        "  CONSTRAINT shoes_hat FOREIGN KEY (hat) REFERENCES hats (id) of shoes",
        "  UNIQUE INDEX shoes_lower ON shoes (lower(name::text))",
        "  the table hats",
    ]
    assert make(handed)[0] == 0
    assert not (project.root / DIRECTORY / "0002_follow.py").exists()


def test_nothing_that_stands_is_nothing_to_adopt(write, url):
    handed = Handed("market.shoes", url=url)

    with pytest.raises(ImproperlyConfigured, match="There is nothing to adopt"):
        make(handed, "--adopt")


def test_a_model_that_moves_to_another_app_is_not_adopted(write, project, url):
    handed = Handed("market.shoes", "market.hats", url=url)
    make(handed)
    Runner(url, ["market.shoes"]).migrate()
    project.write("market/shoes/models.py", "")
    project.write("market/hats/models.py", MODELS.format(fields="name = CharField()"))

    with pytest.raises(ImproperlyConfigured, match="Migrations of shoes have made shoes"):
        make(handed, "hats", "--adopt")
    with pytest.raises(ImproperlyConfigured, match="made by migrations of shoes, which is not"):
        make(handed, "hats")
    _, said = make(handed)
    assert said[1] == "  note what the models say"
    assert not any("drop" in each for each in said)
