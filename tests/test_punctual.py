"""Tests of short times are run again where, and only where, they failed in a process held up."""

import time
from types import SimpleNamespace

import pytest

from tests import punctual

LATE, QUIET = 2 * punctual.LATE, 0.0


@pytest.mark.parametrize(
    ("attempts", "reported"),
    [
        ([(True, QUIET)], True),
        ([(True, LATE)], True),
        ([(False, QUIET)], False),
        ([(False, LATE), (False, LATE), (True, LATE)], True),
        ([(False, LATE), (False, QUIET)], False),
        ([(False, LATE)] * punctual.ATTEMPTS, False),
    ],
)
def test_a_failure_counts_where_the_machine_kept_time(monkeypatch, attempts, reported):
    left, told = list(attempts), []

    class Watch:
        def __enter__(self):
            return self

        def __exit__(self, *exc_info):
            self.longest = pauses.pop()

    def run(item, nextitem, log):
        passed, pause = left.pop(0)
        pauses.append(pause)
        return [SimpleNamespace(failed=not passed)]

    pauses = []
    monkeypatch.setattr(punctual, "PauseWatch", Watch)
    monkeypatch.setattr(punctual, "runtestprotocol", run)
    hooks = SimpleNamespace(
        pytest_runtest_logstart=lambda **options: None,
        pytest_runtest_logreport=lambda report: told.append(not report.failed),
        pytest_runtest_logfinish=lambda **options: None,
    )

    punctual.run_punctually(SimpleNamespace(ihook=hooks, nodeid="a", location=()), None)

    assert (left, told) == ([], [reported])


def test_the_longest_pause_is_that_of_a_thread_that_woke_up_late():
    watch = punctual.PauseWatch()
    watch._look(time.monotonic() - 1.0)
    watch._look(time.monotonic() - 0.1)

    assert 0.9 < watch.longest < 60
