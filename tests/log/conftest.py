"""Logging as it was before, and a way to read what was written."""

import logging

import orjson
import pytest


@pytest.fixture
def keep_logging():
    """Put the configuration of logging back after a test that changes it."""
    root = logging.getLogger()
    names = [
        name for name, log in root.manager.loggerDict.items() if isinstance(log, logging.Logger)
    ]
    before = [
        (log, log.level, log.handlers[:], log.propagate, log.disabled)
        for log in (root, *map(logging.getLogger, names))
    ]
    yield
    for name in list(root.manager.loggerDict):
        log = logging.getLogger(name)
        log.handlers, log.disabled = [], False
        log.setLevel(logging.NOTSET)
    for log, level, handlers, propagate, disabled in before:
        log.handlers, log.propagate, log.disabled = handlers, propagate, disabled
        log.setLevel(level)


@pytest.fixture
def read_lines(capsys):
    """Return a function that gives the JSON lines on standard error since it was last called."""

    def read():
        return [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]

    return read
