import time

import pytest

from msframework.tracing import Tracer
from msframework.tracing.sampler import Sampler
from msframework.tracing.span import MAX_LOGS, to_perf_counter


@pytest.fixture
def tracer():
    return Tracer()


def test_ids_are_made_once_and_of_the_right_length(tracer):
    span = tracer.start_span("a")

    assert (len(span.trace_id), len(span.span_id)) == (32, 16)
    assert (span.trace_id, span.span_id) == (span.trace_id, span.span_id)
    assert int(span.trace_id, 16) > 0
    assert int(span.span_id, 16) > 0


def test_two_roots_are_two_traces(tracer):
    assert tracer.start_span("a").trace_id != tracer.start_span("b").trace_id


def test_a_span_is_recorded_once_however_often_it_finishes(tracer):
    span = tracer.start_span("a")
    span.finish()
    end = span.end
    span.finish()

    assert tracer.recorder.spans == [span]
    assert span.end == end


@pytest.mark.punctual
def test_times_that_are_given_are_seconds_since_the_epoch(tracer):
    now = time.time()
    span = tracer.start_span("a", start_time=now - 10)
    span.finish(finish_time=now - 8)

    assert span.start_time == pytest.approx(now - 10, abs=0.1)
    assert span.duration == pytest.approx(2, abs=0.1)


def test_duration_is_unknown_until_the_end(tracer):
    assert tracer.start_span("a").duration is None


def test_a_recorder_that_raises_is_logged_and_harms_nobody(caplog):
    class Broken:
        def record(self, span):
            raise RuntimeError("full")

    Tracer(recorder=Broken()).start_span("a").finish()

    assert "could not be recorded" in caplog.text


def test_annotations_are_bounded(tracer):
    span = tracer.start_span("a")
    assert span.logs == ()
    for number in range(MAX_LOGS + 1):
        span.log_kv({"event": number})

    assert len(span.logs) == MAX_LOGS


def test_an_exception_inside_becomes_an_error(tracer):
    with pytest.raises(ValueError, match="bad"), tracer.start_span("a"):
        raise ValueError("bad")

    (span,) = tracer.recorder.spans
    assert span.tags == {"error": True, "error.kind": "ValueError", "error.message": "bad"}


def test_a_database_error_shows_only_its_state(tracer):
    class UniqueViolation(Exception):
        sqlstate = "23505"

    span = tracer.start_span("a").set_error(UniqueViolation("Key (email)=(ann@example.org)"))

    assert span.tags["error.message"] == "SQLSTATE 23505"


def test_an_exception_without_a_text_is_an_error_still(tracer):
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    assert tracer.start_span("a").set_error(Mute()).tags["error.message"] == "(no text)"


def test_baggage_goes_to_later_children_only(tracer):
    parent = tracer.start_span("a")
    early = tracer.start_child("b", parent)
    parent.set_baggage_item("tenant", "x")
    late = tracer.start_child("c", parent)

    assert early.get_baggage_item("tenant") is None
    assert late.get_baggage_item("tenant") == "x"
    assert late.context.baggage == {"tenant": "x"}


def test_unsampled_spans_have_ids_and_keep_nothing():
    tracer = Tracer(sampler=Sampler(0.0))
    span = tracer.start_span("a")
    span.set_tag("k", 1).log_kv({"event": "x"}).set_error(ValueError())
    span.finish()

    assert len(span.trace_id) == 32
    assert not span.sampled
    assert not span.tags
    assert not span.logs
    assert tracer.recorder.spans == []


def test_a_tracer_that_is_off_hands_out_silence():
    tracer = Tracer(enabled=False)
    span = tracer.start_span("a")
    headers = {}
    tracer.inject(span, headers)
    span.set_operation_name("b").set_baggage_item("k", "v")

    assert span is tracer.start_child("c") is tracer.start_child("d", span)
    assert (span.trace_id, span.span_id, span.operation_name) == ("", "", "")
    assert span.context.baggage == {}
    assert headers == {}


def test_a_span_shows_its_name_and_ids(tracer):
    span = tracer.start_span("a")

    assert repr(span) == f"<Span 'a' {span.trace_id}-{span.span_id}>"
    assert repr(span.context) == f"<SpanContext {span.trace_id}-{span.span_id} sampled=True>"
    assert span.context.debug is False
    assert span.context.tracestate == ""


@pytest.mark.punctual
def test_to_perf_counter_of_now_is_now():
    assert to_perf_counter(time.time()) == pytest.approx(time.perf_counter(), abs=0.1)
