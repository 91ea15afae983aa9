"""The database of the tests' own: made, put back after each test, dropped."""

from contextlib import nullcontext

import asyncpg
import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.testing.database import TestDatabase, build_tables
from msframework.testing.snapshot import DatabaseSnapshot
from msframework.testing.template import (
    TemplateDatabase,
    TestServer,
    digest_of,
    drop,
    process_name,
)
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


@pytest.fixture
async def owners_url(server_url):
    """The address of a database that a role without further rights owns."""
    name = "plain_testing"
    await run(
        server_url,
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
        f"DROP ROLE IF EXISTS {name}",
        f"CREATE ROLE {name} LOGIN CREATEDB",
        f"CREATE DATABASE {name} OWNER {name}",
    )
    yield server_url.replace("postgres@/postgres?", f"{name}@/{name}?")
    await run(
        server_url,
        f"DROP DATABASE {name} WITH (FORCE)",
        f"DROP OWNED BY {name}",
        f"DROP ROLE {name}",
    )


HARD = """
CREATE SCHEMA "Odd Name";
CREATE TABLE hens (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, egg int NOT NULL,
  boss int REFERENCES hens, twice int GENERATED ALWAYS AS (egg * 2) STORED);
CREATE TABLE "Odd Name".eggs (id serial PRIMARY KEY, hen int NOT NULL,
  "select" text CHECK ("select" <> ''), data jsonb, at timestamptz DEFAULT now());
ALTER TABLE hens ADD CONSTRAINT laid FOREIGN KEY (egg) REFERENCES "Odd Name".eggs
  ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE "Odd Name".eggs ADD CONSTRAINT "by" FOREIGN KEY (hen) REFERENCES hens
  ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE log (id bigserial, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO log (what) VALUES (TG_OP || TG_TABLE_NAME); RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER noted AFTER INSERT OR DELETE ON hens FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER always AFTER INSERT OR DELETE ON "Odd Name".eggs FOR EACH ROW
  EXECUTE FUNCTION note();
ALTER TABLE "Odd Name".eggs ENABLE ALWAYS TRIGGER always;
CREATE TABLE days (day date, what text) PARTITION BY RANGE (day);
CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE days_x PARTITION OF days DEFAULT;
CREATE TABLE leaf (id int PRIMARY KEY, hen int REFERENCES hens ON DELETE SET NULL);
CREATE SEQUENCE loose START 5;
SELECT setval('loose', 40, false);
BEGIN;
INSERT INTO hens (egg, boss) VALUES (1, 2), (2, 1);
INSERT INTO "Odd Name".eggs (hen, "select", data) VALUES (1, 'a', '{"a": [1]}'), (2, 'b', null);
COMMIT;
INSERT INTO days VALUES ('2026-01-05', 'in'), ('2027-01-01', 'out');
INSERT INTO leaf VALUES (1, 1);
"""
STATE = """
SELECT json_build_object(
  'hens', (SELECT json_agg(t ORDER BY id) FROM hens t),
  'eggs', (SELECT json_agg(t ORDER BY id) FROM "Odd Name".eggs t),
  'log', (SELECT json_agg(t ORDER BY id) FROM log t),
  'days', (SELECT json_agg(t ORDER BY day) FROM days t),
  'leaf', (SELECT json_agg(t ORDER BY id) FROM leaf t),
  'triggers', (SELECT json_agg(json_build_array(tgname, tgenabled) ORDER BY tgname)
    FROM pg_trigger WHERE NOT tgisinternal),
  'keys', (SELECT json_agg(json_build_array(conname, pg_get_constraintdef(oid))
    ORDER BY conrelid::regclass::text, conname) FROM pg_constraint WHERE contype = 'f'),
  'hens_id_seq', (SELECT last_value FROM hens_id_seq),
  'eggs_id_seq', (SELECT last_value FROM "Odd Name".eggs_id_seq),
  'log_id_seq', (SELECT last_value FROM log_id_seq),
  'loose', (SELECT json_build_array(last_value, is_called) FROM loose))::text
"""
CHANGES = {
    "a row more": "INSERT INTO leaf VALUES (7, 2)",
    "all gone by cascade": "DELETE FROM hens",
    "another value": "UPDATE \"Odd Name\".eggs SET data = '7' WHERE id = 1",
    "the same value again": "UPDATE hens SET boss = boss",
    "a partition": "INSERT INTO days VALUES ('2026-01-09', 'new'); DELETE FROM days_x",
    "sequences alone": "SELECT nextval('loose'), setval('log_id_seq', 1000)",
    "truncated": 'TRUNCATE hens, "Odd Name".eggs, log, days, leaf RESTART IDENTITY',
    "nothing": "SELECT 1",
}


