"""What all tests share: services made from a few settings, and real servers for them."""

import gc
import logging
import os
import signal
import sys
import threading
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sanic import Sanic

from msframework import health
from msframework.app import Service
from msframework.conf.settings import ServiceEntry, Settings
from msframework.log.setup import DEFAULT
from msframework.testing.server import Server
from msframework.tracing.context import read_current, write_current
from tests.punctual import run_punctually

# As from a shell: what starts the tests in the background has told them to ignore both.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# An example may take as long as the machine needs for it.
hypothesis_settings.register_profile(
    "tests",
    hypothesis_settings.default,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("tests")

# Bounds of other services and of parts that a loaded machine keeps, where a test sets none.
PRODUCTION = ServiceEntry.__init__.__defaults__
ServiceEntry.__init__.__defaults__ = (60.0, 60.0, *PRODUCTION[2:])
health.PART_BOUND = 60.0

# A task that an earlier test has left is collected at any time: that is no line of the test that
# happens to listen then.
logging.getLogger("asyncio").addFilter(
    lambda record: not record.getMessage().startswith("Task was destroyed but it is pending")
)

# The files that take longest; begun first, so that no process of a run is left with them alone.
SLOW = (
    *("test_workers", "test_how_to", "test_runserver", "test_embedded", "test_timeouts"),
    *("test_fences", "test_run", "test_equality", "test_plugin", "test_instrumentation"),
    *("test_unittest", "test_commands", "test_three_services", "test_service", "test_terminal"),
    *("test_changes", "test_handling", "test_observer", "test_supervisor", "test_drain"),
)
# The same for `make acceptance`.
SLOW += ("test_machine", "test_schemathesis", "test_linters", "test_generators")
# Files whose tests run lines that others run, too, but often: under coverage Python takes thrice as
# long, so none is measured of them. A file may stand here if the report is the same without it.
TESTS = Path(__file__).parent
UNMEASURED = {
    TESTS / f"{name}.py"
    for name in (
        *("test_architecture", "test_privates", "test_public_api", "access/test_differential"),
        *("codec/test_equality", "collection/test_scope", "db/test_session_state"),
        *("filters/test_differential", "filters/test_document", "inputs/test_parameters"),
        *("migrations/changes/test_changes", "migrations/test_operations"),
        *("openapi/test_constructs", "openapi/test_golden", "serving/test_differential"),
        *("serving/test_h1spec", "serving/test_outside", "serving/test_paths"),
        "serving/test_smuggling",
    )
}
LOGGERS = (None, *DEFAULT["loggers"])
SUBSYSTEMS = ("server", "tracing", "log", "openapi", "database", "access", "tls", "operations")


# NOTE: thousands of tests are collected, and none of them goes before the end. So the collector of
# garbage is left out until they are there, and does not look at them again.
gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Let three processes share two cores: with one for each, a third of their time is idle."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    known = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return cores + cores // 2


def pytest_configure():
    """Refuse a list that names files which are gone."""
    if gone := [str(path) for path in UNMEASURED if not path.exists()]:
        raise pytest.UsageError(f"UNMEASURED in {__file__} names what is not there: {gone}")


@pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_runtest_protocol")
def leave_coverage_out(item):
    """Leave coverage out of a test whose file is among `UNMEASURED`."""
    tracer = sys.gettrace()
    if item.path not in UNMEASURED or type(tracer).__module__ != "coverage":
        return (yield)
    of_threads = threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        threading.settrace(of_threads)
        sys.settrace(tracer)


def pytest_collection_modifyitems(items):
    """Put the slow files first."""
    items.sort(key=lambda item: item.path.stem not in SLOW)


def pytest_runtest_protocol(item, nextitem):
    """Let tests of short times be held to them only while the machine keeps time."""
    if item.get_closest_marker("punctual") is None:
        return None
    run_punctually(item, nextitem)
    return True


def pytest_collection_finish():
    """Let garbage be collected from now on."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def empty_app_registry():
    """Let every test name its services as it likes: Sanic keeps all apps of a process."""
    Sanic._app_registry.clear()
    yield
    Sanic._app_registry.clear()


@pytest.fixture(autouse=True, scope="module")
def little_to_collect():
    """Keep what earlier files have left out of collections: `caplog` makes one for each test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_span_left():
    """Let no test begin below a span that an earlier one has left: all share one context."""
    yield
    if read_current() is not None:
        write_current(None)


@pytest.fixture(autouse=True, scope="module")
def levels_before_module():
    """Put back, too, the levels that fixtures of a whole module change before its first test."""
    yield from keep_levels()


@pytest.fixture(autouse=True)
def levels_as_before():
    """Put back the levels of loggers, which a test that sets logging up changes for all others."""
    yield from keep_levels()


def keep_levels():
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        if logger.level != level:
            logger.setLevel(level)


@pytest.fixture
def caplog(caplog):
    """Let what earlier tests have left say its last words before this test listens."""
    gc.collect()
    return caplog


@pytest.fixture
def unwatched(monkeypatch):
    """Keep the coverage of a run within this one from the data of this one."""
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)


@pytest.fixture
def make_service():
    """Return `new_service`."""
    return new_service


def new_service(**changes) -> Service:
    """Return a service without a database; *changes* are those of `with_settings`."""
    service = Service(with_settings(**changes))
    service.config.TOUCHUP = False  # Sanic rewrites its classes once a process only
    return service


def with_settings(**changes) -> Settings:
    """Return settings; *changes* are for the top level, or by subsystem as dicts."""
    settings = Settings(debug=False, service_name="testing")
    for name, value in changes.items():
        if isinstance(value, dict) and name in SUBSYSTEMS:
            value = replace(getattr(settings, name), **value)
        settings = replace(settings, **{name: value})
    return settings


@asynccontextmanager
async def serve_service(service):
    """Serve *service* on a free port of the loopback; yields host and port."""
    server = Server(service)
    await server.start()
    try:
        host, _, port = server.url.removeprefix("http://").partition(":")
        yield host, int(port)
    finally:
        await server.stop()


@pytest.fixture
def serve():
    """Return `serve_service`, an async context manager."""
    return serve_service
