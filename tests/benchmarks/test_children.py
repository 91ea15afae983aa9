"""What a benchmark started ends with it, also where it is killed."""

import os
import signal
import subprocess
import sys

import pytest

from tests.console import ROOT

BENCHMARK = """
import sys, time
from benchmarks.children import start_child
start_child([sys.executable, "-c", "print('up', flush=True); import time; time.sleep(600)"])
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that tells a child")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_a_benchmark_that_is_ended(number):
    benchmark = subprocess.Popen(
        [sys.executable, "-c", BENCHMARK], cwd=ROOT, stdout=subprocess.PIPE
    )
    with benchmark, benchmark.stdout as said:
        assert said.readline() == b"up\n"
        os.kill(benchmark.pid, number)
        assert said.read() == b""  # it ends when nobody can write to it any more
