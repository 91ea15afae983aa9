import asyncio
import contextvars

import pytest

from msframework.tracing import ScopeManager, Tracer, current_span


@pytest.fixture
def tracer():
    return Tracer()


async def test_context_survives_gather_and_tasks(tracer):
    async def work(name):
        with tracer.start_active_span(name) as scope:
            await asyncio.sleep(0)
            assert current_span() is scope.span
        return scope.span

    with tracer.start_active_span("parent") as parent:
        first, second = await asyncio.gather(work("one"), asyncio.create_task(work("two")))
        assert current_span() is parent.span

    assert {first.parent_id, second.parent_id} == {parent.span.span_id}
    assert current_span() is None


async def test_a_cancelled_task_leaves_nothing_current(tracer):
    began = asyncio.Event()

    async def work():
        with tracer.start_active_span("work"):
            began.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    (span,) = tracer.recorder.spans
    assert span.tags["error.kind"] == "CancelledError"
    assert current_span() is None


def test_a_scope_may_close_in_another_context_than_it_began_in(tracer):
    scope = tracer.start_active_span("a")
    contextvars.copy_context().run(scope.close)

    assert [span.operation_name for span in tracer.recorder.spans] == ["a"]
    scope.close()
    assert current_span() is None


def test_a_scope_that_is_not_current_stays_open(tracer):
    outer = tracer.start_active_span("outer")
    inner = tracer.start_active_span("inner")
    outer.close()
    assert current_span() is inner.span

    inner.close()
    assert current_span() is outer.span
    outer.close()


def test_a_bare_span_has_a_scope_for_those_who_ask(tracer, make_request):
    span = tracer.start_request(make_request(), "get /")

    scope = tracer.scope_manager.active
    assert scope.span is tracer.active_span is span
    scope.close()

    assert tracer.active_span is None
    assert span.duration is None


def test_an_error_in_a_scope_of_a_foreign_span_is_noted_as_opentracing_does():
    class Foreign:
        def __init__(self):
            self.tags, self.logs, self.finished = {}, [], False

        def set_tag(self, key, value):
            self.tags[key] = value

        def log_kv(self, fields):
            self.logs.append(fields)

        def finish(self):
            self.finished = True

    span = Foreign()
    with pytest.raises(ValueError, match="bad"), ScopeManager().activate(span, True):
        raise ValueError("bad")

    assert span.tags == {"error": True}
    assert span.logs[0]["message"] == "bad"
    assert span.finished
