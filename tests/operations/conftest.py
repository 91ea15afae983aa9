"""An operations server over a source that the test steers."""

import socket
from contextlib import contextmanager

import pytest

from msframework.operations import server
from msframework.operations.server import OperationsServer
from msframework.operations.source import Report


class SteeredSource:
    """Answers what the test says; calls what is a function."""

    def __init__(self):
        self.live = Report(True, {"loop": None})
        self.ready = Report(True, {"db": None})
        self.metrics = b"up 1\n"
        self.accepted = []

    def check_live(self):
        return self.live() if callable(self.live) else self.live

    def check_ready(self):
        return self.ready() if callable(self.ready) else self.ready

    def render_metrics(self, accept):
        self.accepted.append(accept)
        return (self.metrics() if callable(self.metrics) else self.metrics), "text/plain"


class SteeredPart:
    """A part that is as ready as the test says."""

    reason = None

    async def start(self):
        pass

    async def stop(self):
        pass

    async def ready(self):
        return self.reason


@contextmanager
def operations_of(source):
    """Serve *source*; give the address."""
    sock = socket.create_server(("127.0.0.1", 0))
    running = OperationsServer(sock, source)
    running.start()
    try:
        yield sock.getsockname()
    finally:
        running.stop()


@pytest.fixture(scope="package")
def steered():
    """Return the source of the server that the tests of this package share."""
    return SteeredSource()


@pytest.fixture(scope="package")
def address(steered):
    """Return the address of the server that the tests of this package share."""
    with operations_of(steered) as found:
        yield found


@pytest.fixture
def source(steered, monkeypatch):
    """Return the source as it is at first; it may take its time."""
    monkeypatch.setattr(server, "_READY_TIMEOUT", 60.0)
    monkeypatch.setattr(server, "_METRICS_TIMEOUT", 60.0)
    steered.__init__()
    return steered


@pytest.fixture
def connect(address):
    """Return a function that connects to the shared server."""
    opened = []

    def connect():
        opened.append(socket.create_connection(address, timeout=30))
        return opened[-1]

    yield connect
    for sock in opened:
        sock.close()


def read_answer(sock):
    """Read one answer; return its status, its headers and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return int(first.split()[1]), headers, body
