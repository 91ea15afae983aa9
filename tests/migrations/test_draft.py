import re

import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.adopt import draft_adoption
from msframework.migrations.connection import opened
from msframework.migrations.draft import compare, draft_changes, draft_empty
from msframework.migrations.draft_file import write_drafts
from msframework.migrations.renames import GivenAnswers
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


class Offline:
    """Apps whose database must not be asked."""

    def __init__(self, *apps):
        self.apps = apps

    def rehearsed(self):
        raise AssertionError("the database is not needed")


def draft(*apps, app=None, **given):
    """Write what is missing, answered by the options *given*; return the drafts."""
    found = compare(Offline(*apps), app, None, lambda fills: GivenAnswers(**given, defaults=fills))
    write_drafts(found.drafts)
    return found.drafts


def with_size(field):
    """Return the models of the cities with one more field."""
    return CITIES.replace("name = Char", f"size = {field}\n        name = Char")


def test_what_is_recorded_is_compared_without_a_database(land):
    draft(*APPS)
    land.forget()

    assert draft(*APPS) == ()
    land.write("land/cities/models.py", with_size("CharField()"))
    (added,) = draft(*APPS, fills=["cities.size='big'"])
    assert added.path.name == "0002_add_size.py"
    assert added.summary == ("add column size to cities",)
    assert 'depends = ("cities.0001_initial",)' in added.text


def test_nothing_is_written_while_a_question_is_open(land):
    draft(*APPS)
    land.write("land/cities/models.py", CITIES.replace("name = Char", "title = Char"))
    people = PEOPLE.replace("friend =", "mother = CharField(null=True)\n        friend =")
    people = people.replace("ForeignKeyField,", "CharField, ForeignKeyField,")
    land.write("land/people/models.py", people)

    with pytest.raises(ImproperlyConfigured, match=r"--rename cities\.name:title"):
        draft(*APPS)

    assert sorted(path.name for path in land.root.rglob("0002*")) == []
    renamed, added = draft(*APPS, renames=["cities.name:title"])
    assert renamed.path.name == "0002_rename_name_to_title.py"
    assert added.path.name == "0002_add_mother.py"
    with pytest.raises(ImproperlyConfigured, match="no change of the models asks for this"):
        draft(*APPS, drops=["cities.name"])


def test_what_goes_with_a_dropped_column_is_said(land):
    text = CITIES.replace("CharField()", "CharField(index=True)\n        size = CharField()")
    land.write("land/cities/models.py", text)
    draft("land.cities")
    land.write("land/cities/models.py", text.replace("name = CharField(index=True)", ""))

    (dropped,) = draft("land.cities")

    assert dropped.path.name == "0002_drop_name.py"
    (line,) = dropped.losses
    lost = "drop column name of cities (its values are lost; reversible only without rows)"
    assert line.startswith(f"{lost}, with index ")


def test_a_dropped_table_is_said_with_its_columns(land):
    draft("land.cities")
    land.write("land/cities/models.py", "")

    (dropped,) = draft("land.cities")

    assert dropped.losses == {
        "drop table cities (its rows are lost), with its columns id, name",
    }
    assert draft("land.cities") == ()


COMPANIES = """
    from peewee import CharField, DeferredForeignKey, ForeignKeyField, Model

    class Company(Model):
        head = DeferredForeignKey("Employee", null=True)

        class Meta:
            table_name = "companies"
"""
EMPLOYEES = """
    from peewee import ForeignKeyField, Model
    from land.companies.models import Company

    class Employee(Model):
        company = ForeignKeyField(Company)

        class Meta:
            table_name = "employees"
"""


