"""The metrics of two workers, beside what their callers counted."""

import http.client
import os
import re
import signal
import time
from collections import Counter

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.console import ROOT, read_url
from tests.processes import ServerProcess

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

RESOURCES = '''
import os

from msframework import Blueprint, Resource
from msframework.exceptions import NotFound

counted = Blueprint("counted", url_prefix="/counted")


@counted.resource("/<number:int>")
class Number(Resource):
    """A number, of which every third is missing."""

    async def get(self, request, number: int) -> dict:
        if number % 3 == 0:
            raise NotFound
        return {"worker": os.getpid()}
'''
SETTINGS = 'SERVICE_NAME = "counted"\nINSTALLED_APPS = ("counted",)\n'
REQUESTS = 600
DURATION = "msframework_request_duration_seconds"


@pytest.fixture
def service(tmp_path):
    """Yield a service of two workers, and the address of its metrics."""
    (tmp_path / "counted").mkdir()
    (tmp_path / "counted" / "__init__.py").touch()
    (tmp_path / "counted" / "resources.py").write_text(RESOURCES)
    (tmp_path / "counted_settings.py").write_text(SETTINGS)
    (tmp_path / "manage.py").write_text((ROOT / "manage.py").read_text())
    server = ServerProcess(
        tmp_path / "log",
        *("--settings", "counted_settings", "--workers", "2"),
        cwd=tmp_path,
        OPERATIONS_PORT="0",
        PYTHONPATH=str(ROOT),
    )
    with server:
        port = re.search(r"Probes and metrics: http://127\.0\.0\.1:(\d+)", server.output())[1]
        yield server, f"http://127.0.0.1:{port}"


def ask(server, numbers):
    """Ask for each of *numbers* over a connection of its own; return statuses and workers."""
    statuses, workers = Counter(), Counter()
    for number in numbers:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", f"/counted/{number}")
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        statuses[str(answer.status)] += 1
        if answer.status == 200:
            workers[int(re.search(rb'"worker": ?(\d+)', body)[1])] += 1
    return statuses, workers


def read_counts(url):
    """Return the requests of our route by status, as the metrics count them, and the gauges."""
    counts, gauges = Counter(), {}
    _, body = read_url(f"{url}/metrics", timeout=60)
    text = body.decode() if isinstance(body, bytes) else body
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{DURATION}_count" and "counted" in sample.labels["route"]:
                counts[sample.labels["status"]] += int(sample.value)
            if family.type == "gauge":
                gauges[sample.name] = sample.value
    return counts, gauges


def wait_for(read, wanted):
    until = time.monotonic() + 60
    while (found := read()) != wanted:
        assert time.monotonic() < until, (found, wanted)
        time.sleep(0.05)


def test_two_workers_add_up_to_what_their_callers_counted(service):
    server, url = service
    statuses, workers = ask(server, range(REQUESTS))
    assert len(workers) == 2, "one worker took all connections"
    assert statuses == {"200": REQUESTS * 2 / 3, "404": REQUESTS / 3}
    wait_for(lambda: read_counts(url)[0], statuses)

    os.kill(workers.most_common(1)[0][0], signal.SIGKILL)
    until = time.monotonic() + 60
    while server.output().count("Worker ready") < 3:
        assert time.monotonic() < until
        time.sleep(0.05)
    wait_for(lambda: read_counts(url)[0], statuses)  # what a dead worker counted stays

    more, _ = ask(server, range(REQUESTS))
    wait_for(lambda: read_counts(url)[0], statuses + more)
    print(f"{2 * REQUESTS} requests, one worker killed: counted {dict(read_counts(url)[0])}")
