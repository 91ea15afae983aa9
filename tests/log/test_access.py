import asyncio
import logging
import time
from types import SimpleNamespace

import orjson
import pytest

from msframework.conf.settings import ServerSettings, Settings
from msframework.log import AccessLog
from msframework.log.access import BLOCK, MAX_WAITING, PIECE, WAKE_AT
from msframework.tracing import Tracer
from msframework.types import Part


class Kept(logging.Handler):
    """Keeps the lines that it is given; `arrived` is set when there are `expected` of them."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.expected, self.arrived = 1, asyncio.Event()

    def emit(self, record):
        self.lines.extend(map(orjson.loads, record.getMessage().splitlines()))
        if len(self.lines) >= self.expected:
            self.arrived.set()


@pytest.fixture
def handler():
    """A handler of the access log."""
    log, handler = logging.getLogger("msframework.access"), Kept()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)


@pytest.fixture
def written(handler):
    """The lines of the access log."""
    return handler.lines


def make_request(**changes):
    facts = {
        "method": "GET",
        "path": "/users/7",
        "id": "request-1",
        "span": None,
        "stream": SimpleNamespace(perft0=time.perf_counter()),
        "conn_info": SimpleNamespace(client_ip="192.0.2.7"),
        "client_ip": "198.51.100.1",
    }
    return SimpleNamespace(**(facts | changes))


async def write(access, *requests):
    await access.start()
    for request in requests:
        access.record(request, 200, 12)
    await access.stop()


async def test_a_request_is_one_line(written):
    span = Tracer().start_span("a")
    await write(AccessLog(Settings(service_name="users")), make_request(span=span))

    (line,) = written
    assert line.pop("@timestamp").endswith("Z")
    assert 0 <= line.pop("duration_ms") < 10_000
    assert line == {
        "level": "INFO",
        "logger": "msframework.access",
        "message": "GET /users/7 200",
        "service": "users",
        "method": "GET",
        "path": "/users/7",
        "status": 200,
        "bytes": 12,
        "client_ip": "192.0.2.7",
        "request_id": "request-1",
        "trace_id": span.trace_id,
        "span_id": span.span_id,
    }


async def test_a_request_without_connection_or_stream_is_a_line_too(written):
    requests = [
        make_request(stream=None, conn_info=None),
        make_request(stream=SimpleNamespace(perft0=None)),
    ]
    await write(AccessLog(Settings()), *requests)

    assert [line["duration_ms"] for line in written] == [None, None]
    assert [line["client_ip"] for line in written] == ["", "192.0.2.7"]
    assert "trace_id" not in written[0]


@pytest.mark.parametrize(
    "server",
    [{"proxies_count": 1}, {"real_ip_header": "x-real-ip"}, {"forwarded_secret": "s"}],
)
async def test_behind_a_proxy_the_address_is_the_forwarded_one(written, server):
    await write(AccessLog(Settings(server=ServerSettings(**server))), make_request())

    assert written[0]["client_ip"] == "198.51.100.1"


async def test_lines_are_written_while_the_service_runs(handler, monkeypatch):
    monkeypatch.setattr("msframework.log.access.INTERVAL", 0.001)
    access = AccessLog(Settings())
    await access.start()
    access.record(make_request(), 200, 1)
    await handler.arrived.wait()
    await access.stop()

    assert len(handler.lines) == 1


async def test_a_block_of_lines_does_not_wait(handler, monkeypatch):
    handler.expected = WAKE_AT
    monkeypatch.setattr("msframework.log.access.INTERVAL", 60)
    access = AccessLog(Settings())
    await access.start()
    for _ in range(WAKE_AT + 1):
        access.record(make_request(), 200, 1)
    await handler.arrived.wait()
    # What is no whole block waits for more.
    assert len(handler.lines) == WAKE_AT
    await access.stop()

    assert len(handler.lines) == WAKE_AT + 1


async def test_requests_run_between_the_pieces_of_a_block(handler, monkeypatch):
    monkeypatch.setattr("msframework.log.access.INTERVAL", 60)
    monkeypatch.setattr("msframework.pace.PIECE_TIME", 0.0)
    access = AccessLog(Settings())
    await access.start()
    for _ in range(WAKE_AT + 1):
        access.record(make_request(), 200, 1)
    turns = 0
    while not handler.lines:
        await asyncio.sleep(0)
        turns += 1
    await access.stop()

    # One to wake up, one after each piece of the first block.
    assert turns >= 1 + BLOCK // PIECE


async def test_a_stop_in_the_middle_of_a_block_loses_no_line_and_writes_none_twice(
    handler, monkeypatch
):
    monkeypatch.setattr("msframework.log.access.INTERVAL", 60)
    monkeypatch.setattr("msframework.pace.PIECE_TIME", 0.0)
    access = AccessLog(Settings())
    await access.start()
    for number in range(WAKE_AT + 1):
        access.record(make_request(path=f"/users/{number}"), 200, 1)
    while len(access._entries) > WAKE_AT + 1 - PIECE:
        await asyncio.sleep(0)
    assert not handler.lines  # the first piece is ready, and not written
    await access.stop()

    assert [line["path"] for line in handler.lines] == [f"/users/{n}" for n in range(WAKE_AT + 1)]


async def test_what_waits_is_bounded_and_what_is_lost_is_counted(written):
    access = AccessLog(Settings())
    for _ in range(MAX_WAITING + 3):
        access.record(make_request(), 200, 1)
    await access.stop()

    assert access.dropped == 3
    assert len(written) == MAX_WAITING


async def test_a_log_that_is_off_writes_nothing(written):
    logging.getLogger("msframework.access").setLevel(logging.WARNING)
    await write(AccessLog(Settings()), make_request())

    assert written == []


async def test_an_odd_method_is_a_line_still(written):
    await write(AccessLog(Settings()), make_request(method="G\udcffT"))

    assert written[0]["method"] == "G\\udcffT"


async def test_a_handler_that_raises_costs_its_lines_only(handler, caplog):
    access = AccessLog(Settings())
    handler.emit = None  # calling it raises
    await write(access, make_request())
    assert access.dropped == 1
    assert "access lines could not be written" in caplog.text

    del handler.emit
    await write(access, make_request())
    assert len(handler.lines) == 1


def test_the_access_log_is_a_part():
    assert isinstance(AccessLog(Settings()), Part)