def test_two_apps_that_point_to_each_other_get_a_further_file(land, url):
    land.write("land/companies/models.py", COMPANIES)
    land.write("land/employees/models.py", EMPLOYEES)
    apps = ["land.companies", "land.employees"]

    one, two, three = draft(*apps)

    assert [each.path.name for each in (one, two)] == ["0001_initial.py", "0001_initial.py"]
    assert three.path.name == "0002_add_fk_companies_head_id_refs_employees.py"
    assert 'depends = ("companies.0001_initial", "employees.0001_initial")' in three.text
    assert "ForeignKey" not in one.text
    assert Runner(url, apps).migrate() == (
        "companies.0001_initial",
        "employees.0001_initial",
        "companies.0002_add_fk_companies_head_id_refs_employees",
    )
    assert draft(*apps) == ()
    Runner(url, apps).migrate("companies", "zero")


def test_a_rename_is_followed_into_the_other_apps(land, url, query):
    draft(*APPS)
    Runner(url, APPS).migrate()
    land.write("land/cities/models.py", CITIES.replace('"cities"', '"towns"'))
    land.forget()

    renamed, followed = draft(*APPS, renames=["cities:towns"])

    assert renamed.path.name == "0002_rename_cities_to_towns.py"
    assert followed.path.name == "0002_follow.py"
    assert "operations = ()" in followed.text
    assert '"cities.0002_rename_cities_to_towns"' in followed.text
    Runner(url, APPS).migrate()
    assert draft(*APPS) == ()


def test_one_app_may_need_another_first(land):
    draft("land.cities")
    land.write(
        "land/cities/models.py",
        CITIES + CITIES.replace("City", "River").replace("cities", "rivers"),
    )
    land.write("land/people/models.py", PEOPLE.replace("City", "River"))

    with pytest.raises(ImproperlyConfigured, match="needs rivers of cities, which no migration"):
        draft(*APPS, app="people")


MOODY = """
    import enum

    from peewee import Model
    from msframework.models import EnumField

    class Mood(enum.Enum):
        LOW = "low"
        HIGH = "high"

    class City(Model):
        mood = EnumField(Mood, "{name}", default=Mood.LOW)

        class Meta:
            table_name = "cities"
"""


def test_a_type_is_renamed_and_keeps_its_values(land, url, query):
    land.write("land/cities/models.py", MOODY.format(name="mood"))
    draft("land.cities")
    Runner(url, ["land.cities"]).migrate()
    query("INSERT INTO cities (mood) VALUES ('high')")
    land.write("land/cities/models.py", MOODY.format(name="temper"))
    land.forget()

    (renamed,) = draft("land.cities", renames=["mood:temper"])
    Runner(url, ["land.cities"]).migrate()

    assert renamed.summary == ("alter enum mood: rename it to temper",)
    assert query("SELECT mood::text, pg_typeof(mood)::text FROM cities") == [("high", "temper")]
    assert draft("land.cities") == ()
    Runner(url, ["land.cities"]).migrate("cities", "0001")
    assert query("SELECT mood::text, pg_typeof(mood)::text FROM cities") == [("high", "mood")]


INDEXED = """
    from peewee import CharField, Model

    class {name}(Model):
        name = CharField()

        class Meta:
            table_name = "{table}"

    {name}.add_index({name}.index({name}.name, name="by_name"))
"""


def test_one_app_may_not_take_the_name_of_an_index_of_another(land):
    land.write("land/cities/models.py", INDEXED.format(name="City", table="cities"))
    land.write("land/people/models.py", INDEXED.format(name="Person", table="people"))
    draft("land.cities")

    with pytest.raises(ImproperlyConfigured, match="something of cities has the name by_name"):
        draft(*APPS, app="people")


def test_two_apps_may_not_give_two_new_indexes_one_name(land):
    land.write("land/cities/models.py", INDEXED.format(name="City", table="cities"))
    land.write("land/people/models.py", INDEXED.format(name="Person", table="people"))

    found = compare(Offline(*APPS), None, None, lambda fills: GivenAnswers(defaults=fills))

    assert "by_name" in found.survey.problems[0]


