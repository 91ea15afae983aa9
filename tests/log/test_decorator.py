import asyncio
import inspect
import logging
from types import SimpleNamespace

import opentracing
import pytest

from msframework.exceptions import NotFound, ServerError
from msframework.log import logger
from msframework.tracing import Tracer, current_span


@pytest.fixture
def tracer():
    before = opentracing.global_tracer()
    tracer = Tracer("users")
    opentracing.set_global_tracer(tracer)
    yield tracer
    opentracing.set_global_tracer(before)


@pytest.fixture
def no_tracer():
    before = opentracing.global_tracer()  # a service of other tests may have left its own
    opentracing.set_global_tracer(opentracing.Tracer())
    yield
    opentracing.set_global_tracer(before)


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, __name__)
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


@logger(
    type="method",
    category="test",
    detail="detail",
    description="des",
    tracing=True,
    level=logging.INFO,
)
async def get_city(request, id):
    """Not the description."""
    await asyncio.sleep(0)
    return id, current_span()


@logger
def plain(value):
    """Add one.

    Further text.
    """
    return value + 1, current_span()


@logger()
async def fail(exc):
    raise exc


@logger(type="route", tracing=False, level=logging.WARNING)
async def untraced():
    return current_span()


@logger()
async def numbers(count):
    for number in range(count):
        yield number, current_span()


@logger()
async def echo():
    value = "start"
    while True:
        try:
            value = yield value
        except KeyError as exc:
            value = exc.args[0]


@logger()
def count_down(start):
    while start:
        try:
            start = (yield start, current_span()) or start - 1
        except KeyError:
            start = 1
    return "done"


class Service:
    @logger()
    async def work(self, request):
        return current_span()

    @logger()
    @classmethod
    def make(cls):
        return cls, current_span()

    @logger
    @staticmethod
    def help():
        return current_span()


async def test_a_coroutine_is_a_line_and_a_span(tracer, lines, caplog):
    with tracer.start_active_span("request") as parent:
        id, span = await get_city(None, 7)
        assert current_span() is parent.span

    assert id == 7
    assert lines() == [("INFO", "get_city")]
    (record,) = caplog.records
    assert (record.type, record.category, record.detail) == ("method", "test", "detail")
    assert (record.description, record.function) == ("des", "get_city")
    assert record.duration_ms >= 0
    assert span.parent_id == parent.span.span_id
    assert (span.operation_name, span.kind) == ("get_city", None)
    assert span.tags == {
        "component": "method",
        "type": "method",
        "category": "test",
        "detail": "detail",
        "description": "des",
    }
    assert [item.operation_name for item in tracer.recorder.spans] == ["get_city", "request"]


def test_defaults_are_the_docstring_and_the_services_name(tracer, caplog):
    caplog.set_level(logging.INFO, __name__)
    result, span = plain(1)

    (record,) = caplog.records
    assert result == 2
    assert (record.description, record.category) == ("Add one.", "users")
    assert span.tags["description"] == "Add one."
    assert span.parent_id is None


def test_it_works_without_a_tracer_of_ours(no_tracer, lines):
    assert plain(1) == (2, None)
    assert lines() == [("INFO", "plain")]


def test_the_line_has_the_ids_of_the_span(tracer):
    seen = []

    class Handler(logging.Handler):
        def emit(self, record):
            seen.append(current_span())

    log, handler = logging.getLogger(__name__), Handler()
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    _, span = plain(1)
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)

    assert seen == [span, span]  # "began" at DEBUG, and the end
    assert current_span() is None


async def test_the_request_among_the_arguments_is_the_parent_where_none_is_current(tracer):
    request = SimpleNamespace(span=tracer.start_span("request"))

    span = await Service().work(request)

    assert span.parent_id == request.span.span_id
    assert span.operation_name == "service.work"


async def test_calls_nest_also_in_parallel(tracer):
    @logger()
    async def outer():
        return current_span(), await asyncio.gather(get_city(None, 1), get_city(None, 2))

    parent, ((_, one), (_, two)) = await outer()

    assert one.parent_id == two.parent_id == parent.span_id
    assert one.span_id != two.span_id


