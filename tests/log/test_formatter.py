import json
import logging
import re
import sys
from types import SimpleNamespace

import pytest
from sanic.request import Request

from msframework.log import JsonFormatter
from msframework.log.encode import MAX_LINE
from msframework.log.formatter import timestamp
from msframework.tracing import Tracer
from msframework.tracing.lines import ATTRIBUTE


def make_record(message="hello", *args, level=logging.INFO, exc_info=None, **extra):
    record = logging.LogRecord("app", level, __file__, 1, message, args, exc_info)
    record.__dict__.update(extra)
    return record


def format_record(*args, formatter=None, **kwargs):
    line = (formatter or JsonFormatter(service="users")).format(make_record(*args, **kwargs))
    assert "\n" not in line
    return json.loads(line)


@pytest.fixture
def request_context():
    """Give Sanic's variable a request, and put it back."""
    request = SimpleNamespace(id="request-1", stream=object())
    token = Request._current.set(request)
    yield request
    Request._current.reset(token)


def test_a_line_has_the_fields_that_elasticsearch_wants():
    line = format_record("hello %s", "you")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("@timestamp"))
    assert line == {"level": "INFO", "logger": "app", "message": "hello you", "service": "users"}


def test_time_is_utc_to_the_millisecond():
    assert timestamp(1_700_000_000.0567) == "2023-11-14T22:13:20.056Z"
    assert timestamp(1_700_000_000.999999) == "2023-11-14T22:13:20.999Z"


def test_ids_of_the_current_span_and_request_are_there(request_context):
    with Tracer().start_active_span("a") as scope:
        line = format_record()

    assert line["trace_id"] == scope.span.trace_id
    assert line["span_id"] == scope.span.span_id
    assert line["request_id"] == "request-1"


def test_a_request_that_is_over_leaves_no_id_but_in_the_tasks_it_began(request_context):
    request_context.stream = None
    assert "request_id" not in format_record()

    with Tracer().start_active_span("background"):
        assert format_record()["request_id"] == "request-1"


def test_a_tracer_that_is_off_has_no_ids():
    with Tracer(enabled=False).start_active_span("a"):
        assert "trace_id" not in format_record()


def test_ids_that_are_given_win():
    with Tracer().start_active_span("a") as scope:
        line = format_record(trace_id="given", span_id=None)

    assert (line["trace_id"], line["span_id"]) == ("given", scope.span.span_id)


def test_an_exception_is_text_and_lines():
    try:
        raise ValueError("token=abc")
    except ValueError:
        line = format_record(exc_info=sys.exc_info())

    assert line["exception"].endswith("ValueError: token=***")
    assert line["stack"] == line["exception"].splitlines()


def test_the_stack_is_shown_on_demand():
    assert format_record(stack_info="Stack\n  password=x")["stack_info"] == "Stack\n  password=***"


def test_extras_are_fields_and_configured_keys_are_hidden():
    line = format_record(
        user=7, cookie="x", body={"password": "x", "n": [1]}, level_name="x", odd=object
    )

    assert line["user"] == 7
    assert line["cookie"] == "***"
    assert line["body"] == {"password": "***", "n": [1]}
    assert line["odd"] == "<class 'object'>"


def test_an_extra_cannot_replace_a_field():
    assert format_record(service="other")["service"] == "users"


def test_a_message_that_cannot_be_formatted_is_shown_as_it_is():
    assert format_record("%d %s", "a")["message"] == "%d %s ('a',)"


def test_a_record_that_cannot_be_read_is_a_line_still():
    class Broken(dict):
        def items(self):
            raise RuntimeError("no")

    line = format_record(body=Broken(a=1))

    assert line["message"] == "hello"
    assert line["format_error"] == "no"


def test_a_line_that_is_json_already_stays_as_it_is():
    record = make_record('{"a":1}\n{"b":2}', **{ATTRIBUTE: True})

    assert JsonFormatter().format(record) == '{"a":1}\n{"b":2}'


def test_arguments_of_logging_config_are_taken():
    formatter = JsonFormatter("%(message)s", None, "%", True, redact=("pin",))

    line = format_record("pin=1", formatter=formatter)

    assert line["message"] == "pin=***"
    assert "service" not in line


def raised(depth):
    """Return the traceback of an exception that was raised *depth* calls deep, each its own."""
    body = "\n".join(f"def f{n}(): f{n + 1}()" for n in range(depth))
    namespace = {}
    exec(f"{body}\ndef f{depth}(): raise ValueError('the end of it')", namespace)
    try:
        namespace["f0"]()
    except ValueError:
        return sys.exc_info()


@pytest.mark.parametrize(
    "given",
    [
        {"msg": "x" * 1_000_000},
        {"msg": "\x01" * 1_000_000},
        {"msg": "é" * 1_000_000},
        {"msg": "\ud800" * 100_000},
        {"msg": "%s", "args": ("x" * 1_000_000,)},
        {"msg": "no %d", "args": ("x" * 1_000_000,)},
        {"msg": "x", "exc_info": raised(500)},
        {"msg": "x", "exc_text": "x" * 1_000_000},
        {"msg": "x", "stack_info": "x" * 1_000_000},
        {"msg": "x", "path": "/" * 1_000_000},
        {"msg": "x", "items": ["x" * 1000] * 1000},
        {"msg": "x", "deep": {"a": {"b": "x" * 1_000_000}}},
        {"msg": "x", **{f"extra{n}": "x" * 1000 for n in range(1000)}},
        {"msg": "x", "k" * 100_000: 1},
        {"msg": "x", "name": "n" * 1_000_000},
    ],
)
def test_no_line_is_longer_than_lines_may_be_and_a_cut_is_said(given):
    text = JsonFormatter().format(logging.makeLogRecord(given))

    assert len(text) <= MAX_LINE
    assert "cut" in json.loads(text)


def test_the_end_of_a_long_traceback_is_kept():
    line = json.loads(
        JsonFormatter().format(logging.makeLogRecord({"msg": "x", "exc_info": raised(500)}))
    )

    assert line["exception"].startswith("Traceback (most recent call last)")
    assert line["exception"].endswith("ValueError: the end of it")
    assert "characters left out" in line["exception"]


@pytest.mark.parametrize("at", [4 * MAX_LINE // 4 - 20, 4 * MAX_LINE - 20, 1000])
def test_no_part_of_a_secret_is_left_where_a_text_is_cut(at):
    secret = "s3cr3t" * 10
    text = "a " * (at // 2) + f"password={secret} postgresql://u:{secret}@h/d " + "b\n" * 200_000

    assert "s3cr3t" not in JsonFormatter().format(logging.makeLogRecord({"msg": text}))