def test_a_broken_file_of_one_app_is_no_matter_of_the_others(land):
    land.write("land/people/migrations/0001_initial.py", "operations = (\n")

    found = compare(Offline(*APPS), None, None, lambda fills: GivenAnswers(defaults=fills))

    assert [each.app for each in found.drafts] == ["cities"]
    assert "0001_initial.py:1: SyntaxError" in found.survey.problems[0]
    with pytest.raises(ImproperlyConfigured, match="SyntaxError"):
        compare(Offline(*APPS), "people", None, lambda fills: GivenAnswers())


UNREADABLE = {
    "cut off": ("class City(", r"land.cities cannot be imported: SyntaxError: .*models.py:1"),
    "raises": ("1 / 0", r"land.cities cannot be imported: ZeroDivisionError.*models.py:1"),
    "ends the process": ("raise SystemExit(3)", "cannot be imported: SystemExit"),
    "misdeclared": (
        CITIES.replace("CharField()", "CharField(constraints=[SQL('CHECK (')])").replace(
            "CharField, Model", "CharField, Model, SQL"
        ),
        r"land\.cities\.models\.City\.name: its column cannot be read",
    ),
    "fails when read": (
        CITIES.replace("CharField()", "Odd()").replace(
            "class City",
            "class Odd(CharField):\n        def ddl(self, ctx):\n            1 / 0\n"
            "\n    class City",
        ),
        "the models of cities cannot be read: ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_models_that_cannot_be_read_are_no_matter_of_the_others(land, kind):
    text, problem = UNREADABLE[kind]
    land.write("land/cities/models.py", text)
    land.write("land/rivers/models.py", CITIES.replace("cities", "rivers"))
    apps = ["land.cities", "land.rivers"]

    found = compare(Offline(*apps), None, None, lambda fills: GivenAnswers(defaults=fills))

    assert [each.app for each in found.drafts] == ["rivers"]
    assert len(found.survey.problems) == 1
    assert re.match(f".*{problem}", found.survey.problems[0])
    alone = compare(Offline(*apps), "rivers", None, lambda fills: GivenAnswers(defaults=fills))
    assert [each.app for each in alone.drafts] == ["rivers"]
    assert alone.survey.problems == ()
    with pytest.raises(ImproperlyConfigured, match=problem):
        compare(Offline(*apps), "cities", None, lambda fills: GivenAnswers(defaults=fills))


def test_a_base_of_models_that_cannot_be_imported_becomes_no_table(land):
    land.write(
        "land/rivers/models.py",
        "from peewee import Model\n\n\nclass Base(Model):\n    pass\n",
    )
    land.write("land/cities/models.py", "from land.rivers.models import Base\n\n1 / 0\n")

    found = compare(Offline("land.cities", "land.rivers"), None, None, lambda _: GivenAnswers())

    assert found.drafts == ()
    assert found.survey.problems[1].startswith("rivers: Base has nothing but a key, so whether")


def test_what_needs_a_table_of_unreadable_models_waits_for_them(land):
    land.write("land/cities/models.py", UNREADABLE["misdeclared"][0])

    found = compare(Offline(*APPS), None, None, lambda fills: GivenAnswers(defaults=fills))

    assert found.drafts == ()
    assert found.survey.problems[1] == (
        "people needs cities of cities, which no migration makes yet: the mistakes of that app "
        "come first."
    )
    land.write("land/cities/models.py", CITIES)
    draft(*APPS)
    land.write("land/cities/models.py", UNREADABLE["misdeclared"][0])
    land.write("land/people/models.py", PEOPLE.replace('"self"', '"self", unique=True'))
    found = compare(Offline(*APPS), None, None, lambda fills: GivenAnswers(defaults=fills))
    assert [each.app for each in found.drafts] == ["people"]
    assert len(found.survey.problems) == 1


OLD = """
    def up(migrator, db):
        db.execute_sql("CREATE TABLE cities (id serial PRIMARY KEY, name varchar(255) NOT NULL)")
"""


def test_an_app_without_a_state_is_compared_with_the_database(land, url):
    land.write("land/cities/migrations/0001_initial.py", OLD)
    runner = Runner(url, ["land.cities"])
    assert draft_changes(runner, None, None) == []

    land.write(
        "land/cities/models.py",
        with_size("CharField(null=True)"),
    )
    (added,) = draft_changes(Runner(url, ["land.cities"]), None, None)
    added.write()

    assert added.summary == ("add column size to cities",)
    assert draft("land.cities") == ()


def test_the_files_are_written_all_or_none(land):
    cities, people = compare(
        Offline(*APPS), None, None, lambda fills: GivenAnswers(defaults=fills)
    ).drafts
    people.path.parent.write_text("a file")

    with pytest.raises(ImproperlyConfigured, match="Nothing was written"):
        write_drafts([cities, people])

    assert not list(cities.path.parent.glob("0*"))


def test_a_table_may_move_to_another_app(land, url):
    draft(*APPS)
    land.write("land/cities/models.py", "")
    land.write("land/towns/models.py", CITIES)
    land.write("land/people/models.py", PEOPLE.replace("cities", "towns"))
    apps = [*APPS, "land.towns"]

    left, moved = draft(*apps)

    assert (left.app, left.path.name) == ("cities", "0002_follow.py")
    assert (moved.app, moved.path.name) == ("towns", "0001_initial.py")
    assert "operations = ()" in moved.text
    assert 'depends = ("cities.0002_follow",)' in moved.text
    assert draft(*apps) == ()
    assert len(Runner(url, apps).migrate()) == 4


def test_a_table_that_moved_to_an_app_that_is_not_compared_is_not_dropped(land):
    draft(*APPS)
    land.write("land/cities/models.py", "")
    land.write("land/people/models.py", PEOPLE.replace("cities", "towns"))
    land.write("land/towns/models.py", CITIES)
    apps = [*APPS, "land.towns"]

    with pytest.raises(ImproperlyConfigured, match="table cities is in towns now"):
        draft(*apps, app="cities")
    land.write(
        "land/towns/migrations.py",
        """
        from msframework.migrations import MigrationModel
        from .models import City

        class CityMigration(MigrationModel):
            _model = City
        """,
    )
    (left,) = draft(*apps)
    assert (left.path.name, left.summary) == ("0002_follow.py", ("note what the models say",))


def test_tables_of_apps_that_point_to_each_other_are_adopted(land, url, query):
    land.write("land/companies/models.py", COMPANIES)
    land.write("land/employees/models.py", EMPLOYEES)
    apps = ["land.companies", "land.employees"]
    with opened(url) as database:
        database.execute_sql(
            "CREATE TABLE companies (id serial PRIMARY KEY, head_id integer);"
            "CREATE INDEX companies_head_id ON companies (head_id);"
            "CREATE TABLE employees (id serial PRIMARY KEY, company_id integer NOT NULL, "
            "CONSTRAINT employees_company_id_fkey FOREIGN KEY (company_id) REFERENCES companies);"
            "CREATE INDEX employees_company_id ON employees (company_id);"
            "ALTER TABLE companies ADD CONSTRAINT head FOREIGN KEY (head_id) REFERENCES employees"
        )
        write_drafts(draft_adoption(apps, None, None, database))

    said = []
    assert len(Runner(url, apps, said.append).migrate()) == 3
    assert all(line.startswith("Recording") for line in said)
    query("DROP SCHEMA public CASCADE")
    query("CREATE SCHEMA public")
    assert len(Runner(url, apps).migrate()) == 3
    lines = [line for each in draft(*apps) for line in each.summary]
    assert [line.partition(" ")[0] for line in lines] == ["rename", "rename", "rename"]


def test_the_example_services_have_no_changes():
    apps = [f"apps.{name}" for name in ("accounts", "regions", "roles", "users")]

    assert draft_changes(Offline(*apps), None, None) == []
