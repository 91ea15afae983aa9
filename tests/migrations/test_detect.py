import importlib

import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import detect
from msframework.migrations.connection import opened
from msframework.migrations.draft import draft_changes
from msframework.migrations.runner import Runner

MODELS = """
    import datetime

    from peewee import (
        SQL, CharField, Check, DateTimeField, ForeignKeyField, IntegerField, Model, UUIDField
    )
    from playhouse.postgres_ext import ArrayField, BinaryJSONField


    def utcnow():
        return datetime.datetime.now(datetime.timezone.utc)


    class Base(Model):
        class Meta:
            legacy_table_names = False


    class City(Base):
        name = CharField(max_length=40)


    class Person(Base):
        name = CharField(max_length=128, collation='"C"')
        email = CharField(unique=True)
        age = IntegerField(constraints=[Check("age >= 0")], default=1)
        tags = ArrayField(CharField, {"max_length": 10}, dimensions=2, index=False, null=True)
        numbers = ArrayField(IntegerField, index_type="BTREE", null=True)
        data = BinaryJSONField(default=dict, index=False)
        city = ForeignKeyField(
            City, on_delete="CASCADE", deferrable="INITIALLY DEFERRED", constraint_name="lives_in"
        )
        created = DateTimeField(default=utcnow)
        key = CharField(default=lambda: "k")

        class Meta:
            table_name = "people"
            constraints = [Check("age < 200")]
            indexes = ((("name", "age"), True),)
"""


@pytest.fixture
def models(project):
    project.write("realm/people/models.py", MODELS)
    return importlib.import_module("realm.people.models")


@pytest.fixture
def database(url):
    with opened(url) as database:
        yield database


def test_models_of_an_app_are_those_it_declares(models, project):
    assert detect.read_models("realm.people") == [models.City, models.Person]

    project.write("realm/plain/__init__.py", "")
    assert detect.read_models("realm.plain") == []


def test_models_may_lie_in_a_package(project):
    project.write("realm/things/models/thing.py", MODELS)
    project.write("realm/things/models/__init__.py", "from .thing import City\n")

    assert [model.__name__ for model in detect.read_models("realm.things")] == ["City"]


def test_an_error_in_the_models_is_not_swallowed(project):
    project.write("realm/broken/models.py", "import nothing_of_that_name\n")

    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        detect.read_models("realm.broken")


def test_what_is_written_makes_what_the_models_say(models, project, url, database, query):
    (draft,) = draft_changes(Runner(url, ["realm.people"]), None, None)
    draft.write()
    runner = Runner(url, ["realm.people"])
    assert runner.migrate() == ("people.0001_initial",)

    assert draft.todos == []
    assert not detect.find_changes(database, "people", [models.City, models.Person])
    constraints = query(
        "SELECT conname, condeferrable, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = 'people'::regclass AND contype IN ('c', 'f') ORDER BY 1"
    )
    assert ("lives_in", True) in [row[:2] for row in constraints]
    checks = {row[2] for row in constraints if not row[1]}
    assert checks == {"CHECK ((age >= 0))", "CHECK ((age < 200))"}
    indexes = query("SELECT indexname FROM pg_indexes WHERE tablename = 'people' ORDER BY 1")
    assert [name for (name,) in indexes] == [
        "people_city_id",
        "people_email",
        "people_name_age",
        "people_numbers",
        "people_pkey",
    ]
    types = dict(
        query(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'people'::regclass AND attnum > 0"
        )
    )
    assert types["tags"] == "character varying(10)[]"
    assert types["numbers"] == "integer[]"
    assert draft_changes(runner, None, None) == []

    assert runner.migrate("people", "zero") == ("people.0001_initial",)
    assert query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [
        ("migrate_record",)
    ]


OURS = """
    from msframework.models import CharField, DateTimeTZField, JSONField, Model, utcnow

    class User(Model):
        email = CharField(max_length=128, unique=True)
        settings = JSONField(default=dict)
        create_time = DateTimeTZField(default=utcnow)

        class Meta:
            table_name = "users"
"""


