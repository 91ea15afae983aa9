import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.draft import draft_changes, draft_empty
from msframework.migrations.files import read_state, read_steps
from msframework.migrations.runner import Runner
from msframework.migrations.squash import draft_squash

APPS = ("land.cities",)
MODELS = """
    from peewee import CharField, Model

    class City(Model):
        {fields}

        class Meta:
            table_name = "cities"
"""
FORWARD = '"""Change the data; `db` is a peewee database."""'


class Offline:
    apps = APPS

    def rehearsed(self):
        raise AssertionError("the database is not needed")


@pytest.fixture
def cities(project):
    """Writes the models of the cities with these fields, and the migration to them."""

    def write(*fields):
        text = MODELS.format(fields="\n        ".join(f"{each}" for each in fields))
        project.write("land/cities/models.py", text)
        for draft in draft_changes(Offline(), None, None):
            draft.write()

    write.root = project.root / "land/cities/migrations"
    return write


NAME, SIZE = "name = CharField()", 'size = CharField(default="big")'


def squash(first="0001", last="0003"):
    draft = draft_squash(APPS, "cities", first, last)
    draft.write()
    return draft


def fill(name, statement):
    """Write a migration that runs a statement."""
    draft = draft_empty(APPS, "cities", name)
    text = draft.text.replace(FORWARD, f"_run(db, {statement!r})").replace(
        "def forward", "def _run(db, sql):\n    db.execute_sql(sql)\n\n\ndef forward"
    )
    draft.path.parent.mkdir(exist_ok=True)
    draft.path.write_text(text)


def test_operations_between_the_states_are_all_that_is_left(cities, url, columns, recorded):
    cities(NAME)
    cities(NAME, SIZE)
    cities(NAME, SIZE, "mayor = CharField(null=True)")

    made = squash()

    assert made.path.name == "0001_squashed_0003_add_mayor.py"
    assert made.summary == ("create table cities",)
    assert "depends = " not in made.text
    assert (
        'replaces = ("cities.0001_initial", "cities.0002_add_size", "cities.0003_add_mayor")'
        in (made.text)
    )
    assert read_state(read_steps(APPS), "cities").tables[0].columns[-1].name == "mayor"
    assert draft_changes(Offline(), None, None) == []
    assert Runner(url, APPS).migrate() == ("cities.0001_squashed_0003_add_mayor",)
    assert columns("cities") == ["id", "name", "size", "mayor"]
    Runner(url, APPS).migrate("cities", "zero")
    assert (columns("cities"), recorded()) == ([], [])


def test_a_database_that_has_them_all_only_notes_it(cities, url, columns, recorded):
    cities(NAME)
    cities(NAME, SIZE)
    Runner(url, APPS).migrate()
    squash(last="0002")
    for old in ("0001_initial.py", "0002_add_size.py"):
        (cities.root / old).unlink()
    cities(NAME, SIZE, "mayor = CharField(null=True)")

    assert Runner(url, APPS).migrate() == (
        "cities.0001_squashed_0002_add_size",
        "cities.0003_add_mayor",
    )
    assert columns("cities") == ["id", "name", "size", "mayor"]
    Runner(url, APPS).migrate("cities", "zero")
    assert (columns("cities"), recorded()) == ([], [])


def test_a_target_is_one_of_those_that_count(cities, url, columns):
    cities(NAME)
    cities(NAME, SIZE)
    squash(last="0002")
    cities(NAME, SIZE, "mayor = CharField(null=True)")
    Runner(url, APPS).migrate()

    assert Runner(url, APPS).migrate("cities", "0001") == ("cities.0003_add_mayor",)
    with pytest.raises(
        ImproperlyConfigured, match=r"squashed_0002_add_size stands for cities\.0001"
    ):
        Runner(url, APPS).migrate("cities", "0002")


def test_a_database_that_has_some_of_them_is_refused_without_their_files(cities, url):
    cities(NAME)
    Runner(url, APPS).migrate()
    cities(NAME, SIZE)
    squash(last="0002")
    for old in ("0001_initial.py", "0002_add_size.py"):
        (cities.root / old).unlink()

    with pytest.raises(ImproperlyConfigured, match=r"of which cities\.0001_initial are applied"):
        Runner(url, APPS).migrate()


