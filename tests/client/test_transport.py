"""Both transports side by side: the same request out, the same answer or failure back."""

import asyncio

import aiohttp
import pytest

from msframework.client.lean import LeanTransport
from msframework.client.outgoing import OutgoingRequest
from msframework.client.session import SessionTransport
from msframework.exceptions import UpstreamError
from tests.client.conftest import opened


@pytest.fixture(autouse=True)
def way():
    """Leave aiohttp's version what it is: each transport is asked for by itself."""


@pytest.fixture
async def transports(client):
    """The lean transport, and that of the session."""
    lean = client._channel.transport()
    assert isinstance(lean, LeanTransport)
    assert isinstance(lean._other, SessionTransport)
    return lean, lean._other


@pytest.fixture
def request_of(client):
    """Return a function that makes a request to the service."""

    def make(method="GET", path="/c", json=None, data=None, headers=None, timeout=60.0):
        channel = client._channel
        outgoing = OutgoingRequest(
            channel.plan(method, ""), path, channel.address.at(path), json, data, headers, timeout
        )
        outgoing.lines = "X-Request-ID: abc\r\n"
        return outgoing

    return make


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "options",
    [{}, {"json": {"a": 1}}, {"data": b"\xff"}, {"headers": {"x-request-id": "theirs"}}],
)
async def test_both_send_and_return_the_same(transports, request_of, upstream, method, options):
    upstream.answers["/c"] = 201, b"[1]"
    answers = []
    for transport in transports:
        outgoing = request_of(method, **options)
        answers.append(await transport.fetch(outgoing))
        assert outgoing.status == 201
        async with await transport.open(outgoing) as response:
            answers.append((response.status, response.headers, await response.read()))

    assert answers == [answers[0]] * 4
    assert upstream.requests == [upstream.requests[0]] * 4


@pytest.mark.parametrize("replayed", [True, False])
async def test_both_replay_only_until_an_answer_begins(transports, request_of, upstream, replayed):
    arrived = 0

    async def hang_up(reader, writer):
        nonlocal arrived
        arrived += 1
        if arrived == 1:
            if not replayed:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234")
                await writer.drain()
            raise ConnectionError
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")

    for transport in transports:
        await transport.fetch(request_of(path="/warm-up"))
        arrived, upstream.answers["/c"] = 0, hang_up
        outgoing = request_of()
        if replayed:
            assert (await transport.fetch(outgoing)).body == b"1"
        else:
            with pytest.raises((aiohttp.ClientError, UpstreamError)):
                await transport.fetch(outgoing)
        assert (outgoing.status, arrived) == (200, 2 if replayed else 1)


async def test_a_request_that_is_not_plain_goes_through_the_session(
    transports, request_of, upstream, monkeypatch
):
    lean, whole = transports
    taken = []
    monkeypatch.setattr(SessionTransport, "fetch", lambda self, outgoing: taken.append(self))

    lean.fetch(request_of("PURGE"))
    lean.fetch(request_of(headers={"Connection": "close"}))
    lean.fetch(request_of(data={"a": "1"}))

    assert taken == [whole] * 3


@pytest.mark.punctual
async def test_an_answer_that_is_late_has_its_status_once_the_head_has_come(
    transports, request_of, upstream
):
    async def half(reader, writer):
        writer.write(b"HTTP/1.1 201 X\r\nContent-Length: 9\r\n\r\n1234")
        await reader.read()

    upstream.answers["/c"] = half
    for transport in transports:
        outgoing = request_of(timeout=0.5)
        with pytest.raises((TimeoutError, UpstreamError)):
            await transport.fetch(outgoing)
        assert outgoing.status == 201
    await asyncio.wait_for(upstream.closed.wait(), 30)


@pytest.mark.parametrize("lean", [True, False])
async def test_a_service_that_went_away_ends_the_replays(request_of, lean):
    async def hang_up_for_good(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
        await reader.readuntil(b"\r\n\r\n")
        server.close()
        writer.close()

    server = await asyncio.start_server(hang_up_for_good, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with opened(url=url, fast=lean) as client:
        outgoing, transport = request_of(), client._channel.transport()
        outgoing.url = None
        assert isinstance(transport, LeanTransport) is lean
        assert (await transport.fetch(outgoing)).body == b"1"
        with pytest.raises(aiohttp.ClientConnectorError):
            await transport.fetch(outgoing)
    await server.wait_closed()