def test_models_of_the_framework_are_written_with_their_own_fields(project, url, query):
    project.write("realm/users/models.py", OURS)

    (draft,) = draft_changes(Runner(url, ["realm.users"]), None, None)
    draft.write()
    Runner(url, ["realm.users"]).migrate()

    assert draft.todos == []
    rows = query(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_name = 'users' ORDER BY ordinal_position"
    )
    assert rows == [
        ("id", "integer"),
        ("email", "character varying"),
        ("settings", "jsonb"),
        ("create_time", "timestamp with time zone"),
    ]
    assert query("SELECT 1 FROM pg_indexes WHERE indexname = 'users_email'") == [(1,)]
    assert draft_changes(Runner(url, ["realm.users"]), None, None) == []


def test_new_columns_with_a_default_fill_the_rows_that_are_there(models, project, url, query):
    project.write(
        "realm/people/migrations/0001_initial.py",
        """
        def up(migrator, db):
            db.execute_sql("CREATE TABLE city (id serial PRIMARY KEY, name varchar(40) NOT NULL)")
            db.execute_sql("INSERT INTO city (name) VALUES ('x')")
        """,
    )
    text = MODELS.replace(
        "name = CharField(max_length=40)",
        "name = CharField(max_length=40)\n        founded = DateTimeField(default=utcnow)\n"
        "        size = IntegerField(default=7)",
    )
    project.write("realm/people/models.py", text[: text.index("class Person")])
    Runner(url, ["realm.people"]).migrate()

    (draft,) = draft_changes(Runner(url, ["realm.people"]), None, None)
    draft.write()
    Runner(url, ["realm.people"]).migrate()

    assert draft.path.name == "0002_add_founded_add_size.py"
    assert "from realm.people.models import utcnow" in draft.text
    assert query("SELECT founded IS NOT NULL, size FROM city") == [(True, 7)]


def test_what_cannot_be_written_is_left_as_a_todo(models, database, query):
    query("CREATE TABLE city (id serial PRIMARY KEY, name text)")
    query("CREATE TABLE people (id serial PRIMARY KEY, old int)")

    diff = detect.find_changes(database, "people", [models.City, models.Person])
    todos = detect.read_todos(detect.render(database, diff, ()))

    assert detect.name_of(diff) == "changes"
    assert "people.name: not-null column needs a default or allow_not_null backfill" in todos
    assert "people.city_id: DEFERRABLE must be added by hand" in todos
    assert "people.old: dropped column cannot be restored by down()" in todos
    assert any(todo.startswith("key: default <function") for todo in todos)


def test_imports_are_by_name_and_dependencies_are_stated(models, database):
    diff = detect.find_changes(database, "people", [models.City])

    text = detect.render(database, diff, ("regions.0001_initial",))

    assert text.splitlines()[1] == "from peewee import CharField, Model"
    assert "\n\ndepends = ('regions.0001_initial',)\n\n\ndef up(migrator, db):\n" in text
    assert "\n\n\ndef down(migrator, db):\n" in text
    compile(text, "migration", "exec")


def test_indexes_give_a_name(models, database, query):
    query("CREATE TABLE city (id serial PRIMARY KEY, name text)")
    query("CREATE INDEX old_one ON city (name)")

    diff = detect.find_changes(database, "people", [models.City])

    assert detect.name_of(diff) == "drop_index_name"


def test_a_constraint_with_parameters_is_refused(models, database):
    models.City.name.constraints = [models.City.name != "x"]
    diff = detect.find_changes(database, "people", [models.City])

    with pytest.raises(ImproperlyConfigured, match="has parameters"):
        detect.render(database, diff, ())


def test_defaults_are_as_they_were_after_writing(models, database):
    diff = detect.find_changes(database, "people", [models.City, models.Person])
    detect.render(database, diff, ())

    assert models.Person.created.default is models.utcnow
    assert models.Person.age.default == 1


def test_an_empty_migration_is_python():
    scope = {}
    exec(detect.render_empty("fill_ages", ("a.0001",)), scope)

    assert scope["__doc__"] == "Fill ages."
    assert scope["depends"] == ("a.0001",)
    assert callable(scope["up"])
    assert callable(scope["down"])
    assert detect.slug("--") == "changes"
