"""One served shop and one database for the tests of collections."""

from dataclasses import replace

import asyncpg
import pytest
from sanic import Sanic

from msframework.conf.settings import DatabaseSettings
from msframework.testing.client import TestClient
from msframework.testing.server import BackgroundServer
from tests.collection import archive, library, shop
from tests.conftest import new_service
from tests.processes import fresh_database


@pytest.fixture(scope="session")
def shop_url():
    with fresh_database("collections") as url:
        yield url


@pytest.fixture(scope="session")
def shop_service(shop_url):
    Sanic._app_registry.clear()
    service = new_service(database=replace(DatabaseSettings(), url=shop_url, max_size=4))
    service.authenticate("name", shop.ByName())
    for blueprint in shop.BLUEPRINTS:
        service.blueprint(blueprint)
    return service


@pytest.fixture(scope="session")
def shop_server(shop_service):
    with BackgroundServer(shop_service) as server:
        yield server


@pytest.fixture
async def admin(shop_url, shop_service):
    """A connection to the database, whose tables are empty but for two people."""
    conn = await asyncpg.connect(shop_url)
    if await conn.fetchval("SELECT to_regclass('notes')") is None:
        await conn.execute(shop.TABLES)
    await conn.execute(shop.CLEAR)
    await conn.execute("INSERT INTO people (name) VALUES ('Ada'), ('Eve')")
    yield conn
    await conn.close()


@pytest.fixture
async def client(shop_server, shop_service, admin):
    """Somebody without a name."""
    async with TestClient(shop_server.url, shop_service.operations) as client:
        yield client


@pytest.fixture
def ada(client):
    return client.as_principal({"sub": "1"})


@pytest.fixture
def eve(client):
    return client.as_principal({"sub": "2"})


@pytest.fixture(scope="session")
def library_service(shop_url):
    Sanic._app_registry.clear()
    service = new_service(database=replace(DatabaseSettings(), url=shop_url, max_size=4))
    service.authenticate("name", shop.ByName())
    for blueprint in (*library.BLUEPRINTS, *archive.BLUEPRINTS):
        service.blueprint(blueprint)
    return service


@pytest.fixture(scope="session")
def library_server(library_service):
    with BackgroundServer(library_service) as server:
        yield server


@pytest.fixture
async def books(shop_url, library_server, library_service):
    """Whoever reads the library."""
    conn = await asyncpg.connect(shop_url)
    if await conn.fetchval("SELECT to_regclass('library.books')") is None:
        await conn.execute(library.TABLES)
        await conn.execute(archive.TABLES)
    await conn.close()
    async with TestClient(library_server.url, library_service.operations) as client:
        yield client
