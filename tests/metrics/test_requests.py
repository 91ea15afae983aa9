"""Requests that are noted and counted together give the numbers of those counted one by one."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msframework.metrics import Metrics
from msframework.metrics.requests import RequestCounter
from msframework.metrics.series import HistogramSeries, read_exemplar
from tests.examples import EXAMPLES, some_examples

LABELS = ("GET", "/items/{id}")
# Seconds around the bounds of the buckets, and beyond the last.
DURATIONS = st.sampled_from([0.0, 0.0001, 0.0005, 0.00051, 0.001, 0.004, 0.3, 9.99, 10.0, 60.0])
NOTES = st.tuples(st.sampled_from([200, 404]), DURATIONS)


class Clock:
    """A clock that stands still; it has been running for *now* seconds."""

    def __init__(self, monkeypatch, now=1_000_000.0):
        self.now = now
        monkeypatch.setattr("msframework.metrics.requests.perf_counter", lambda: self.now)


def request_of(began, trace_id=None):
    span = None if trace_id is None else SimpleNamespace(sampled=True, trace_id=trace_id)
    stream = SimpleNamespace() if began is None else SimpleNamespace(perft0=began)
    return SimpleNamespace(method="GET", stream=stream, span=span)


def counts_of(counter):
    """Return the cells of each series, without exemplars, by status."""
    family = counter._family
    kept = len(family.facts.buckets) + 2
    return {series.labels[2]: [*series.cells[:kept]] for series in family}


@settings(some_examples, max_examples=3 * EXAMPLES)
@given(batches=st.lists(st.lists(NOTES, max_size=40), max_size=6))
def test_notes_are_counted_as_requests_are_one_by_one(batches):
    with pytest.MonkeyPatch.context() as monkeypatch:
        clock = Clock(monkeypatch)
        noted, counted = RequestCounter(Metrics()), RequestCounter(Metrics())
        for batch in batches:
            for status, duration in batch:
                request = request_of(clock.now - duration)
                noted.of_operation(*LABELS).note(request, status)
                counted.of_operation(*LABELS).count(request, status)
            noted.settle()
            found, expected = counts_of(noted), counts_of(counted)
            assert found.keys() == expected.keys()
            for status, cells in found.items():
                assert cells[1:] == expected[status][1:]
                assert cells[0] == pytest.approx(expected[status][0], abs=1e-6)
            clock.now += 1.0


def test_what_is_added_to_a_begun_batch_is_counted_with_it(monkeypatch):
    clock = Clock(monkeypatch)
    counter = RequestCounter(Metrics())
    operation = counter.of_operation(*LABELS)
    assert not operation.begins.get(200)

    operation.note(request_of(clock.now), 200)
    operation.begins[200].append(clock.now)
    counter.settle()
    counter.settle()

    assert sum(counts_of(counter)["200"][1:]) == 2
    assert not operation.begins.get(200)  # the next one begins a batch again


@pytest.fixture
def remembered(monkeypatch):
    """Return what became an exemplar, as status and trace id, as it comes."""
    found = []
    monkeypatch.setattr(
        HistogramSeries,
        "remember",
        lambda series, value, trace_id: found.append((series.labels[2], trace_id)),
    )
    return found


def test_the_first_and_each_slower_request_of_a_second_is_an_exemplar(monkeypatch, remembered):
    clock = Clock(monkeypatch)
    operation = RequestCounter(Metrics()).of_operation(*LABELS)

    for trace_id, duration in (("a", 0.01), ("b", 0.002), ("c", 0.5), ("d", 0.4)):
        operation.count(request_of(clock.now - duration, trace_id), 200)
    clock.now += 1.0
    operation.count(request_of(clock.now - 0.002, "e"), 200)

    assert remembered == [("200", "a"), ("200", "c"), ("200", "e")]


def test_a_failure_is_an_exemplar_beside_successes_that_took_longer(monkeypatch, remembered):
    clock = Clock(monkeypatch)
    operation = RequestCounter(Metrics()).of_operation(*LABELS)

    operation.count(request_of(clock.now - 0.5, "a"), 200)
    operation.count(request_of(clock.now - 0.001, "b"), 500)

    assert remembered == [("200", "a"), ("500", "b")]


def test_a_trace_whose_start_is_unknown_is_an_exemplar_of_no_time(monkeypatch):
    Clock(monkeypatch)
    counter = RequestCounter(Metrics())
    request = request_of(None, "0af7651916cd43dd8448eb211c80319c")
    request.stream.perft0 = None  # that of a head that was refused

    counter.count(request, "", 400)

    (series,) = counter._family
    _, value, trace_id = read_exemplar(series.cells, len(series.bounds) + 2)
    assert (value, trace_id) == (0.0, request.span.trace_id)
    assert counts_of(counter) == {"400": [0.0, 1.0, *[0.0] * len(series.bounds)]}
