"""The operations of the class style: the same engine, with the model's schema and defaults."""

import uuid

import peewee
import psycopg
import pytest
from playhouse.postgres_ext import ArrayField, BinaryJSONField

from msframework.migrations import MigrationModel, Runner, info, migrate
from msframework.migrations.connection import opened
from tests.migrations.snapshot import compare_snapshots, take_snapshot


class Cities(peewee.Model):
    class Meta:
        table_name = "cities"
        schema = "shop"


class Notes(peewee.Model):
    text = peewee.TextField()
    key = peewee.UUIDField(default=uuid.uuid4, unique=True)
    data = BinaryJSONField(default=dict, index=False)
    tags = ArrayField(peewee.TextField, default=list, index=False)
    level = peewee.IntegerField(constraints=[peewee.SQL("DEFAULT 7"), peewee.Check("level > 0")])
    city = peewee.ForeignKeyField(Cities, null=True, on_delete="CASCADE")
    word = peewee.CharField(null=True, default="unsaid")
    mark = peewee.CharField(default=lambda: "of a lambda")

    class Meta:
        table_name = "notes"
        schema = "shop"
        legacy_table_names = False


ADDED = ("key", "data", "tags", "level", "city", "word", "mark")


class NoteMigration(MigrationModel):
    _model = Notes
    _app = "shop"

    @info(version="v1")
    def migrate_v1(self):
        migrate(*(self.add_column(name) for name in ADDED))

    @info(version="v2", atomic=False)
    def migrate_v2(self):
        migrate(self.add_index("text"))


@pytest.fixture
def database(url, query):
    query("CREATE SCHEMA shop")
    query("CREATE TABLE shop.cities (id serial PRIMARY KEY)")
    query("CREATE TABLE shop.notes (id serial PRIMARY KEY, text text NOT NULL)")
    query("CREATE TABLE notes (text text)")  # of the same name, elsewhere
    query("INSERT INTO shop.notes (text) VALUES ('a'), ('b')")
    with opened(url) as database:
        yield database


def test_each_row_gets_what_the_model_would_give_it(database, query):
    NoteMigration().auto_migrate()

    rows = query(
        "SELECT count(DISTINCT key), min(data::text), min(tags::text), min(level), min(word), "
        "min(mark) FROM shop.notes"
    )
    assert rows == [(2, "{}", "{}", 7, None, "of a lambda")]
    assert query("SELECT * FROM notes") == []


def test_the_table_is_as_one_that_was_made_at_once(database, url, query):
    NoteMigration().auto_migrate()
    migrate(NoteMigration().drop_index("text"))
    migrated = take_snapshot(url)

    query("DROP TABLE shop.notes")
    with database.bind_ctx([Cities, Notes]):
        database.create_tables([Notes])

    assert compare_snapshots(migrated, take_snapshot(url)) == []


def test_the_other_operations_stay_in_the_models_schema(database, columns, query):
    migration = NoteMigration()

    migrate(migration.rename_column("text", "body"))
    migrate(migration.add_index("body", unique=True, name="by_body"))
    migrate(migration.drop_index("by_body"))
    migrate(migration.drop_not_null("body"), migration.add_not_null("body"))
    migrate(migration.drop_column("body"))
    migrate(migration.rename_table("notes", "papers"))

    assert query(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'shop.papers'::regclass "
        "AND attnum > 0 AND NOT attisdropped"
    ) == [("id",)]
    assert columns("notes") == ["text"]


def test_a_dropped_column_takes_with_it_what_depends_on_it(database, query):
    query("CREATE VIEW shop.texts AS SELECT text FROM shop.notes")

    with pytest.raises(peewee.InternalError, match="depend"):
        migrate(NoteMigration().drop_column("text", cascade=False))
    migrate(NoteMigration().drop_column("text"))

    assert query("SELECT to_regclass('shop.texts')") == [(None,)]


def test_a_version_waits_for_locks_as_files_do(database, project, url, query):
    project.write(
        "mysite/papers/migrations.py",
        """
        from msframework.migrations import MigrationModel, info, migrate
        from tests.migrations.test_model_operations import Notes

        class NoteMigration(MigrationModel):
            _model = Notes

            @info(version="v1")
            def migrate_v1(self):
                migrate(self.add_column("word"))
        """,
    )
    said = []
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE shop.notes IN ROW EXCLUSIVE MODE")

        def hear(text):
            said.append(text)
            if "waits for locks that process" in text:
                other.rollback()

        Runner(url, ["mysite.papers"], hear).migrate()

    assert any("papers.Notes.v1 waits for locks that process" in text for text in said)
    assert query("SELECT word FROM shop.notes") == [(None,), (None,)]