@pytest.mark.parametrize("privileged", [True, False], ids=["superuser", "owner"])
async def test_a_snapshot_brings_everything_back(server_url, owners_url, privileged):
    url = owners_url
    if privileged:
        url = owners_url.replace("plain_testing@", "postgres@")
    conn, other = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        await other.execute(HARD)
        before = await other.fetchval(STATE)
        snapshot = DatabaseSnapshot(conn)
        await snapshot.take()
        for change in CHANGES.values():
            await other.execute(change)
            await snapshot.restore()

            assert await other.fetchval(STATE) == before, change
    finally:
        await conn.close()
        await other.close()


async def test_a_reset_that_finds_nothing_changed_writes_nothing(database):
    sent = []
    database._conn.add_query_logger(lambda query: sent.append(query.query.split()[0]))
    for _ in range(3):
        database.reset()

    assert set(sent) == {"SELECT"}


def made(server_url, shop, **options):
    """Return a database of tests, made."""
    settings = with_settings(installed_apps=(shop,), database={"url": server_url})
    database = TestDatabase(settings, **options)
    try:
        database.create()
    except BaseException:
        database.drop()
        raise
    return database


@pytest.fixture
def built(monkeypatch):
    """The databases whose tables were made, rather than copied."""
    urls = []

    def build(url, apps):
        urls.append(url)
        build_tables(url, apps)

    monkeypatch.setattr("msframework.testing.database.build_tables", build)
    return urls


@pytest.fixture
async def base(server_url):
    """The address of an empty database, the tests' of which are looked at; all are dropped."""
    name = "templates_of"
    await run(server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    yield server_url.replace("/postgres?", f"/{name}?")
    for left in [*await names(server_url, name), name]:
        await run(server_url, f'DROP DATABASE IF EXISTS "{left}" WITH (FORCE)')


async def names(server_url, base):
    rows = await run(
        server_url,
        f"SELECT datname FROM pg_database WHERE datname LIKE '{base}\\_test\\_%' ORDER BY 1",
    )
    return [row[0] for row in rows]


async def test_the_processes_of_a_run_copy_one_template(base, shop, built, monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "f00f00f00")
    made_ = []
    for worker in ("gw0", "gw1"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        made_.append(made(base, shop))
    first, second = made_
    try:
        assert len(built) == 1
        assert "_test_gw0_" in first.name
        await run(first.url, "INSERT INTO owners (name) VALUES ('a')")
        assert await run(second.url, "SELECT FROM owners") == []
        first.drop()
        template = f"templates_of_test_template_f00f00f00_{digest_of([shop])}"
        assert template in await names(base, "templates_of")
    finally:
        for each in made_:
            each.drop()
    assert await names(base, "templates_of") == []


async def test_other_apps_of_the_same_run_have_another_template(base, shop, monkeypatch):
    """A run that runs another one inside, or has two services, would copy the wrong tables."""
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "f00f00f00")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    without = TestDatabase(with_settings(database={"url": base}))
    without.create()
    try:
        with_shop = made(base, shop)
        try:
            assert await run(with_shop.url, "SELECT FROM owners") == []
        finally:
            with_shop.drop()
    finally:
        without.drop()

    assert await names(base, "templates_of") == []


async def test_a_database_of_the_same_name_is_left_alone(base, shop):
    """Two machines that share a server may have a process of the same id each."""
    theirs = f"templates_of_test_{process_name()}"
    await run(base, f"CREATE DATABASE {theirs}")

    database = made(base, shop)
    try:
        assert {theirs, f"{theirs}_2"} <= {*await names(base, "templates_of")}
        assert database.name == f"{theirs}_2"
    finally:
        database.drop()
    assert await names(base, "templates_of") == [theirs]


@pytest.mark.parametrize("refusals", [2, 6])
async def test_sessions_that_take_their_time_to_end_are_waited_for(refusals):
    asked = []

    class Refusing:
        async def execute(self, query):
            asked.append(query)
            if len(asked) <= refusals:
                raise asyncpg.ObjectInUseError("is being accessed by other users")

    with pytest.raises(asyncpg.ObjectInUseError) if refusals == 6 else nullcontext():
        await drop(Refusing(), "shop")

    assert asked == ["DROP DATABASE IF EXISTS shop WITH (FORCE)"] * min(refusals + 1, 6)


async def test_a_template_is_kept_for_further_runs(base, shop, built, monkeypatch):
    made(base, shop, reuse=True).drop()
    (kept,) = await names(base, "templates_of")
    made(base, shop, reuse=True).drop()
    assert (len(built), await names(base, "templates_of")) == (1, [kept])

    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "another")
    made(base, shop, reuse=True, anew=True).drop()
    assert (len(built), await names(base, "templates_of")) == (2, [kept])
    server = TestServer(base)
    async with server.managing() as conn:  # another process of that run does not make it anew
        assert await server.has(conn, TemplateDatabase(kept, kept=True, anew=True), "another")
        assert not await server.has(
            conn, TemplateDatabase("another", kept=True, anew=False), "another"
        )
    assert await names(base, "templates_of") == []


