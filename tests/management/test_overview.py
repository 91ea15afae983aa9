"""The operations port and the metrics of a supervisor, and those of one process."""

import json
import os
import re
import socket
import time

import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.management import execute
from msframework.management.overview import place_of_probes, sharing_metrics
from msframework.metrics import directory
from msframework.metrics.registry import DIRECTORY_VARIABLE
from tests.conftest import with_settings
from tests.console import read_url
from tests.processes import ServerProcess, fresh_database

_PORT = re.compile(r"Probes and metrics: http://127\.0\.0\.1:(\d+) \(/livez, /readyz, /metrics\)")


@pytest.fixture(scope="module")
def database():
    """Yield the URL of an empty database."""
    with fresh_database("operations") as url:
        yield url


def find_probes(server):
    """Return the address of the probes that *server* announced."""
    return f"http://127.0.0.1:{_PORT.search(server.output())[1]}"


def wait_for(url, status, timeout=200, *, parts=0):
    """Wait until *url* answers *status*, and 200 of all parts; return the JSON."""
    deadline = time.monotonic() + timeout
    while True:
        found, body = read_url(url)
        told = json.loads(body)
        whole = status != 200 or all(reason == "ok" for reason in told["parts"].values())
        if found == status and len(told["parts"]) >= parts and whole:
            return told
        assert time.monotonic() < deadline, (found, body)
        time.sleep(0.05)


def shared_directories(pid):
    """Return the directories of metrics that the process *pid* holds."""
    held = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
    return {os.path.dirname(path) for path in held if path.endswith("/supervisor.lock")}


@pytest.mark.punctual
@pytest.mark.acceptance
def test_two_workers_have_one_port_for_their_probes(tmp_path, database):
    server = ServerProcess(
        tmp_path / "log",
        "--settings",
        "settings.roles",
        WORKERS="2",
        DATABASE_URL=database,
        OPERATIONS_PORT="0",
        DRAIN_DELAY="2",
    )

    with server:
        probes = find_probes(server)
        ready = wait_for(f"{probes}/readyz", 200, parts=4)
        live = read_url(f"{probes}/livez")
        own = read_url(f"{server.url}/readyz")
        health = execute(["health", "--url", probes])
        metrics = read_url(f"{probes}/metrics")[0]
        made = shared_directories(server.process.pid)
        server.process.terminate()
        draining = wait_for(f"{probes}/readyz", 503, 30)
        code = server.process.wait(200)

    assert len({name.partition(":")[0] for name in ready["parts"]}) == 2
    assert (live[0], own[0], health, metrics) == (200, 200, 0, 200)
    assert len(made) == 1
    assert draining["parts"] == {"service": "draining"}
    assert code == 0
    assert not any(map(os.path.exists, made))


@pytest.mark.punctual
def test_one_process_answers_for_itself(tmp_path, database):
    server = ServerProcess(
        tmp_path / "log",
        "--settings",
        "settings.roles",
        DATABASE_URL=database,
        OPERATIONS_PORT="0",
        DRAIN_DELAY="2",
    )

    with server:
        probes = find_probes(server)
        ready = wait_for(f"{probes}/readyz", 200)
        metrics = read_url(f"{probes}/metrics")[1].decode()
        server.process.terminate()
        draining = wait_for(f"{probes}/readyz", 503, 30)
        live = read_url(f"{probes}/livez")
        code = server.process.wait(200)

    assert ready["parts"] == {"migrations": "ok", "db": "ok"}
    assert "# TYPE msframework_" in metrics
    assert draining["parts"] == {"service": "draining"}
    assert (live[0], code) == (200, 0)


def test_nothing_is_shared_where_nothing_is_counted():
    with sharing_metrics(with_settings()) as shared:
        assert shared is None
        assert DIRECTORY_VARIABLE not in os.environ


def test_metrics_lie_elsewhere_where_memory_has_no_place(monkeypatch, tmp_path):
    monkeypatch.setattr(directory, "_IN_MEMORY", str(tmp_path / "none"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with sharing_metrics(with_settings(operations={"port": 0})) as shared:
        assert shared.path.parent == tmp_path
        assert os.environ[DIRECTORY_VARIABLE] == str(shared.path)
    assert not shared.path.exists()

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with (
        pytest.raises(ImproperlyConfigured, match="Name one in TMPDIR"),
        sharing_metrics(with_settings(operations={"port": 0})),
    ):
        pass


def test_probes_are_announced_where_they_are(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("p") / "s")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        assert place_of_probes(sock) == f"unix:{path} (/livez, /readyz, /metrics)"
