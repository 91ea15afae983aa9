"""Log lines for people: one a record, coloured where that is wanted, no control characters."""

import io
import logging
import re
import sys

import pytest

from msframework.conf.settings import LogSettings, Settings
from msframework.log import JsonFormatter, LineFormatter, TextFormatter, setup_logging
from msframework.log.encode import MAX_LINE
from msframework.log.lines import AccessLines
from msframework.log.text import wants_color
from msframework.tracing import Tracer
from msframework.tracing.lines import ATTRIBUTE, write_lines

TIME = r"\d\d:\d\d:\d\d\.\d{3}"


def make_record(message="hello", *args, level=logging.INFO, exc_info=None, name="app", **extra):
    record = logging.LogRecord(name, level, __file__, 1, message, args, exc_info)
    record.__dict__.update(extra)
    return record


def format_record(*args, color=False, **options):
    return TextFormatter(color=color).format(make_record(*args, **options))


def access_line(method="GET", path="/users/1", status=200, span=None):
    return AccessLines("users").format([(2.0, 1.5, method, path, status, 9, "::1", "id", span)])


def test_a_record_is_one_line():
    assert re.fullmatch(rf"{TIME} INFO    app: hello you", format_record("hello %s", "you"))


def test_extras_and_the_beginning_of_the_trace_id_follow():
    line = format_record(trace_id="5af7183fb1d4cf5f", request_id="r", page=[1, 2], password="x")

    assert line.endswith("hello page=[1,2] password=*** trace=5af7183f")


def test_a_line_of_a_function_says_its_kind():
    line = format_record("get_city", type="method", function="get_city", duration_ms=1.5)

    assert line.endswith("method app: get_city duration_ms=1.5")


def test_a_long_extra_is_cut():
    assert len(format_record(body="x" * 10_000)) < 300


@pytest.mark.parametrize("extra", [{}, {f"x{number}": "y" * 100 for number in range(1000)}])
def test_a_line_has_a_longest_size(extra):
    line = format_record("word " * 100_000, **extra)

    assert len(line) < MAX_LINE + 100
    assert "characters left out" in line


def test_a_traceback_is_text_below():
    try:
        raise ValueError("wrong")
    except ValueError:
        lines = format_record("failed", exc_info=sys.exc_info()).split("\n")

    assert lines[0].endswith("failed")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: wrong"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("bell\x07", "bell\\x07"),
        ("\udcff", "\\udcff"),
        ("中文\u3000é", "中文\u3000é"),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(text, shown):
    assert format_record(text).endswith(f"app: {shown}")
    assert format_record(extra=text).endswith(f"extra={shown}")
    assert f" app{shown}: " in format_record(name=f"app{text}")
    assert f"GET /{shown} 200" in format_record(access_line(path=f"/{text}"), **{ATTRIBUTE: True})


def test_an_access_line_is_method_path_status_and_time():
    with Tracer("users").start_span("x") as span:
        line = format_record(access_line(span=span), **{ATTRIBUTE: True})

    trace = span.trace_id[:8]
    assert re.fullmatch(rf"{TIME} INFO    access: GET /users/1 200 500\.0 ms trace={trace}", line)


def test_a_block_of_lines_stays_as_many_lines():
    block = "\n".join([access_line(), access_line(status=404)])

    assert format_record(block, **{ATTRIBUTE: True}).count("\n") == 1


@pytest.mark.parametrize("line", ["no json", "5", "{}", '{"status": null, "@timestamp": 1}'])
def test_a_ready_line_that_is_none_of_ours_is_shown_as_it_is(line):
    assert format_record(line, **{ATTRIBUTE: True}) == line


def test_a_record_that_cannot_be_read_is_a_line_still():
    class Odd:
        def __str__(self):
            raise RuntimeError

    assert "Odd" in format_record(Odd())


@pytest.mark.parametrize(
    ("level", "code"), [(logging.INFO, "32"), (logging.WARNING, "33"), (logging.ERROR, "31")]
)
def test_levels_are_coloured(level, code):
    assert f"\x1b[{code}m{logging.getLevelName(level):7}\x1b[0m" in format_record(
        level=level, color=True
    )
    assert "\x1b" not in format_record(level=level)


@pytest.mark.parametrize(("status", "code"), [(404, "33"), (500, "31")])
def test_failures_in_access_lines_are_coloured(status, code):
    line = format_record(access_line(status=status), color=True, **{ATTRIBUTE: True})

    assert f"\x1b[{code}m{status}\x1b[0m" in line


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Closed(io.StringIO):
    def isatty(self):
        raise ValueError("I/O operation on closed file")


@pytest.mark.parametrize(
    ("stream", "environ", "wanted"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (Closed(), {}, False),
        (None, {}, False),
    ],
)
def test_colours_are_for_terminals_and_who_asks_for_them(monkeypatch, stream, environ, wanted):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert wants_color(stream) is wanted


@pytest.fixture
def configured(keep_logging, monkeypatch):
    """Return a function that configures logging with standard error as *stream*."""

    def configure(stream, wanted, config=None):
        logging.getLogger().handlers = []
        monkeypatch.setattr("sys.stderr", stream)
        log = LogSettings(format=wanted, config=config and str(config))
        setup_logging(Settings(service_name="users", log=log))
        return logging.getLogger().handlers[0]

    return configure


@pytest.mark.parametrize(
    ("stream", "wanted", "text"),
    [
        (Terminal, "auto", True),
        (io.StringIO, "auto", False),
        (Terminal, "json", False),
        (io.StringIO, "text", True),
    ],
)
def test_lines_are_text_on_a_terminal_or_as_the_setting_says(configured, stream, wanted, text):
    formatter = configured(stream(), wanted).formatter

    assert type(formatter) is (TextFormatter if text else LineFormatter)
    assert formatter.service == "users"


def test_a_format_that_is_fixed_in_a_file_stays(configured, tmp_path):
    path = tmp_path / "logging.yml"
    path.write_text(
        "formatters: {mine: {(): msframework.log.JsonFormatter}}\n"
        "handlers: {console: {class: msframework.log.ConsoleHandler, formatter: mine}}\n"
        "root: {level: INFO, handlers: [console]}\n"
    )

    assert type(configured(Terminal(), "auto", path).formatter) is JsonFormatter


def test_spans_are_not_for_people(configured):
    stream = Terminal()
    configured(stream, "auto")

    write_lines(logging.getLogger("zipkin"), '{"traceId":"1"}\n{"traceId":"2"}')
    logging.getLogger("zipkin").warning("spoken")
    write_lines(logging.getLogger("msframework.access"), access_line())

    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "spoken" in lines[0]
    assert "/users/1" in lines[1]
