"""The pytest plugin: `settings`, `app`, `client`, `db`, `services`, `make_key`. Runs in tests.

NOTE: pytest loads this before coverage starts, so its imports stand where they are used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    import asyncio

    from msframework.access import JWTKey
    from msframework.app import Service
    from msframework.conf.settings import DatabaseSettings, Settings
    from msframework.db import Database
    from msframework.testing.client import TestClient
    from msframework.testing.database import TestDatabase
    from msframework.testing.server import BackgroundServer
    from msframework.testing.services import MockService

DEFAULT_SETTINGS = ("settings.test", "settings.development")
REUSE_OPTIONS = {
    "--reuse-db": "copy the tests' database from a template that is kept for further runs",
    "--create-db": "with --reuse-db: make the template anew",
}
TIME_LIMIT = 60.0  # seconds for one test, where the project sets none
T = TypeVar("T")
_SERVICES = pytest.StashKey["MockService"]()

try:
    from pytest_asyncio import fixture as async_fixture
except ModuleNotFoundError:  # pragma: no cover - then pytest says that it cannot await fixtures
    async_fixture = pytest.fixture  # type: ignore[assignment]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --reuse-db and --create-db, where no other plugin has them."""
    group = parser.getgroup("msframework")
    for name, text in REUSE_OPTIONS.items():
        with suppress(ValueError):  # pytest-django has options of the same names and meanings
            group.addoption(name, action="store_true", default=False, help=text)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put the project on the path, and set a time limit for each test where there is none."""
    config.addinivalue_line(
        "markers", "budget(statements): each request of the test runs no more SQL statements"
    )
    root = str(config.rootpath)
    if (config.rootpath / "manage.py").exists() and root not in sys.path:
        sys.path.insert(0, root)
    if not config.pluginmanager.hasplugin("timeout"):
        return
    given = config.getoption("timeout", None) is not None or config.getini("timeout")
    if not given and "PYTEST_TIMEOUT" not in os.environ:
        config.option.timeout = TIME_LIMIT


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell the classes of `APITestCase` whether a template is kept for further runs."""
    case = sys.modules.get("msframework.testing.case")
    if case is None:  # nobody has imported the class
        return
    for item in items:
        cls = getattr(item, "cls", None)
        if isinstance(cls, type) and issubclass(cls, case.APITestCase):
            chosen: Any = cls
            chosen._reuse_db = config.getoption("reuse_db", default=False)
            chosen._create_db = config.getoption("create_db", default=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test in which another service was called that no reply was declared for."""
    try:
        with _budget_of(item):
            yield
    except BaseException as exc:
        mock = item.stash.get(_SERVICES, None)
        for call in mock.unexpected if mock is not None else ():
            exc.add_note(f"unexpected call to another service: {call}")
        raise
    mock = item.stash.get(_SERVICES, None)
    if mock is not None:
        mock.verify()


def _budget_of(item: pytest.Item) -> AbstractContextManager[object]:
    """Return the budget that the marker of a test sets for its requests."""
    marker = item.get_closest_marker("budget")
    if marker is None:
        return nullcontext()
    from msframework.testing.budget import request_budget

    return request_budget(*marker.args, **marker.kwargs)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write down the coverage of a process of `--parallel`, which may be killed when it is done."""
    coverage = sys.modules.get("coverage")
    if coverage is not None and hasattr(session.config, "workerinput"):
        current = coverage.Coverage.current()
        if current is not None:
            current.save()


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The settings of the run: those of `SANIC_CONFIG_MODULE`, else the first of the defaults."""
    return find_settings()


def find_settings() -> Settings:
    """Return the settings of a run.

    Raises:
        UsageError: there are none, neither named nor by default.
    """
    from msframework._imports import exists
    from msframework.conf.loader import MODULE_VARIABLE, load_settings

    module = os.environ.get(MODULE_VARIABLE) or next(filter(exists, DEFAULT_SETTINGS), None)
    if module is None:
        raise pytest.UsageError(
            f"there is neither {' nor '.join(DEFAULT_SETTINGS)}, and {MODULE_VARIABLE} is not set. "
            f"Write one of them, set {MODULE_VARIABLE}, or override the fixture `settings`; and "
            "run pytest where manage.py is."
        )
    return load_settings(module)


@pytest.fixture(scope="session")
def msframework_database(
    settings: Settings, pytestconfig: pytest.Config
) -> Iterator[TestDatabase | None]:
    """The database of the run, created and migrated once; `None` when the settings give none."""
    from msframework.testing.database import TestDatabase

    if not TestDatabase.wanted(settings):
        yield None
        return
    database = TestDatabase(
        settings,
        reuse=pytestconfig.getoption("reuse_db", default=False),
        anew=pytestconfig.getoption("create_db", default=False),
    )
    try:
        database.create()
        yield database
    finally:
        database.drop()


@pytest.fixture(scope="session")
def msframework_services(settings: Settings) -> Iterator[MockService]:
    """The mock of other services, one server for the run."""
    from msframework.testing.services import MockService

    with MockService(settings.services) as mock:
        yield mock


@pytest.fixture(scope="session")
def msframework_app(
    settings: Settings,
    msframework_database: TestDatabase | None,
    msframework_services: MockService,
) -> Service:
    """The service of the run, built from the settings with database and services replaced."""
    from sanic import Sanic

    from msframework.app import create_app

    getattr(Sanic, "_app_registry", {}).clear()
    settings = msframework_services.point(settings)
    if msframework_database is not None:
        settings = msframework_database.point(settings)
    return create_app(settings)


@pytest.fixture(scope="session")
def msframework_server(
    msframework_app: Service, msframework_services: MockService
) -> Iterator[BackgroundServer]:
    """One server of the service for the run, in a thread."""
    from msframework.testing.server import BackgroundServer
    from msframework.testing.service import clients_of

    with BackgroundServer(msframework_app) as server:
        msframework_services.take_over(clients_of(msframework_app))
        yield server


@pytest.fixture
def services(
    request: pytest.FixtureRequest, msframework_services: MockService
) -> Iterator[MockService]:
    """Declare the replies of other services; a call without one fails the test."""
    msframework_services.reset()
    request.node.stash[_SERVICES] = msframework_services
    yield msframework_services
    msframework_services.reset()


@pytest.fixture
def clean_database(msframework_database: TestDatabase | None) -> Iterator[TestDatabase | None]:
    """The database of the run; afterwards it holds again the rows of the migrations."""
    yield msframework_database
    if msframework_database is not None:
        msframework_database.reset()


@pytest.fixture
def app(
    msframework_server: BackgroundServer,
    msframework_app: Service,
    clean_database: TestDatabase | None,
    services: MockService,
) -> Service:
    """The service, which is being served; the rows that it writes are gone after the test.

    So are the requests that its rate limits have counted.
    """
    msframework_app._serving.rates.forget()
    return msframework_app


@pytest.fixture
def in_server(
    app: Service, msframework_server: BackgroundServer
) -> Callable[[Coroutine[Any, Any, T]], asyncio.Future[T]]:
    """Await something in the server's own loop: `await in_server(app.ctx.part.ran.wait())`."""
    import asyncio

    def in_server(coroutine: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        loop = msframework_server.thread.loop
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))

    return in_server