def test_a_digest_is_that_of_models_and_migrations(shop, tmp_path):
    digests = [digest_of([shop])]
    models = tmp_path / shop / "models.py"
    models.write_text(models.read_text() + "# another\n")
    digests.append(digest_of([shop]))
    (tmp_path / shop / "migrations").mkdir()
    (tmp_path / shop / "migrations" / "0001_initial.py").write_text("")
    digests += [digest_of([shop]), digest_of([])]

    assert len(set(digests)) == 4
    assert digest_of([shop]) == digests[2]


async def test_what_a_run_that_crashed_has_left_is_dropped(base, shop):
    crashed, living = made(base, shop), made(base, shop)
    await run(base, "CREATE DATABASE templates_of_test_1")  # somebody's own
    try:
        left = {"templates_of_test_1", living.name}
        crashed._thread.run(crashed._conn.close())  # as the end of the process does
        # Its session ends soon after. A template that is kept may stand beside them, where several
        # processes run the tests.
        while crashed.name in await names(base, "templates_of"):
            async with TestServer(base).managing() as conn:
                await TestServer(base).sweep(conn)
        assert left <= set(await names(base, "templates_of"))
    finally:
        living.drop()
        crashed.drop()


def test_a_long_name_is_cut_and_stays_its_own(server_url):
    long, other = (
        TestServer(f"postgresql://u@h/{'é' * 40}{end}").named("template_0123456789ab")
        for end in "ab"
    )

    assert long != other
    assert len(long.encode()) <= 63


def test_models_in_a_package_have_their_tables(server_url, tmp_path, shop):
    models = tmp_path / shop / "models.py"
    package = tmp_path / shop / "models"
    package.mkdir()
    models.rename(package / "shelves.py")
    (package / "__init__.py").write_text("")
    database = made(server_url, shop)
    try:
        database.reset()
    finally:
        database.drop()


@pytest.mark.parametrize("reuse", [False, True])
def test_an_app_that_is_not_there_is_named(reuse):
    settings = with_settings(
        installed_apps=("nowhere", "shop.no"), database={"url": "postgresql://u@h/d"}
    )
    with pytest.raises(ImproperlyConfigured, match=r"names nowhere, shop\.no, which cannot"):
        TestDatabase(settings, reuse=reuse).create()
