"""Tests of short times: what one finds counts only where the machine kept time meanwhile.

A test that a request which takes 0.2 s of its 0.3 s is answered says nothing on a machine that
stood still for a second. Where such a test fails, and its process was held up, it is run again,
with fresh fixtures. One that fails on a machine that kept time has failed.
"""

import gc
import threading
import time
import warnings

from _pytest.runner import runtestprotocol

ATTEMPTS = 8
LATE = 0.05  # seconds by which a thread that sleeps wakes up too late
TICK = 0.01


class PauseWatch:
    """Measures how long this process was held up at most, within its block."""

    def __init__(self):
        self.longest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pause watch", daemon=True)

    def _run(self):
        before = time.monotonic()
        while not self._over.wait(TICK):
            before = self._look(before)
        self._look(before)

    def _look(self, before):
        now = time.monotonic()
        self.longest = max(self.longest, now - before - TICK)
        return now

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._over.set()
        self._thread.join()


def _forget_leftovers():
    """Collect what a failed attempt has not closed, so that no other test is blamed for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


def run_punctually(item, nextitem):
    """Run *item* until it passes, or fails without a pause; its last reports count."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for attempt in range(ATTEMPTS):
        with PauseWatch() as watch:
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
        if attempt == ATTEMPTS - 1 or watch.longest < LATE:
            break
        if not any(report.failed for report in reports):
            break
        _forget_leftovers()
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
