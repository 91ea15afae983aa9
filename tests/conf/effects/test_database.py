"""What the settings of the database do."""

import asyncio
import contextlib
from urllib.parse import urlsplit

import psycopg
import pytest

from msframework.db.asyncpg_pool import AsyncpgPool
from msframework.db.pool import LightPool
from msframework.db.replicas import Probe
from msframework.exceptions import DatabaseUnavailable, ImproperlyConfigured, PoolExhausted
from msframework.management.start import prepare_database
from tests.processes import fresh_database

PID = "SELECT pg_backend_pid()"


@pytest.fixture
def opened(make, database):
    """Return a context manager that gives the database of a service that runs."""

    @contextlib.asynccontextmanager
    async def opened(**values):
        async with make(**{"DATABASE_URL": database, **values}).running() as service:
            yield service.db

    return opened


async def fetch(db, query, **options):
    async with db.acquire(**options) as cur:
        return await cur.fetchval(query)


async def count(db, name):
    """Return how many connections there are that call themselves *name*."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
    async with db.acquire() as cur:
        return await cur.fetchval(query, name)


def named(url, name):
    """Return *url* for connections that call themselves *name*."""
    return f"{url}{'&' if '?' in url else '?'}application_name={name}"


async def until(condition):
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_database_url(opened, database):
    async with opened() as db:
        assert await fetch(db, "SELECT current_database()") == urlsplit(database).path[1:]


@pytest.mark.parametrize("kind", ["light", "asyncpg"])
async def test_the_parameters_of_database_url(opened, database, kind):
    url = named(f"{database}&options=-c%20work_mem%3D3MB&connect_timeout=3", "shop")
    async with opened(DATABASE_URL=url, DB_POOL=kind) as db:
        assert await fetch(db, "SHOW work_mem") == "3MB"
        assert await count(db, "shop") >= 1


def test_a_parameter_of_database_url_that_no_driver_follows(read, database):
    with pytest.raises(ImproperlyConfigured) as caught:
        read(DATABASE_URL=f"{database}&sslmod=require", DB_REPLICAS=(f"{database}&sslsni=0",))

    assert "DATABASE_URL has the unknown parameter sslmod; expected" in str(caught.value)
    assert "DB_REPLICAS[0] has the parameter sslsni; expected" in str(caught.value)


async def test_db_config(make, database):
    async with make(DB_CONFIG={"dsn": database, "max_size": 1}).running() as service:
        assert await fetch(service.db, "SELECT current_database()") == urlsplit(database).path[1:]
        assert service.settings.database.max_size == 1


async def test_db_replicas(opened):
    with fresh_database("effects_replica") as replica:
        async with opened(DB_REPLICAS=(replica,)) as db:
            name = urlsplit(replica).path[1:]
            assert await fetch(db, "SELECT current_database()") == name
            assert await fetch(db, "SELECT current_database()", primary=True) != name


async def test_db_min_size(opened, database):
    async with opened() as watcher, opened(DATABASE_URL=named(database, "least"), DB_MIN_SIZE=3):
        assert await count(watcher, "least") == 3


@pytest.mark.punctual
async def test_db_max_size(opened):
    async with opened(DB_MAX_SIZE=1, DB_ACQUIRE_TIMEOUT=0.3) as db, db.acquire() as cur:
        await cur.fetchval("SELECT 1")
        with pytest.raises(PoolExhausted):
            await fetch(db, "SELECT 1")


@pytest.mark.punctual
async def test_db_acquire_timeout(opened):
    async with (
        opened(DB_MAX_SIZE=1, DB_ACQUIRE_TIMEOUT=0.3) as db,
        db.acquire() as cur,
        asyncio.timeout(4),  # the default is 5
    ):
        await cur.fetchval("SELECT 1")
        with pytest.raises(PoolExhausted):
            await fetch(db, "SELECT 1")


@pytest.mark.punctual
async def test_db_connect_timeout(opened):
    async def accept(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    url = f"postgresql://nobody@127.0.0.1:{server.sockets[0].getsockname()[1]}/none"
    async with server, asyncio.timeout(4):  # the default is 5
        with pytest.raises(DatabaseUnavailable):
            async with opened(DATABASE_URL=url, DB_CONNECT_TIMEOUT=0.05):
                pytest.fail("it started")


@pytest.mark.punctual
async def test_db_command_timeout(opened):
    async with opened(DB_COMMAND_TIMEOUT=0.05) as db:
        with pytest.raises(DatabaseUnavailable):
            await fetch(db, "SELECT pg_sleep(20)")


async def test_db_idle_timeout(opened, database):
    values = {"DATABASE_URL": named(database, "idle"), "DB_MIN_SIZE": 0, "DB_IDLE_TIMEOUT": 0.05}
    async with opened() as watcher, opened(**values) as db:
        await fetch(db, "SELECT 1")

        async def is_closed():
            return await count(watcher, "idle") == 0

        await until(is_closed)


async def test_db_max_lifetime(opened):
    async with opened(DB_MAX_SIZE=1, DB_MAX_LIFETIME=0.05) as db:
        first = await fetch(db, PID)

        async def is_another():
            return await fetch(db, PID) != first

        await until(is_another)


@pytest.mark.punctual
async def test_db_cursor_idle_timeout(opened):
    async with opened(DB_MAX_SIZE=1, DB_CURSOR_IDLE_TIMEOUT=0.05) as db:
        with pytest.raises(DatabaseUnavailable):
            async with db.acquire() as cur:
                rows = cur.cursor("SELECT generate_series(1, 1000)", prefetch=1).__aiter__()
                await anext(rows)
                await asyncio.sleep(0.5)
                async for _ in rows:
                    pass


async def test_db_statement_cache_size(opened):
    query = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%kept%'"
    for size, kept in ((0, 0), (100, 1)):
        async with opened(DB_MAX_SIZE=1, DB_STATEMENT_CACHE_SIZE=size) as db:
            for _ in range(3):
                await fetch(db, "SELECT 1 AS kept")
            assert await fetch(db, query.replace("kept", "AS ke" + "pt")) >= kept
            assert (await fetch(db, query) > 1) is bool(size)


async def test_db_pool(opened):
    for kind, pool in (("light", LightPool), ("asyncpg", AsyncpgPool)):
        async with opened(DB_POOL=kind) as db:
            assert type(db._pool) is pool
            assert await fetch(db, "SELECT 1") == 1


async def test_db_reset(opened):
    for kind, is_clean in (("auto", True), ("always", False)):
        async with opened(DB_MAX_SIZE=1, DB_RESET=kind) as db:
            pool, given = db._pool, []
            give = pool.give

            def watch(lease, *, clean, give=give, given=given):
                given.append(clean)
                give(lease, clean=clean)

            pool.give = watch
            await fetch(db, "SELECT 1")
            assert given == [is_clean]


@pytest.fixture
def probes(monkeypatch):
    """Count the probes of replicas; each says that it is behind where that is set."""

    class Asked(list):
        behind = False

    asked, ask = Asked(), Probe.ask

    async def counting(self, query):
        asked.append(query)
        await ask(self, query)
        return 0 if asked.behind and "replay" in query else 10

    monkeypatch.setattr(Probe, "ask", counting)
    return asked


async def test_db_probe_interval(opened, database, probes):
    async with opened(DB_REPLICAS=(database,), DB_PROBE_INTERVAL=0.02):

        async def are_many():
            return len(probes) > 10

        async with asyncio.timeout(30):  # ten rounds take 50 s by default
            await until(are_many)


@pytest.mark.punctual
@pytest.mark.parametrize(("most", "is_read"), [(0.0, False), (100.0, True)])
async def test_db_max_lag(opened, database, probes, most, is_read):
    probes.behind = True
    values = {"DB_REPLICAS": (database,), "DB_PROBE_INTERVAL": 0.5, "DB_MAX_LAG": most}
    async with opened(**values) as db:

        async def are_many():
            return len(probes) > 8

        await until(are_many)
        assert bool(db._replicas._healthy) is is_read


def test_auto_migrate(read, tmp_path, monkeypatch, capsys):
    app = tmp_path / "effect_models"
    (app / "migrations").mkdir(parents=True)
    (app / "__init__.py").touch()
    (app / "migrations" / "__init__.py").touch()
    (app / "migrations" / "0001_initial.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE made_at_the_start (id int)')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with fresh_database("effects_migrate") as url:
        for wanted in (False, True):
            settings = read(
                INSTALLED_APPS=("effect_models",), DATABASE_URL=url, AUTO_MIGRATE=wanted
            )
            prepare_database(settings, migrate=True)
            said = capsys.readouterr().out
            assert ("Applied 1 pending migration." in said) is wanted
            assert ("1 migration is pending (effect_models.0001_initial)" in said) is not wanted


@pytest.fixture
def apply_migration(read, tmp_path, monkeypatch):
    """Return a function that applies one migration, of some text, with some settings."""
    app = f"limits_of_{tmp_path.name}"
    directory = tmp_path / app / "migrations"
    directory.mkdir(parents=True)
    for each in (directory.parent, directory):
        (each / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with fresh_database("effects_migration") as url:

        def apply(text, **values):
            (directory / "0001_initial.py").write_text(text)
            apps = {"INSTALLED_APPS": (app,), "DATABASE_URL": url}
            settings = read(**apps, AUTO_MIGRATE=True, **values)
            prepare_database(settings, migrate=True)
            with psycopg.connect(url) as connection:
                return connection.execute("SELECT value FROM seen").fetchone()[0]

        yield apply


SEEN = "CREATE TABLE seen AS SELECT current_setting('{}') AS value"


def test_migration_lock_timeout(apply_migration):
    text = f'def up(migrator, db):\n    db.execute_sql("{SEEN.format("lock_timeout")}")\n'

    assert apply_migration(text, MIGRATION_LOCK_TIMEOUT=0.25) == "250ms"


def test_migration_lock_retries(apply_migration):
    text = (
        "attempts = []\n"
        "def up(migrator, db):\n"
        "    attempts.append(1)\n"
        "    if len(attempts) < 3:\n"
        "        db.execute_sql(\"DO 'BEGIN RAISE lock_not_available; END'\")\n"
        '    db.execute_sql("CREATE TABLE seen AS SELECT %s AS value", (len(attempts),))\n'
    )

    with pytest.raises(ImproperlyConfigured, match="MIGRATION_LOCK_RETRIES"):
        apply_migration(text, MIGRATION_LOCK_RETRIES=1)
    assert apply_migration(text, MIGRATION_LOCK_RETRIES=2) == 3


def test_migration_statement_timeout(apply_migration):
    text = (
        "from msframework.migrations import Run\n"
        "atomic = False\n"
        f'operations = (Run("{SEEN.format("statement_timeout")}"),)\n'
    )

    assert apply_migration(text, MIGRATION_STATEMENT_TIMEOUT=7) == "7s"
