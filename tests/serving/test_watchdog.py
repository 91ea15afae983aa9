"""The watchdog: a process that hangs in its stop ends, and says where it hung."""

import os
import signal
import subprocess
import sys

import pytest

from tests.console import ROOT

PROGRAM = """
import asyncio, threading, time
from msframework.serving import watchdog

watchdog.MARGIN = 0.1
watchdog._PULSE = 0.05

async def stop():
    lines = watchdog.Watchdog()
    {}

def hang_here():
    time.sleep(300)

asyncio.run(stop())
threading.Thread(target=hang_here).start()  # the interpreter waits for it at its end
"""
CASES = {
    "a loop that stands still": "lines.begin(10, 0.1); hang_here()",
    "a loop that stood still before": "lines.expect(0.1); hang_here()",
    "a thread that outlives the loop": "lines.begin(0.2, 10)",
}


@pytest.mark.parametrize("hangs", CASES.values(), ids=CASES)
def test_a_process_that_hangs_ends_and_says_where(hangs):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(hangs)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
    )

    assert result.returncode == 1
    assert "Timeout (0:00:00" in result.stderr


def test_one_whose_output_nobody_reads_ends_too():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.write(writing, bytes(10_000_000))  # whatever has room
    os.set_blocking(writing, True)
    try:
        result = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(CASES["a loop that stands still"])],
            cwd=ROOT,
            stderr=writing,
            timeout=250,
        )
    finally:
        os.close(reading)
        os.close(writing)

    assert result.returncode == -signal.SIGALRM
