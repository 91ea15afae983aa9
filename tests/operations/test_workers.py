"""The answers of a supervisor, from the last word of each of its workers."""

import time

import pytest

from msframework.operations.source import Report
from msframework.operations.status import Status
from msframework.operations.workers import WorkersSource

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
    return WorkersSource(lambda: statuses, lambda: draining, lambda accept: (b"", accept))


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
    assert source.render_metrics("text/plain") == (b"", "text/plain")