def test_steps_of_ones_own_keep_their_places_and_their_source(cities, url, query):
    cities(NAME)
    fill("one", "INSERT INTO cities (name) VALUES ('x')")
    cities(NAME, SIZE)
    fill("two", "INSERT INTO cities (name, size) VALUES ('y', 'z')")

    made = squash(last="0004")

    assert made.summary == (
        "create table cities",
        "run the function forward",
        "add column size to cities",
        "run the function forward",
    )
    assert "Run(forward_0004, backward=backward_0004)" in made.text
    assert Runner(url, APPS).migrate() == ("cities.0001_squashed_0004_two",)
    assert query("SELECT name, size FROM cities ORDER BY id") == [("x", "big"), ("y", "z")]


def test_renames_and_values_are_kept(cities, project):
    cities(NAME)
    cities(NAME, SIZE)
    path = cities.root / "0003_rename.py"
    path.write_text(
        "from msframework.migrations import AddColumn, Column, RenameColumn\n"
        'depends = ("cities.0002",)\n'
        'operations = (RenameColumn("cities", "size", "extent"), RenameColumn("cities", "extent", '
        '"area"), AddColumn("cities", Column("mayor", "text"), fill="\'nobody\'"))\n'
    )

    made = squash(first="0002")

    assert made.summary == ("add column area to cities", "add column mayor to cities")
    assert "fill=\"'nobody'\"" in made.text
    assert "fill=\"'big'\"" in made.text
    assert 'depends = ("cities.0001_initial",)' in made.text


def test_what_is_dropped_and_made_again_is_done_so(cities):
    cities(NAME, SIZE)
    cities(NAME)
    cities(NAME, SIZE)
    cities(NAME, SIZE, "mayor = CharField(null=True)")

    made = squash(first="0002", last="0004")

    assert [each.split(" (")[0] for each in made.summary] == [
        "drop column size of cities",
        "add column size to cities",
        "add column mayor to cities",
    ]


def test_what_cannot_be_squashed_is_refused(cities, project):
    cities(NAME)
    (cities.root / "0002_old.py").write_text("def up(migrator, db):\n    pass\n")

    with pytest.raises(ImproperlyConfigured, match=r"cities\.0002_old has up and down"):
        squash(last="0002")
    with pytest.raises(ImproperlyConfigured, match="is one migration"):
        squash(last="0001")
    with pytest.raises(ImproperlyConfigured, match="name the first one first"):
        squash(first="0002", last="0001")
    with pytest.raises(ImproperlyConfigured, match="has no migration '0009'"):
        squash(last="0009")


def test_another_apps_migration_in_between_is_refused(cities, project):
    cities(NAME)
    cities(NAME, SIZE)
    project.write(
        "land/people/migrations/0001_a.py", "operations = ()\ndepends = ('cities.0001_initial',)\n"
    )
    second = cities.root / "0002_add_size.py"
    second.write_text(second.read_text().replace('initial",)', 'initial", "people.0001_a")'))

    with pytest.raises(ImproperlyConfigured, match=r"comes after cities\.0001_initial"):
        draft_squash((*APPS, "land.people"), "cities", "0001", "0002")


def test_the_command_says_what_it_wrote(cities, monkeypatch):
    from msframework.management.commands import squashmigrations

    said = []

    class Handed:
        class settings:
            installed_apps = APPS

        def echo(self, text):
            said.append(text)

    cities(NAME)
    cities(NAME, SIZE)
    monkeypatch.chdir(cities.root)
    for more in (["--dry-run"], []):
        squashmigrations.command.main(
            ["cities", "0001", "0002", *more], obj=Handed(), standalone_mode=False
        )

    head, line, text, *rest = said
    assert head == "Would write 0001_squashed_0002_add_size.py"
    assert text.startswith('"""Squash 0001_initial to 0002_add_size."""')
    assert rest == ["Wrote 0001_squashed_0002_add_size.py", line]
