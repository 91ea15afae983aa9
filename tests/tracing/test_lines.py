import io
import logging

import pytest

from msframework.log import JsonFormatter
from msframework.tracing.lines import write_lines


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


class KeptStream(logging.StreamHandler):
    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@pytest.fixture
def log():
    log = logging.getLogger("test.lines")
    log.propagate = False
    yield log
    log.handlers.clear()
    log.filters.clear()
    log.propagate = True


def test_streams_get_all_lines_at_once(log):
    handler = KeptStream()
    log.handlers[:] = [handler]
    write_lines(log, "a\nb %s")

    assert handler.messages == ["a\nb %s"]


def test_other_handlers_get_line_by_line(log):
    handlers = [KeptStream(), Kept()]
    for handler in handlers:
        log.addHandler(handler)
    write_lines(log, "a\nb")

    assert [handler.messages for handler in handlers] == [["a", "b"], ["a", "b"]]


def test_handlers_that_look_at_lines_or_add_to_them_get_line_by_line(log):
    filtered, prefixed = KeptStream(), KeptStream()
    filtered.addFilter(lambda record: True)
    prefixed.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for handler in (filtered, prefixed):
        log.handlers[:] = [handler]
        write_lines(log, "a\nb")
        assert handler.messages == ["a", "b"]

    plain = KeptStream()
    log.handlers[:] = [plain]
    log.addFilter(lambda record: True)
    write_lines(log, "a\nb")
    assert plain.messages == ["a", "b"]


def test_a_block_is_written_whole(log):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    log.handlers[:] = [handler]
    write_lines(log, "x" * 30_000 + "\n\ud800" + "y" * 30_000)

    assert stream.getvalue() == "x" * 30_000 + "\n\\ud800" + "y" * 30_000 + "\n"


def test_a_handler_further_up_counts(log):
    child = log.getChild("child")
    handler = Kept()
    log.addHandler(handler)
    write_lines(child, "a\nb")

    assert handler.messages == ["a", "b"]


def test_no_lines_are_no_record(log):
    handler = Kept()
    log.addHandler(handler)
    write_lines(log, "")

    assert handler.messages == []
