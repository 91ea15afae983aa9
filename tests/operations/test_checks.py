"""What a service needs beside its parts: other services, and a database that is up to date."""

import asyncio
import socket

import pytest

from msframework.app import Service
from msframework.conf.settings import ServiceEntry
from msframework.migrations import Runner
from msframework.operations import checks
from msframework.operations.checks import Migrations, Reach
from tests.conftest import with_settings
from tests.processes import fresh_database


@pytest.fixture
def caller_of():
    """Return a function that gives a service that calls another one at a port."""

    def caller_of(port, host="127.0.0.1"):
        entry = ServiceEntry(name="regions", url=f"http://{host}:{port}")
        return Service(with_settings(services={"regions": entry}))

    return caller_of


async def test_a_service_that_listens_is_reached(caller_of):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        service = caller_of(sock.getsockname()[1])

        assert await Reach(service, "regions").ready() is None


async def test_a_service_that_does_not_is_told_without_its_address(caller_of):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]

    assert await Reach(caller_of(port), "regions").ready() == "no connection: Connection refused"


async def test_a_name_that_is_unknown_is_told(caller_of):
    told = await Reach(caller_of(1, "nowhere.invalid"), "regions").ready()

    assert told.startswith("no connection: ")
    assert "nowhere" not in told


def test_what_settings_name_is_asked_where_somebody_may_want_to_know():
    entry = ServiceEntry(name="regions", url="http://a")
    values = {"services": {"regions": entry}, "operations": {"ready_services": ("regions",)}}
    database = {"url": "postgresql://a/b"}
    apps = ("apps.roles",)

    unmeasured = Service(with_settings(service_name="a", **values))
    values["operations"]["port"] = 0
    measured = Service(
        with_settings(service_name="b", database=database, installed_apps=apps, **values)
    )

    assert unmeasured.readiness._checks == {}
    assert list(measured.readiness._checks) == ["migrations", "service regions"]


@pytest.fixture(scope="module")
def database():
    """Yield the URL of an empty database."""
    with fresh_database("checks") as url:
        yield url


async def test_migrations_are_pending_until_they_are_applied(database, monkeypatch):
    service = Service(with_settings(database={"url": database}))
    check = Migrations(service, ("apps.roles",))
    await service.db.start()
    try:
        before = await check.ready()
        await asyncio.to_thread(Runner(database, ("apps.roles",)).migrate)
        after = await check.ready()
        monkeypatch.setattr(service.db.probe, "fetch", None)  # nobody asks any more
        later = await check.ready()
    finally:
        await service.db.stop()

    assert before.startswith("1 pending: roles.")
    assert (after, later) == (None, None)


async def test_migrations_that_cannot_be_told_are_pending(database, monkeypatch):
    service = Service(with_settings(database={"url": database}))
    wrong, unread = Migrations(service, ("no.such",)), Migrations(service, ("apps.roles",))

    async def fail(query):
        raise PermissionError

    monkeypatch.setattr(service.db.probe, "fetch", fail)

    assert await wrong.ready() == (
        "cannot be read (ImproperlyConfigured): see manage.py showmigrations"
    )
    assert await unread.ready() == "migrate_record cannot be read (PermissionError)"


async def test_many_migrations_are_named_in_part(monkeypatch):
    service = Service(with_settings(database={"url": "postgresql://a/b"}))
    names = tuple(("shop", f"000{number}") for number in range(5))
    monkeypatch.setattr(checks, "read_names", lambda apps: names)

    async def fetch(query):
        return [names[0]]

    monkeypatch.setattr(service.db.probe, "fetch", fetch)

    assert await Migrations(service, ("shop",)).ready() == (
        "4 pending: shop.0001, shop.0002, shop.0003, …"
    )


async def test_a_database_of_a_test_has_no_migrations_to_ask_for():
    service = Service(with_settings(database={"url": "postgresql://a/b"}))
    service.db = object()

    assert await Migrations(service, ("apps.roles",)).ready() is None