@pytest.mark.parametrize(
    ("exc", "level"),
    [(ValueError("token=x"), "ERROR"), (ServerError("a"), "ERROR"), (NotFound("gone"), "INFO")],
)
async def test_a_failure_is_told_and_raised(tracer, lines, caplog, exc, level):
    with pytest.raises(type(exc)):
        await fail(exc)

    assert lines() == [(level, "fail failed")]
    assert caplog.records[0].error == f"{type(exc).__name__}: {exc}"
    assert tracer.recorder.spans[0].tags["error.kind"] == type(exc).__name__
    assert current_span() is None


def test_a_function_that_fails(tracer, lines):
    with pytest.raises(TypeError):
        plain(None)

    assert lines() == [("ERROR", "plain failed")]


async def test_a_cancelled_call_was_stopped(tracer, lines):
    began = asyncio.Event()

    @logger()
    async def wait():
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert lines()[0][1].endswith("wait was stopped")
    assert tracer.recorder.spans[0].tags["error.kind"] == "CancelledError"


async def test_tracing_can_be_left_out(tracer, lines):
    assert await untraced() is None
    assert lines() == [("WARNING", "untraced")]
    assert tracer.recorder.spans == []


def test_a_level_that_is_off_writes_nothing(tracer, caplog):
    caplog.set_level(logging.WARNING, __name__)
    plain(1)

    assert caplog.records == []


async def test_an_async_generators_span_is_current_only_inside(tracer, lines):
    inside = []
    async for number, span in numbers(3):
        inside.append(span)
        assert current_span() is None
        assert number < 3

    assert inside == [inside[0]] * 3
    assert tracer.recorder.spans == inside[:1]
    assert lines() == [("INFO", "numbers")]


async def test_an_async_generator_that_is_left_early_is_no_error(tracer, lines):
    source = numbers(3)
    async for _ in source:
        break
    await source.aclose()

    assert lines() == [("INFO", "numbers")]
    assert "error" not in tracer.recorder.spans[0].tags


async def test_values_and_exceptions_reach_an_async_generator(tracer, lines):
    source = echo()
    assert await anext(source) == "start"
    assert await source.asend("a") == "a"
    assert await source.athrow(KeyError("b")) == "b"
    with pytest.raises(ValueError, match="c"):
        await source.athrow(ValueError("c"))

    assert lines() == [("ERROR", "echo failed")]
    assert current_span() is None


def test_a_generator_keeps_its_values_and_its_result(tracer, lines):
    def drive():
        return (yield from count_down(3))

    source = drive()
    values = [next(source)[0], source.send(2)[0], source.throw(KeyError())[0]]
    with pytest.raises(StopIteration) as caught:
        next(source)

    assert values == [3, 2, 1]
    assert caught.value.value == "done"
    assert len(tracer.recorder.spans) == 1
    assert lines() == [("INFO", "count_down")]


def test_a_generator_that_is_left_early_or_fails(tracer, lines):
    source = count_down(3)
    assert next(source)[1].operation_name == "count_down"
    assert current_span() is None
    source.close()
    failing = count_down(3)
    next(failing)
    with pytest.raises(ValueError, match="x"):
        failing.throw(ValueError("x"))

    assert lines() == [("INFO", "count_down"), ("ERROR", "count_down failed")]


def test_class_and_static_methods(tracer):
    cls, span = Service.make()

    assert cls is Service
    assert span.operation_name == "service.make"
    assert Service.help().operation_name == "service.help"


def test_what_is_decorated_keeps_its_kind_and_signature():
    assert inspect.iscoroutinefunction(get_city)
    assert inspect.isasyncgenfunction(numbers)
    assert inspect.isgeneratorfunction(count_down)
    assert list(inspect.signature(get_city).parameters) == ["request", "id"]
    assert get_city.__doc__ == "Not the description."
