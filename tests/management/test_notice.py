"""Lines for people: they neither end a server nor keep it waiting."""

import os
import sys

import pytest

from msframework.management.notice import say


@pytest.fixture
def printing(monkeypatch):
    """Return a function that makes a descriptor the standard output."""
    opened = []

    def use(descriptor):
        opened.append(os.fdopen(descriptor, "w"))
        monkeypatch.setattr(sys, "stdout", opened[-1])

    yield use
    for each in opened:
        each.close()


def test_a_line_is_there_when_the_call_returns(printing):
    reading, writing = os.pipe()
    printing(writing)

    say("it serves", fg="green")
    say("and goes on")

    assert os.read(reading, 100) == b"it serves\nand goes on\n"
    os.close(reading)


def test_a_line_in_memory_is_printed(capsys):
    say("out")
    say("wrong", err=True, fg="red")

    assert capsys.readouterr() == ("out\n", "wrong\n")


def test_a_closed_output_is_no_failure(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)

    say("nobody")


def test_a_full_disk_is_no_failure(printing):
    printing(os.open("/dev/full", os.O_WRONLY))

    say("no room")


def test_a_pipe_whose_reader_is_gone_is_no_failure(printing):
    reading, writing = os.pipe()
    os.close(reading)
    printing(writing)

    say("nobody")


def test_nobody_is_waited_for_who_does_not_read(printing):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    full = os.write(writing, bytes(10_000_000))  # whatever has room
    os.set_blocking(writing, True)
    printing(writing)

    say("later")

    while full > 0:
        full -= len(os.read(reading, 65536))
    assert os.read(reading, 100) == b"later\n"
    os.close(reading)
