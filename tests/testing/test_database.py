"""The database of the tests' own: made, put back after each test, dropped."""

import asyncpg
import pytest

from msframework.testing.database import TestDatabase, database_of, models_of, with_database
from tests.conftest import with_settings


@pytest.fixture
def database(server_url, shop):
    settings = with_settings(installed_apps=(shop,), database={"url": server_url})
    database = TestDatabase(settings)
    try:
        database.create()
        yield database
    finally:
        database.drop()


async def run(url, *statements):
    conn = await asyncpg.connect(url)
    try:
        return [await conn.fetch(statement) for statement in statements][-1]
    finally:
        await conn.close()


async def test_it_holds_the_tables_of_the_models(database):
    rows = await run(database.url, "SELECT relname FROM pg_class WHERE relkind = 'r' "
                     "AND relnamespace = 'public'::regnamespace ORDER BY 1")  # fmt: skip

    assert [row[0] for row in rows] == ["items", "owners"]


async def test_a_second_one_of_a_process_is_another_database(database, server_url, shop):
    second = TestDatabase(with_settings(installed_apps=(shop,), database={"url": server_url}))
    try:
        second.create()
    finally:
        second.drop()

    assert await run(database.url, "SELECT FROM items") == []


async def test_a_reset_takes_back_rows_and_sequences(database):
    fill = (
        "INSERT INTO owners (name) VALUES ('a')",
        "INSERT INTO items (owner_id, name) SELECT id, 'x' FROM owners RETURNING id",
    )
    first = await run(database.url, *fill)

    database.reset()

    assert await run(database.url, "SELECT FROM items UNION ALL SELECT FROM owners") == []
    assert await run(database.url, *fill) == first


async def test_a_reset_gives_back_what_the_migrations_put_in(server_url, shop, tmp_path):
    (tmp_path / shop / "migrations").mkdir()
    (tmp_path / shop / "migrations" / "__init__.py").write_text("")
    (tmp_path / shop / "migrations" / "0001_initial.py").write_text(MIGRATION)
    database = TestDatabase(with_settings(installed_apps=(shop,), database={"url": server_url}))
    try:
        database.create()
        seeded = "SELECT id, owner_id, name FROM seeds ORDER BY id"
        before = await run(database.url, seeded)
        await run(
            database.url,
            "DELETE FROM seeds WHERE name = 'two'",
            "UPDATE groups SET name = 'z'",
            "INSERT INTO seeds (owner_id, name) VALUES (1, 'three')",
        )

        database.reset()

        assert await run(database.url, seeded) == before
        assert await run(database.url, "SELECT name FROM groups") == [("g",)]
        (row,) = await run(
            database.url, "INSERT INTO seeds (owner_id, name) VALUES (1, 'n') RETURNING id"
        )
        assert row["id"] == 3
        (record,) = await run(database.url, "SELECT count(*) FROM migrate_record")
        assert record[0] == 1
    finally:
        database.drop()


MIGRATION = """
def up(migrator, db):
    db.execute_sql("CREATE TABLE groups (id serial PRIMARY KEY, name text)")
    db.execute_sql(
        "CREATE TABLE seeds (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "owner_id int REFERENCES groups, name text)"
    )
    db.execute_sql("INSERT INTO groups (name) VALUES ('g')")
    db.execute_sql("INSERT INTO seeds (owner_id, name) VALUES (1, 'one'), (1, 'two')")


def down(migrator, db):
    db.execute_sql("DROP TABLE seeds, groups")
"""


async def test_a_drop_leaves_nothing(server_url, shop):
    database = TestDatabase(with_settings(installed_apps=(shop,), database={"url": server_url}))
    database.create()

    database.drop()
    database.drop()
    database.reset()

    names = await run(server_url, "SELECT datname FROM pg_database")
    assert database.name not in [row[0] for row in names]


def test_settings_lead_to_it_alone(database):
    settings = database.point(with_settings(database={"replicas": ("postgresql://r/x",)}))

    assert (settings.database.url, settings.database.replicas) == (database.url, ())


def test_a_service_without_database_wants_none():
    assert not TestDatabase.wanted(with_settings())
    assert TestDatabase.wanted(with_settings(debug=True))


def test_an_app_without_models_has_none():
    assert models_of("settings") == []


@pytest.mark.parametrize(
    ("url", "name", "other"),
    [
        ("postgresql://u:p@h:1/a%20b?x=1", "a b", "postgresql://u:p@h:1/n?x=1"),
        ("postgresql://u@h", "u", "postgresql://u@h/n"),
        ("postgresql:///a?host=/run", "a", "postgresql:///n?host=/run"),
        ("postgresql://", "postgres", "postgresql:///n"),
    ],
)
def test_the_name_in_an_address_is_replaced(url, name, other):
    assert database_of(url) == name
    assert with_database(url, "n") == other
