"""Services that are told one setting, by a settings module as a project has it."""

import asyncio
import logging
from contextlib import asynccontextmanager

import aiohttp
import pytest
from sanic import Sanic

from msframework.app import create_app
from msframework.conf.loader import load_settings
from msframework.testing.server import serving
from tests.processes import fresh_database


@pytest.fixture(scope="session")
def database():
    """Yield the URL of an empty database."""
    with fresh_database("effects") as url:
        yield url


@pytest.fixture
def read(settings_module):
    """Return a function that reads settings from a module that says them; `DEBUG` is on."""

    def read(**values):
        lines = [f"{name} = {value!r}" for name, value in {"DEBUG": True, **values}.items()]
        return load_settings(settings_module("\n".join(lines)), {})

    return read


@pytest.fixture
def make(read):
    """Return a function that makes a service of such settings."""

    def make(**values):
        Sanic._app_registry.clear()  # several of one name, one after the other
        service = create_app(read(**values))
        service.config.TOUCHUP = False
        return service

    return make


class Running:
    """A service that is served, and what asks it."""

    def __init__(self, service, url, session):
        self.service, self.url, self.session = service, url, session

    async def ask(self, path, method="GET", **options):
        """Return the answer, read; its JSON is in `said`."""
        async with self.session.request(method, f"{self.url}{path}", **options) as answer:
            await answer.read()
            is_json = answer.content_type == "application/json"
            answer.said = await answer.json() if is_json else None
            return answer

    async def send(self, *parts):
        """Send *parts* as they are, and return all that comes until the connection is closed."""
        async with asyncio.timeout(30):
            host, _, port = self.url.removeprefix("http://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            for part in parts:
                writer.write(part)
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""
            finally:
                writer.close()


@pytest.fixture
def serve(make):
    """Return a context manager that serves a service of settings; *routes* adds to it."""

    @asynccontextmanager
    async def serve(routes=None, **values):
        service = make(**values)
        if routes is not None:
            routes(service)
        async with serving(service) as server, aiohttp.ClientSession() as session:
            yield Running(service, server.url, session)

    return serve


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@pytest.fixture
def lines_of():
    """Return a function that gives the list of what a logger is told from now on."""
    added = []

    def lines_of(name):
        handler, logger = Lines(), logging.getLogger(name)
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        added.append((logger, handler, before))
        return handler.messages

    yield lines_of
    for logger, handler, level in reversed(added):
        logger.removeHandler(handler)
        logger.setLevel(level)
