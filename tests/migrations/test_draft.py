import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.draft import draft_changes, draft_empty
from msframework.migrations.runner import Runner

CITIES = """
    from peewee import CharField, Model

    class City(Model):
        name = CharField()

        class Meta:
            table_name = "cities"
"""
PEOPLE = """
    from peewee import ForeignKeyField, Model
    from land.cities.models import City

    class Person(Model):
        city = ForeignKeyField(City)
        friend = ForeignKeyField("self", null=True)

        class Meta:
            table_name = "people"
"""
APPS = ["land.people", "land.cities", "land.single"]


@pytest.fixture
def land(project):
    project.write("land/cities/models.py", CITIES)
    project.write("land/people/models.py", PEOPLE)
    project.write("land/single.py", "")
    return project


def test_a_foreign_key_into_another_app_becomes_a_dependency(land, url, query):
    cities, people = draft_changes(Runner(url, APPS), None, None)
    people.write()
    cities.write()

    assert 'depends = ("cities.0001_initial",)' in people.text
    assert people.summary == ("create table people",)
    done = Runner(url, APPS).migrate()
    assert done == ("cities.0001_initial", "people.0001_initial")
    assert (people.path.parent / "__init__.py").exists()
    keys = query("SELECT count(*) FROM pg_constraint WHERE contype = 'f'")
    assert keys == [(2,)]


def test_pending_migrations_count_as_applied(land, url, query):
    for draft in draft_changes(Runner(url, APPS), None, None):
        draft.write()

    assert draft_changes(Runner(url, APPS), None, None) == []
    assert query("SELECT 1 FROM pg_tables WHERE tablename = 'cities'") == []


def test_one_app_and_a_name_of_ones_own(land, url):
    (draft,) = draft_changes(Runner(url, APPS), "cities", "Towns & more")

    assert draft.path == land.root / "land/cities/migrations/0001_towns_more.py"


def test_the_number_goes_on(land):
    first = draft_empty(APPS, "land.cities", None)
    first.write()

    second = draft_empty(APPS, "cities", "fill")

    assert first.path.name == "0001_custom.py"
    assert second.path.name == "0002_fill.py"


def test_apps_that_have_no_files_are_refused_by_name(land, url):
    land.write("land/classes/migrations.py", "")
    apps = [*APPS, "land.classes"]

    with pytest.raises(ImproperlyConfigured, match="There is no app 'towns'"):
        draft_empty(apps, "towns", None)
    with pytest.raises(ImproperlyConfigured, match=r"land\.single is a module"):
        draft_empty(apps, "single", None)
    with pytest.raises(ImproperlyConfigured, match=r"land\.classes keeps its migrations in class"):
        draft_changes(Runner(url, apps), "classes", None)


def test_a_place_that_cannot_be_written_is_named(land):
    draft = draft_empty(APPS, "cities", None)
    draft.path.parent.write_text("a file")

    with pytest.raises(ImproperlyConfigured, match=r"0001_custom\.py cannot be written"):
        draft.write()
