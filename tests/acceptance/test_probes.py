"""Probes of a whole service while its PostgreSQL, its pool and its loop are harmed."""

import json
import os
import re
import signal
import threading
import time
from contextlib import contextmanager

import psycopg
import pytest

from msframework.db.embedded import EmbeddedServer
from tests.console import ROOT, read_url
from tests.processes import ServerProcess, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

# An app that keeps its connections, and its loop, until it is told to let go.
RESOURCES = '''
import os
import time

from msframework import Blueprint, Resource

held = Blueprint("held", url_prefix="/held")


@held.resource("/connection")
class HeldConnection(Resource):
    """One connection of the pool."""

    async def get(self, request):
        async with request.app.db.acquire() as cur:
            await cur.execute("SELECT pg_advisory_lock_shared(1)")


@held.resource("/loop")
class HeldLoop(Resource):
    """The event loop."""

    async def get(self, request):
        until = time.monotonic() + 60
        while os.path.exists("hold") and time.monotonic() < until:
            time.sleep(0.01)
'''
SETTINGS = """
DEBUG = True
SERVICE_NAME = "held"
INSTALLED_APPS = ("held",)
DB_MAX_SIZE = 2
"""
LIVE_BOUND = 5.0  # seconds that a loop which lives may rest


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """Yield a PostgreSQL of these tests' own, and the process of its postmaster."""
    server = EmbeddedServer(tmp_path_factory.mktemp("probes"))
    server.start()
    pid = int((server.status().data / "postmaster.pid").read_text().split()[0])
    yield server, pid
    server.reset()


@pytest.fixture(scope="module")
def service(tmp_path_factory, postgres):
    """Yield a service that serves, and the address of its probes."""
    folder = tmp_path_factory.mktemp("held")
    (folder / "held").mkdir()
    (folder / "held" / "__init__.py").touch()
    (folder / "held" / "resources.py").write_text(RESOURCES)
    (folder / "held_settings.py").write_text(SETTINGS)
    (folder / "manage.py").write_text((ROOT / "manage.py").read_text())
    server = ServerProcess(
        folder / "log",
        "--settings",
        "held_settings",
        cwd=folder,
        DATABASE_URL=postgres[0].url,
        OPERATIONS_PORT="0",
        PYTHONPATH=str(ROOT),
    )
    with server:
        port = re.search(r"Probes and metrics: http://127\.0\.0\.1:(\d+)", server.output())[1]
        yield server, f"http://127.0.0.1:{port}"


def ask(url):
    """Return status and JSON of a probe."""
    status, body = read_url(url, timeout=60)
    return status, json.loads(body)


def ask_for(url, seconds):
    """Return the answers of a probe, again and again."""
    until, found = time.monotonic() + seconds, []
    while time.monotonic() < until:
        found.append(ask(url))
        time.sleep(0.1)
    return found


def wait_for(url, status):
    """Wait until a probe answers *status*: its last answer is given again for a second."""
    wait_until(lambda: ask(url)[0] == status)


@contextmanager
def calling(url, times=1):
    """Call *url* so often at once, during the block."""

    def call():
        read_url(url, timeout=60)

    callers = [threading.Thread(target=call) for _ in range(times)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        for caller in callers:
            caller.join()


@contextmanager
def holding_loop(server):
    """Keep the loop of the service from turning, during the block."""
    hold = server.cwd / "hold"
    hold.touch()
    with calling(f"{server.url}/held/loop"):
        try:
            yield
        finally:
            hold.unlink()


def family(pid):
    """Return *pid* and its children."""
    children = [
        int(entry)
        for entry in os.listdir("/proc")
        if entry.isdigit() and _parent_of(entry) == str(pid)
    ]
    return [pid, *children]


def _parent_of(entry):
    try:
        with open(f"/proc/{entry}/stat") as file:
            return file.read().rpartition(")")[2].split()[1]
    except OSError:
        return None


def test_an_exhausted_pool_is_ready(service, postgres):
    server, probes = service
    wait_for(f"{probes}/readyz", 200)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    with psycopg.connect(postgres[0].url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(1)")
        with calling(f"{server.url}/held/connection", 6):
            try:
                wait_until(lambda: holder.execute(waiting).fetchone()[0] == 2)
                answers = ask_for(f"{probes}/readyz", 2)
                still = holder.execute(waiting).fetchone()[0]
            finally:
                holder.execute("SELECT pg_advisory_unlock(1)")

    assert {status for status, _ in answers} == {200}
    assert still == 2


def test_a_frozen_postgresql_is_not_ready_and_the_service_lives(service, postgres):
    _, probes = service
    wait_for(f"{probes}/readyz", 200)
    frozen = family(postgres[1])
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(f"{probes}/readyz", 503)
        answers = ask_for(f"{probes}/readyz", 7)
        live = ask(f"{probes}/livez")
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)

    assert {status for status, _ in answers} == {503}
    assert {told["parts"]["db"] for _, told in answers} <= {
        "no answer within 0.7 s",
        "no answer within 5.0 s",
    }
    assert live[0] == 200
    wait_for(f"{probes}/readyz", 200)


def test_a_postgresql_that_is_gone_is_not_ready_until_it_is_back(service, postgres):
    _, probes = service
    wait_for(f"{probes}/readyz", 200)
    postgres[0].stop()
    try:
        wait_for(f"{probes}/readyz", 503)
        answers = ask_for(f"{probes}/readyz", 1)
    finally:
        postgres[0].start()

    assert {status for status, _ in answers} == {503}
    wait_for(f"{probes}/readyz", 200)


def test_a_loop_that_is_busy_is_not_ready_and_lives(service):
    server, probes = service
    wait_for(f"{probes}/readyz", 200)

    with holding_loop(server):
        began = time.monotonic()
        wait_for(f"{probes}/readyz", 503)
        live = ask(f"{probes}/livez")
        is_short = time.monotonic() - began < LIVE_BOUND
        ready = ask_for(f"{probes}/readyz", 1)

    assert {status for status, _ in ready} == {503}
    assert live[0] == 200 or not is_short


def test_a_loop_that_does_not_turn_for_long_is_not_live(service):
    server, probes = service
    wait_for(f"{probes}/readyz", 200)

    with holding_loop(server):
        began = time.monotonic()
        wait_for(f"{probes}/livez", 503)
        assert time.monotonic() - began > LIVE_BOUND / 2

    wait_for(f"{probes}/livez", 200)
