import io
import itertools

import psycopg
import pytest

from msframework.migrations import progress
from msframework.migrations.connection import opened
from msframework.migrations.progress import LongWork, Reporter, WaitTeller
from msframework.migrations.waiting import (
    Blocker,
    LockObserver,
    LockPolicy,
    Sighting,
    milliseconds,
)


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by two seconds each time that it is looked at."""
    seconds = itertools.count(100.0, 2.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))


@pytest.fixture
def said():
    return []


def test_progress_is_a_line_every_few_seconds(clock, said):
    work = LongWork(Reporter(said.append), "filling a.b")

    for done in (1, 2, 3, 4, 5):
        work.tell(done * 1000, 10_000, "rows")

    assert said == [
        "  filling a.b: 10% of about 10,000 rows, 18 s left",
        "  filling a.b: 30% of about 10,000 rows, 23 s left",
        "  filling a.b: 50% of about 10,000 rows, 18 s left",
    ]


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (5, None, "5 rows"),
        (11_000, 10_000, "99% of about 10,000 rows, 0 s left"),
        (1, 100, "1% of about 100 rows, 3 min left"),
        (1, 100_000, "0% of about 100,000 rows, 56 h left"),
    ],
)
def test_what_is_left_is_told_as_far_as_it_is_known(clock, said, done, total, text):
    LongWork(Reporter(said.append), "filling").tell(done, total, "rows")

    assert said == [f"  filling: {text}"]


def test_short_work_says_nothing(said):
    LongWork(Reporter(said.append), "filling").tell(1, 2, "rows")

    assert said == []


def test_a_terminal_has_one_line_that_is_written_over(clock, said):
    terminal = io.StringIO()
    reporter = Reporter(said.append, terminal)

    reporter.progress("half " * 100)
    reporter.progress("whole")
    reporter.say("done")
    reporter.clear()

    lines = terminal.getvalue().split("\r\x1b[2K")
    assert len(lines[1]) < 100 * len("half ")
    assert lines[2:] == ["whole", ""]
    assert said == ["done"]


def test_what_is_waited_for_is_said_once(said):
    blocker = Blocker(7, "report", "client backend", "active", 3.2)
    teller = WaitTeller(Reporter(said.append), "a.0001")

    for _ in range(2):
        teller.tell(Sighting(blocker))
    teller.tell_retry([Sighting(blocker)], 4, 30, 0.5)
    teller.tell_retry([Sighting(Blocker(8, "", "autovacuum worker", None, None))], 5, 30, 0.5)
    teller.tell_retry([], 6, 30, 0.5)

    assert said == [
        "  a.0001 waits for process 7 (report, active, in a transaction for 3 s)",
        "  a.0001 waits for locks that process 8 (autovacuum worker) holds; tried again in 0.5 s "
        "(5 of 30)",
        "  a.0001 waits for locks that others hold; tried again in 0.5 s (6 of 30)",
    ]


def test_the_stage_of_an_index_is_told(clock, said):
    teller = WaitTeller(Reporter(said.append), "a.0001")

    teller.tell(Sighting(None, "building index: scanning table", 0.421))

    assert said == ["  a.0001: building index: scanning table 42%"]


def test_pauses_grow_up_to_five_seconds():
    pauses = list(LockPolicy(retries=30).pauses())

    assert len(pauses) == 30
    assert 0.05 <= pauses[0] <= 0.1
    assert 2.5 <= pauses[-1] <= 5
    assert [milliseconds(each) for each in (0, 0.0001, 0.25)] == ["0ms", "1ms", "250ms"]


def test_only_an_autovacuum_is_ended(url):
    with opened(url) as database, psycopg.connect(url) as other:
        observer = LockObserver(database)
        pid = other.info.backend_pid
        assert not observer.end_autovacuum(Blocker(pid, None, "autovacuum worker", None, None))
        observer._look(database.connection(), pid)

        assert not observer.end_autovacuum(Blocker(pid, None, "client backend", None, None))
        assert not observer.end_autovacuum(Blocker(pid, None, "autovacuum worker", None, None))

        other.execute("SELECT 1")
        observer.close()