@pytest.fixture(scope="session")
def make_key() -> Callable[..., JWTKey]:
    """Make keys of tokens, strong enough and of this run only: `make_key("ES256", kid="one")`."""
    from msframework.access import JWTKey

    return JWTKey.generate


@async_fixture
async def client(app: Service, msframework_server: BackgroundServer) -> AsyncIterator[TestClient]:
    """Call the service: `await client.post("/users", json={…})`."""
    from msframework.testing.client import TestClient

    async with TestClient(msframework_server.url, app.operations) as test_client:
        yield test_client


@async_fixture
async def db(settings: Settings, clean_database: TestDatabase | None) -> AsyncIterator[Database]:
    """The database of the run, in the test's own loop: `async with db.transaction() as cur:`."""
    from msframework.db import Database

    if clean_database is None:
        pytest.fail("the settings give no database: set DATABASE_URL, or DEBUG for an embedded one")
    database = Database(_small(clean_database.point(settings)), debug=settings.debug)
    await database.start()
    try:
        yield database
    finally:
        await database.stop()


def _small(settings: Settings) -> DatabaseSettings:
    """Return the database settings of *settings*, for no more connections than one test needs."""
    from dataclasses import replace

    return replace(settings.database, min_size=1, max_size=min(4, settings.database.max_size))


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `hash_password` and `verify_password` cost next to nothing, so that tests don't wait."""
    from msframework.access import password

    cheap = password.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(password, "default", cheap)
