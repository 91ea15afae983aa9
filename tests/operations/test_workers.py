"""The answers of a supervisor, from the last word of each of its workers."""

import re
import time

import pytest

from msframework.metrics.catalogue import LOOP_LAG
from msframework.metrics.snapshot import Snapshot
from msframework.operations.source import Report
from msframework.operations.status import Status
from msframework.operations.workers import WorkersSource

pytestmark = pytest.mark.punctual  # what is said grows old
GOOD = Report(True, {"db": None})
BAD = Report(False, {"db": "no answer"})


def word(report=GOOD, ago=0.0):
    """Return the word of a worker, and how many seconds old it is."""
    return ago, report.parts


def source_of(*, draining=False, **words):
    statuses = {
        name: each and Status(time.monotonic() - each[0], parts=each[1])
        for name, each in words.items()
    }
    return WorkersSource(lambda: statuses, lambda: draining, Snapshot)


@pytest.mark.parametrize(
    ("statuses", "ok"),
    [
        ({}, True),
        ({"one": None}, True),
        ({"one": word()}, True),
        ({"one": word(ago=3)}, True),
        ({"one": word(ago=9)}, False),
        ({"one": word(ago=9), "two": word()}, True),
        ({"one": word(ago=9), "two": None}, False),
        ({"one": word(ago=9), "two": word(ago=9)}, False),
    ],
    ids=["none", "starting", "one", "busy", "dead", "one of two", "one and starting", "both"],
)
def test_live_while_any_loop_turns(statuses, ok):
    report = source_of(**statuses).check_live()

    assert report.ok is ok
    assert set(report.parts) == {f"{name}: loop" for name in statuses if statuses[name]}


@pytest.mark.parametrize(
    ("statuses", "report"),
    [
        ({}, Report(False, {"service": "no worker"})),
        ({"one": None}, Report(False, {"one: service": "starting"})),
        ({"one": word()}, Report(True, {"one: db": None})),
        ({"one": word(Report(True))}, Report(True)),
        ({"one": word(BAD)}, Report(False, {"one: db": "no answer"})),
        (
            {"one": word(BAD), "two": word()},
            Report(True, {"one: db": "no answer", "two: db": None}),
        ),
        ({"one": word(ago=4.2)}, Report(False, {"one: loop": "it has not turned for 4 s"})),
    ],
    ids=["none", "starting", "ready", "no parts", "not", "one of two", "silent"],
)
def test_ready_while_any_worker_is(statuses, report):
    assert source_of(**statuses).check_ready() == report


def test_not_ready_once_it_drains():
    source = source_of(draining=True, one=word())

    assert source.check_ready() == Report(False, {"service": "draining"})
    assert source.check_live().ok


@pytest.mark.parametrize(("told", "lag"), [(0.25, 4.0), (9.0, 9.0)])
def test_the_lag_of_a_loop_that_stands_still_grows(told, lag):
    snapshot = Snapshot()
    snapshot.add(LOOP_LAG, (), [told])
    statuses = {"one": Status(time.monotonic() - 5.0), "two": Status(time.monotonic()), "new": None}
    source = WorkersSource(lambda: statuses, lambda: False, lambda: snapshot)

    text = source.render_metrics("text/plain")[0].decode()

    found = float(re.search(r"^msframework_loop_lag_seconds (.+)$", text, re.MULTILINE)[1])
    assert found == pytest.approx(lag, abs=0.5)
