import logging

import pytest

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
    log.propagate = True


def test_streams_get_all_lines_at_once(log):
    handler = KeptStream()
    log.handlers[:] = [handler]
    write_lines(log, ["a", "b %s"])

    assert handler.messages == ["a\nb %s"]


def test_other_handlers_get_line_by_line(log):
    handlers = [KeptStream(), Kept()]
    for handler in handlers:
        log.addHandler(handler)
    write_lines(log, ["a", "b"])

    assert [handler.messages for handler in handlers] == [["a", "b"], ["a", "b"]]


def test_a_handler_further_up_counts(log):
    child = log.getChild("child")
    handler = Kept()
    log.addHandler(handler)
    write_lines(child, ["a", "b"])

    assert handler.messages == ["a", "b"]


def test_no_lines_are_no_record(log):
    handler = Kept()
    log.addHandler(handler)
    write_lines(log, [])

    assert handler.messages == []
