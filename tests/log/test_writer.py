"""A thread that writes: nobody waits for a pipe that nobody reads."""

import json
import logging
import os
import re
import subprocess
import sys
import textwrap

import pytest

from msframework.log import ConsoleHandler, JsonFormatter
from msframework.log import writer as writing
from msframework.log.writer import Writer, may_block


@pytest.fixture
def pipe():
    """Return the end of a pipe that one reads, and a stream that writes to the other."""
    source, target = os.pipe()
    with os.fdopen(source, "rb") as reader, os.fdopen(target, "w") as stream:
        yield reader, stream


@pytest.fixture
def handler(pipe, monkeypatch):
    """Return a console handler whose standard error is the pipe."""
    monkeypatch.setattr(ConsoleHandler, "stream", pipe[1])
    handler = ConsoleHandler()
    handler.setFormatter(JsonFormatter(service="testing"))
    yield handler
    handler.close()


def log(handler, text, **extra):
    handler.handle(logging.makeLogRecord({"name": "a", "levelname": "INFO", "msg": text, **extra}))


def test_a_pipe_may_block_and_a_file_may_not(pipe, tmp_path):
    with (tmp_path / "log").open("w") as file:
        assert (may_block(pipe[1]), may_block(file)) == (True, False)
    assert not may_block(file)  # closed


def test_lines_arrive_in_their_order(handler, pipe):
    for number in range(100):
        log(handler, f"line {number}")
    handler.flush()

    lines = [json.loads(pipe[0].readline()) for _ in range(100)]

    assert [line["message"] for line in lines] == [f"line {number}" for number in range(100)]


def test_a_pipe_that_nobody_reads_stops_nobody_and_what_was_dropped_is_told(
    handler, pipe, monkeypatch
):
    monkeypatch.setattr(writing, "MOST", 100_000)

    for _ in range(2000):
        log(handler, "x" * 1000)

    assert handler.dropped > 1000
    written = told = 0
    while written + told < 2000:
        message = json.loads(pipe[0].readline())["message"]
        match = re.fullmatch(
            r"(\d+) lines were left out, as nobody read standard error .*", message
        )
        told += int(match[1]) if match else 0
        written += message[0] == "x"
    assert (written, told) == (2000 - handler.dropped, handler.dropped)


def test_the_wait_at_the_end_is_bounded(pipe):
    writer = Writer(pipe[1], str)
    writer.write("x" * 1_000_000 + "\n")

    writer.flush(0.1)

    assert len(pipe[0].read(1_000_001)) == 1_000_001
    writer.close()


def test_a_reader_that_went_away_is_no_failure(pipe):
    writer = Writer(pipe[1], str)
    pipe[0].close()

    writer.write("x\n")
    writer.flush()

    assert writer.dropped == 1


def run(program, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stderr=subprocess.PIPE, **options
    )


SETUP = """
    import logging, os, multiprocessing
    from msframework.conf.settings import Settings
    from msframework.log import setup_logging

    setup_logging(Settings(service_name="testing"))
    logger = logging.getLogger("a")
"""


def test_the_last_lines_of_a_process_arrive():
    with run(SETUP + "    logger.warning('the last')") as process:
        assert b"the last" in process.stderr.read()


def test_the_last_lines_of_a_child_arrive():
    program = (
        SETUP
        + """
    logger.warning('the parent')
    context = multiprocessing.get_context("fork")
    child = context.Process(target=logger.warning, args=("the child",))
    child.start()
    child.join()
    """
    )
    with run(program) as process:
        said = process.stderr.read()

    assert (said.count(b"the child"), said.count(b"the parent")) == (1, 1)


def test_a_process_ends_though_nobody_reads():
    program = (
        SETUP
        + """
    for _ in range(1000):
        logger.warning('x' * 1000)
    print("done", flush=True)
    """
    )
    with run(program, stdout=subprocess.PIPE) as process:
        assert process.stdout.read() == b"done\n"
        assert process.wait(200) == 0  # it waits for two seconds, once
