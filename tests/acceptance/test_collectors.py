"""Collectors that fail, and requests that go on: a short run of benchmarks/tracing_overhead.py.

What it costs in p99 is for that benchmark to say, on a machine that does nothing else; here it
only must not be a multiple.
"""

import json
import shutil
import subprocess
import sys

import pytest

from tests.console import ROOT
from tests.processes import free_port

overhead = pytest.importorskip(
    "benchmarks.tracing_overhead", reason="pip install -r benchmarks/requirements.txt"
)
pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (shutil.which("wrk") and shutil.which("taskset")),
        reason="no load generator here: apt-get install wrk util-linux",
    ),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Run the benchmark: three rounds of two seconds."""
    out = tmp_path_factory.mktemp("overhead") / "out.json"
    command = [sys.executable, "-m", "benchmarks.tracing_overhead", "--only", "collectors"]
    options = {"duration": 2, "rounds": 3, "retries": 0, "port": free_port(), "out": out}
    command += [f"--{name}={value}" for name, value in options.items()]
    subprocess.run(command, cwd=ROOT, check=True, timeout=500)
    return json.loads(out.read_text())["collectors"]


def test_every_request_is_answered(found):
    assert {run["errors"] for run in found["runs"]} == {0}


@pytest.mark.parametrize("mode", overhead.MODES)
def test_requests_do_not_wait_for_the_collector(found, mode):
    assert found["ratios"]["read_one"]["p99_ms"][mode]["least"] < 1.5


@pytest.mark.parametrize("mode", overhead.MODES)
def test_memory_is_bounded(found, mode):
    first, *_, last = found["memory_mib"][mode]

    assert last - first <= overhead.MEMORY_LIMIT


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("dead", "unreachable"),
        ("silent", "timeout"),
        ("refuses", "refused"),
        ("too-large", "too_large"),
    ],
)
def test_what_is_lost_is_counted(found, mode, reason):
    assert found["dropped"][mode][reason] > 0


def test_a_collector_that_works_gets_all(found):
    assert found["dropped"]["works"] == {}
