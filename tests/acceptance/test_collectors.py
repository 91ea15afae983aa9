"""Collectors that fail, and requests that go on: a short run of benchmarks/collectors.py.

What it costs in p99 is for that benchmark to say, on a machine that does nothing else; here it
only must not be a multiple.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

from msframework.db.embedded import EmbeddedServer
from tests.console import ROOT
from tests.processes import free_port

collectors = pytest.importorskip("benchmarks.collectors", reason="pip install psutil")
pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.alone,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not (shutil.which("wrk") and shutil.which("taskset")),
        reason="no load generator here: apt-get install wrk util-linux",
    ),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Run the benchmark: two short rounds."""
    folder = tmp_path_factory.mktemp("collectors")
    out, root = folder / "out.json", folder / "postgresql"  # no other benchmark stops that one
    command = [sys.executable, "-m", "benchmarks.collectors"]
    options = {"rounds": 2, "processes": 1, "turns": 1, "retries": 0, "port": free_port()}
    command += [f"--{name}={value}" for name, value in {**options, "out": out}.items()]
    env = {**os.environ, "BENCH_PG": str(root)}
    try:
        subprocess.run(command, cwd=ROOT, env=env, check=True, timeout=1500)
        return json.loads(out.read_text())["summary"]
    finally:
        root.mkdir(exist_ok=True)
        EmbeddedServer(root).reset()


def test_every_request_is_answered(found):
    assert found["errors"] == 0


@pytest.mark.parametrize("mode", collectors.MODES)
def test_requests_do_not_wait_for_the_collector(found, mode):
    assert min(found["ratios"]["p99_ms"][mode]["rounds"]) < 3


@pytest.mark.parametrize("mode", collectors.MODES)
def test_memory_is_bounded(found, mode):
    assert found["grown_mib"][mode] <= collectors.MEMORY_LIMIT


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
