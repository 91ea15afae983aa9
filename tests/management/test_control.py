"""The messages between a supervisor and a worker, over real pipes."""

import os
import threading

import pytest

from msframework.management.control import (
    BrokenMessage,
    Serving,
    StartFailure,
    SupervisorControl,
    WorkerControl,
)
from msframework.operations.status import Status


@pytest.fixture
def pipes():
    """Return both sides, as two processes would hold them."""
    ours = SupervisorControl()
    receiving, sending = (
        type(each)(os.dup(each.fileno()), readable=each.readable, writable=each.writable)
        for each in ours.theirs
    )
    ours.hand_over()
    yield ours, WorkerControl(receiving, sending)
    ours.close()
    receiving.close()
    sending.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\3abc",
        b"\0\0\0\0",
        b"\0\0\0\x0eN.",
        b"\x7f\xff\xff\xffabc",
        b"\xff\xff\xff\xff\xff",
        b"\xff\xff\xff\xf0abc",
        b"\0\0",
        b"\0\0\0\x0fcnowhere\nnone\n.",
        b"\0\0\0\2N.",
    ],
    ids=["no pickle", "empty", "short", "huge", "torn", "negative", "half", "unknown", "other"],
)
def test_what_is_no_message_is_refused_at_once(pipes, data):
    supervisor, worker = pipes
    os.write(worker._sending.fileno(), data)

    with pytest.raises(BrokenMessage):
        list(supervisor.receive())


@pytest.mark.parametrize(
    "message",
    [
        Serving(20.0),
        StartFailure("no database"),
        Status(5.0, 0.1, {"db": "full", "clients": None}),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_worker_is_heard(pipes, message):
    supervisor, worker = pipes

    worker.send(message)

    assert list(supervisor.receive()) == [message]
    assert list(supervisor.receive()) == []


def test_a_message_that_is_too_long_is_cut(pipes):
    supervisor, worker = pipes
    parts = {f"part {number}": "é" * 900 if number % 2 else None for number in range(200)}

    worker.send(StartFailure("é" * 9000))
    worker.send(Status(1.0, parts=parts))

    failure, status = supervisor.receive()
    assert len(failure.text) > 1500
    assert set(status.parts) < set(parts)
    assert all(status.parts.values())


def test_a_supervisor_that_does_not_read_keeps_no_worker_waiting(pipes):
    supervisor, worker = pipes

    for beat in range(5000):
        worker.send(Status(float(beat), parts={"db": "x" * 100}))

    received = list(supervisor.receive())
    assert [status.beat for status in received] == [float(beat) for beat in range(len(received))]
    assert len(received) < 5000


def test_a_worker_hears_what_to_do_and_that_the_supervisor_is_gone(pipes):
    supervisor, worker = pipes
    told, ended, orders = threading.Event(), threading.Event(), []
    worker.watch(lambda is_last: (orders.append(is_last), told.set()), ended.set)

    supervisor.stop(is_last=True)
    assert told.wait(60)
    assert orders == [True]
    assert not ended.is_set()

    supervisor.close()
    assert ended.wait(60)


def test_the_pipe_of_a_worker_that_is_gone_ends():
    supervisor = SupervisorControl()
    supervisor.hand_over()

    with pytest.raises(EOFError):
        list(supervisor.receive())
    supervisor.stop(is_last=True)
    supervisor.close()
