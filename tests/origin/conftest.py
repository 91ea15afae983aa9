"""The project of the origin document, written once and served once for all of its tests."""

import subprocess
import sys
import time
from types import SimpleNamespace

import opentracing
import psycopg
import pytest
from sanic import Sanic

from msframework.migrations import Runner
from msframework.testing import TestClient
from msframework.testing.server import BackgroundServer
from tests.console import answers
from tests.migrations.support import columns, query, recorded, server_url, url
from tests.origin.patches import block
from tests.origin.project import write_project
from tests.origin.support import PATIENCE, Upstream, environment, listeners_with_loop, reading
from tests.processes import free_port

__all__ = ["columns", "query", "recorded", "server_url", "url"]


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "origin(*texts): the sentences of the origin document that the test holds"
    )


@pytest.fixture(scope="session")
def upstream():
    """The other services."""
    upstream, tracer = Upstream(), opentracing.global_tracer()
    with upstream.server:
        opentracing.set_global_tracer(tracer)  # they stand for other processes
        yield upstream


@pytest.fixture(scope="session")
def mysite(tmp_path_factory, server_url):
    """The project, with a database that its migrations have made: `root` and `url`."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE mysite")
    url = server_url.replace("@/postgres?", "@/mysite?")
    root = write_project(tmp_path_factory.mktemp("mysite"), url)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root))
        patch.setattr(sys, "dont_write_bytecode", True)
        Runner(url, ["service"]).migrate()
        yield SimpleNamespace(root=root, url=url)
        for name in [name for name in sys.modules if name.partition(".")[0] in TOPS]:
            del sys.modules[name]


TOPS = ("mysite", "service")


@pytest.fixture(scope="module")
def served(mysite, upstream):
    """The service, served in a thread for one chapter: `app` and `url`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANIC_CONFIG_MODULE", "mysite.configs")
        patch.setenv("EXTRA", f'{{"upstream": "{upstream.url}"}}')
        patch.setenv("TRACE_FLUSH_INTERVAL", "0.02")
        Sanic._app_registry.clear()
        from service.server import app

        server = BackgroundServer(app)
        with listeners_with_loop():
            server.start()
        yield SimpleNamespace(app=app, url=server.url)
        with listeners_with_loop():
            server.stop()


@pytest.fixture
def app(served, upstream, mysite):
    """The service, with an empty table of users."""
    with psycopg.connect(mysite.url, autocommit=True) as connection:
        connection.execute("TRUNCATE users RESTART IDENTITY")
    upstream.forget()
    return served.app


@pytest.fixture
async def client(app, served):
    """Calls the service."""
    async with TestClient(served.url, app.operations) as client:
        yield client


@pytest.fixture
def spans():
    """The spans that are logged."""
    with reading("zipkin") as lines:
        yield lines


@pytest.fixture(scope="session")
def process(mysite, upstream, tmp_path_factory):
    """The service as a process of its own, begun in a directory that has nothing of it."""
    cwd = tmp_path_factory.mktemp("elsewhere")
    port = free_port()
    serve = f"exec {sys.executable} -m sanic service.server:app --single-process --port {port}"
    env = environment(
        mysite.root,
        EXTRA=f'{{"upstream": "{upstream.url}"}}',
        LOGGING_CONFIG=str(mysite.root / "mysite" / "logging.yml"),
        TRACE_FLUSH_INTERVAL="0.02",
    )
    del env["SANIC_CONFIG_MODULE"]
    with (cwd / "output").open("wb") as output:
        process = subprocess.Popen(
            # The first line is the document's.
            ["bash", "-c", block("Config, code 1") + serve],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 6 * PATIENCE
        while not answers(f"{url}/openapi/spec.json"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((cwd / "output").read_text())
            time.sleep(0.05)
        yield SimpleNamespace(url=url, cwd=cwd, log=cwd / "service.log")
    finally:
        process.terminate()
        process.wait(200)


@pytest.fixture
def person():
    """A user as `create_user` takes one."""
    return {"name": "test", "age": 2, "sex": "male", "city_id": 1, "role_id": 1}
