"""Whole answers of every kind, and what keeps a connection from its next call; both ways."""

import asyncio
import gc
import gzip
import logging
import random
import warnings
from contextlib import AsyncExitStack, suppress
from types import MappingProxyType

import aiohttp
import pytest
from multidict import CIMultiDict

from msframework.client import Client, Clients
from msframework.client.connector import Connector
from msframework.client.lean import LeanTransport
from msframework.conf.settings import ServiceEntry
from msframework.exceptions import UpstreamError
from msframework.tracing import Sampler, Tracer
from tests.client.conftest import BoundRequest, opened

TRACER = Tracer(sampler=Sampler(0.0))


def saying(*parts):
    """Return an answer that sends *parts*, a moment apart; `None` closes the connection."""

    async def say(reader, writer):
        for part in parts:
            if part is None:
                writer.close()
                raise ConnectionError
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)

    return say


def kept(client):
    """Return the connections that another call may use."""
    connections = client.session().connector._conns.values()
    return [one for pool in connections for one, _ in pool if not one.should_close]


def is_lean(client):
    """Return whether plain calls of *client* go the lean way."""
    return isinstance(client._channel.transport(), LeanTransport)


# What goes out.


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"json": {"a": [1, "上"]}},
        {"data": b"\x00\xff"},
        {"data": b""},
        {"params": {"a": "b c", "d": 1}},
        {"headers": {"accept": "text/csv", "X-Own": "上", "x-request-id": "theirs"}},
        {"json": [], "headers": {"content-type": "application/merge-patch+json"}},
    ],
)
async def test_the_same_goes_out_as_through_aiohttp(upstream, method, options):
    entry = ServiceEntry("regions", f"{upstream.url}/api", headers={"X-Api-Key": "k"})
    sent = []

    for fast in (True, False):
        client = Client(entry=entry, tracer=TRACER, fast=fast)
        bound = client.cli(BoundRequest("ours"))
        await bound.call(method, "/cities/{id}", id="a/b", **options)
        sent.append(upstream.requests.pop())
        async with bound.request(method, "/cities/a%2Fb", **options):
            sent.append(upstream.requests.pop())
        await client.close()

    for request in sent:
        assert request["headers"].pop("traceparent").endswith("-02")
        assert request["headers"].pop("b3").endswith("-0")
    assert sent[0] == sent[1] == sent[2] == sent[3]


async def test_only_what_is_plain_goes_the_lean_way(upstream, way, monkeypatch):
    lean = []
    fetch, open_ = LeanTransport._fetch, LeanTransport._open

    async def fetching(self, request):
        lean.append(request.outgoing.plan.template)
        return await fetch(self, request)

    async def opening(self, request):
        lean.append(request.outgoing.url.path)
        return await open_(self, request)

    monkeypatch.setattr(LeanTransport, "_fetch", fetching)
    monkeypatch.setattr(LeanTransport, "_open", opening)
    fixed = ServiceEntry("a", upstream.url, headers={"traceparent": "00-0-0-0"})
    async with opened(url=upstream.url) as client, opened(entry=fixed) as other:
        await client.call("GET", "/lean")
        await client.call("POST", "/form", data={"a": "1"})
        await client.call("GET", "/framing", headers={"Connection": "close"})
        await client.call("PURGE", "/method")
        await client.call("GET", "/bytes", headers={"X-A": "1"}, timeout=None)
        for path, options in {
            "/opened": {},
            "/redirected": {"allow_redirects": True},
            "/large": {"data": b"x" * 100_000},
            "/streamed": {"data": aiohttp.FormData({"a": "1"})},
        }.items():
            async with client.post(path, **options) as res:
                await res.read()
        async with client.get(f"{upstream.url}/else", allow_absolute=True) as res:
            await res.read()
        await other.call("GET", "/fixed")

    assert lean == (["/lean", "/bytes", "/opened"] if way == "lean" else [])


def read_only(pairs):
    return MappingProxyType(dict(pairs))


@pytest.mark.parametrize("kind", [list, CIMultiDict, dict, read_only])
@pytest.mark.parametrize("body", [{}, {"json": [1]}, {"data": b"1"}], ids=["none", "json", "data"])
async def test_headers_may_be_whatever_aiohttp_takes(client, upstream, kind, body):
    headers = kind([("X-A", "1"), ("x-b", "2"), ("X-A", "3")])

    await client.call("POST", "/c", headers=headers, **body)
    async with client.post("/c", headers=headers, **body):
        pass

    for request in upstream.requests:
        assert request["headers"]["x-a"] == "3"
        assert request["headers"]["x-b"] == "2"


@pytest.mark.parametrize("kind", [dict, read_only, CIMultiDict])
async def test_the_headers_of_an_entry_may_be_any_mapping(upstream, kind):
    entry = ServiceEntry("regions", upstream.url, headers=kind([("X-Key", "1")]))

    async with opened(entry=entry) as client:
        await client.call("GET", "/called")
        async with client.get("/opened") as answer:
            await answer.read()
        async with client.get("/redirected", allow_redirects=True) as answer:
            await answer.read()

    assert [request["headers"]["x-key"] for request in upstream.requests] == ["1"] * 3


@pytest.mark.parametrize("headers", [{"X-A": 1}, {"X A": "1"}, {"X-A": "a\nb"}, {"X-A\r\n": "1"}])
async def test_what_is_no_header_does_not_go_out(client, upstream, headers):
    with suppress(ValueError, TypeError):
        await client.call("GET", "/c", headers=headers)
    with suppress(ValueError, TypeError):
        async with client.get("/c", headers=headers):
            pass

    assert "x-a" not in {name for request in upstream.requests for name in request["headers"]}


# What comes back.


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [HEAD + b"Content-Length: 2\r\n\r\n42"],
        [HEAD[:9], HEAD[9:] + b"Content-", b"Length: 2\r\n\r\n4", b"2"],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n4\r\n1\r\n2\r\n0\r\n\r\n"],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n4", b"\r\n1\r\n2\r\n", b"0\r\n", b"\r\n"],
        [HEAD + b"Content-Encoding: gzip\r\nContent-Length: 22\r\n\r\n", gzip.compress(b"42")],
        [b"HTTP/1.1 103 X\r\nLink: </a>\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\n42"],
        [b"HTTP/1.1 100 X\r\n\r\n", HEAD + b"Content-Length: 2\r\n\r\n42"],
    ],
)
async def test_an_answer_is_read_whole_and_the_connection_used_again(client, upstream, parts):
    upstream.answers["/c"] = saying(*parts)

    assert await client.call("GET", "/c") == 42
    assert await client.call("GET", "/c") == 42

    assert upstream.connections == 1


@pytest.mark.parametrize(
    "parts",
    [
        [HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n42"],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n42"],
        [HEAD + b"\r\n42", None],
        [HEAD + b"\r\n4", b"2", None],
        [HEAD + b"Content-Length: 2\r\n\r\n42" + HEAD + b"Content-Length: 2\r\n\r\n43"],
        [HEAD + b"Content-Length: 2\r\n\r\n42", HEAD + b"Content-Length: 2\r\n\r\n43"],
    ],
)
async def test_a_connection_that_is_at_its_end_is_not_used_again(client, upstream, parts):
    upstream.answers["/c"] = saying(*parts)

    for _ in range(2):
        assert await client.call("GET", "/c") == 42
        async with asyncio.timeout(30):
            while kept(client):
                await asyncio.sleep(0.001)

    assert upstream.connections == 2


@pytest.mark.parametrize(("method", "status"), [("GET", 204), ("HEAD", 200), ("HEAD", 204)])
async def test_an_answer_without_a_body_is_not_waited_for(client, upstream, method, status):
    upstream.answers["/c"] = saying(f"HTTP/1.1 {status} X\r\nContent-Length: 9\r\n\r\n".encode())

    for _ in range(2):
        assert await client.call(method, "/c", timeout=60) is None

    assert upstream.connections == 1


async def test_a_switch_of_protocols_is_no_answer(client, upstream):
    upstream.answers["/c"] = saying(
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nab"
    )

    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/c", timeout=60)

    assert caught.value.status_code == 502
    await asyncio.wait_for(upstream.closed.wait(), 30)


@pytest.mark.parametrize(("size", "fits"), [(1000, True), (1001, False)])
async def test_the_bound_is_exact(upstream, size, fits):
    upstream.answers["/c"] = 200, b'"' + b"x" * (size - 2) + b'"'

    async with opened(url=upstream.url, max_size=1000) as client:
        if fits:
            assert len(await client.call("GET", "/c")) == size - 2
        else:
            with pytest.raises(UpstreamError, match="answered 200"):
                await client.call("GET", "/c")


async def test_a_large_answer_comes_whole(client, upstream):
    upstream.answers["/c"] = 200, b'"' + b"x" * 3_000_000 + b'"'

    assert await client.call("GET", "/c") == "x" * 3_000_000


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_packed_answer_comes_whole_however_slowly_it_is_taken(client, upstream, chunked):
    packed = gzip.compress(b'"' + b"x" * 5_000_000 + b'"')
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(packed)
    parts = [packed[at : at + 1000] for at in range(0, len(packed), 1000)]
    if chunked:
        parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts] + [b"0\r\n\r\n"]
    head = HEAD + b"Content-Encoding: gzip\r\n" + framing + b"\r\n\r\n"
    upstream.answers["/c"] = saying(head + parts[0], b"".join(parts[1:]))

    assert await client.call("GET", "/c") == "x" * 5_000_000
    size = 0
    async with client.get("/c") as res:
        async for part in res.content.iter_any():
            size += len(part)
            await asyncio.sleep(0.001)

    assert size == 5_000_002
    assert upstream.connections == 1


async def test_a_large_answer_waits_for_who_reads_it(client, upstream):
    upstream.answers["/c"] = 200, b"x" * 9_000_000

    size = 0
    async with client.get("/c") as res:
        while part := await res.content.read(100_000):
            size += len(part)
            await asyncio.sleep(0.001)

    assert size == 9_000_000
    assert (await client.call("GET", "/d"))["target"] == "/d"
    assert upstream.connections == 1


async def test_a_large_body_goes_out_whole(client, upstream):
    sent = await client.call("PUT", "/c", data=b"x" * 1_000_000)

    assert sent["body"] == "x" * 1_000_000


async def test_a_body_that_the_service_did_not_want_leaves_no_connection(way):
    reset = asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n")
        with suppress(ConnectionError):
            while await reader.read(65536):
                await asyncio.sleep(0.001)
        reset.set()
        writer.close()

    if way == "aiohttp":
        pytest.skip("aiohttp goes on sending, and warns of bodies of this size")
    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=1000) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with opened(url=url) as client:
            with pytest.raises(UpstreamError) as caught:
                await client.call("PUT", "/c", data=b"x" * 20_000_000)
            assert client.session().connector._acquired == set()
            await asyncio.wait_for(reset.wait(), 30)

    assert caught.value.status == 413


async def test_a_broken_body_is_marked_with_the_status_it_came_with(client, upstream, spans):
    upstream.answers["/c"] = saying(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxy")

    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/c")

    assert (caught.value.status_code, caught.value.status) == (502, 200)
    assert spans[0].tags["http.status_code"] == 200
    assert spans[0].tags["error.message"] == "its answer is broken"


# Connections.


async def test_the_time_counts_while_a_call_waits_for_its_turn(upstream):
    entry = ServiceEntry("regions", upstream.url, limit=1, connect_timeout=60.0)

    async def hang(reader, writer):
        await reader.read()

    upstream.answers["/hang"] = hang
    async with opened(entry=entry) as client:
        first = asyncio.create_task(client.call("GET", "/hang", timeout=None))
        await upstream.arrived.wait()
        with pytest.raises(UpstreamError) as caught:
            await client.call("GET", "/c", timeout=0.05)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert (await client.call("GET", "/c"))["target"] == "/c"

    assert caught.value.status_code == 504


@pytest.mark.punctual
async def test_the_time_to_connect_has_a_bound_of_its_own(upstream):
    entry = ServiceEntry("regions", upstream.url, limit=1, connect_timeout=0.5)

    async def hang(reader, writer):
        await reader.read()

    upstream.answers["/hang"] = hang
    async with opened(entry=entry) as client:
        first = asyncio.create_task(client.call("GET", "/hang", timeout=None))
        await upstream.arrived.wait()
        with pytest.raises(UpstreamError) as caught:
            await client.call("GET", "/c", timeout=None)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

    assert caught.value.status_code == 504


async def test_what_was_asked_can_be_read_from_the_answer(client, upstream):
    bound = client.cli(BoundRequest("abc"))

    async with bound.get("/c", params={"a": 1}, headers={"X-A": "b: c"}) as res:
        assert str(res.url) == str(res.real_url) == f"{upstream.url}/c?a=1"
        info = res.request_info
        assert (info.method, info.url, res.method) == ("GET", res.url, "GET")
        assert info.headers["x-request-id"] == "abc"
        assert info.headers["X-A"] == "b: c"
        assert res.request_info is info
        assert "/c?a=1" in repr(res)
    upstream.answers["/d"] = 404, b""
    with pytest.raises(aiohttp.ClientResponseError, match="404"):
        async with bound.get("/d") as res:
            res.raise_for_status()


@pytest.mark.punctual
async def test_the_time_of_a_raw_call_counts_while_it_is_read(client, upstream):
    async def half(reader, writer):
        writer.write(HEAD + b"Content-Length: 9\r\n\r\n1234")
        await reader.read()

    upstream.answers["/c"] = half

    async with client.get("/c", timeout=0.5) as res:
        assert res.status == 200
        with pytest.raises(UpstreamError) as caught:
            await res.read()
    assert (caught.value.status_code, caught.value.status) == (504, 200)
    await asyncio.wait_for(upstream.closed.wait(), 30)


@pytest.mark.punctual
async def test_time_is_over_also_when_nobody_reads_for_a_while(client, upstream):
    upstream.answers["/c"] = saying(HEAD + b"Content-Length: 9\r\n\r\n1234")

    async with client.get("/c", timeout=0.5) as res:
        await asyncio.sleep(0.6)
        with pytest.raises(UpstreamError) as caught:
            await res.read()
    assert caught.value.status_code == 504


@pytest.mark.punctual
async def test_the_time_ends_with_the_last_byte(client, upstream):
    async with client.get("/c", timeout=0.5) as res:
        body = await res.read()
        await asyncio.sleep(0.6)
        assert await res.read() == body
    await client.call("GET", "/c")
    assert upstream.connections == 1


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1)])
async def test_a_raw_call_survives_a_connection_closed_while_idle(client, upstream, method, times):
    arrived = 0

    async def hang_up(reader, writer):
        nonlocal arrived
        arrived += 1
        if arrived == 1:
            raise ConnectionError
        writer.write(HEAD + b"Content-Length: 1\r\n\r\n1")

    upstream.answers["/c"] = hang_up
    await client.call("GET", "/warm-up")

    async with AsyncExitStack() as stack:
        if times == 1:
            stack.enter_context(pytest.raises(UpstreamError))
        async with client.request(method, "/c") as res:
            assert await res.json() == 1

    assert arrived == times
    assert client.session().connector._acquired == set()


async def test_a_raw_call_that_is_cancelled_leaves_no_connection(client, upstream):
    async def hang(reader, writer):
        await reader.read()

    async def ask():
        async with client.get("/c"):
            pass

    upstream.answers["/c"] = hang
    asyncio.get_running_loop().set_debug(True)  # aiohttp tells of answers that are not closed
    task = asyncio.create_task(ask())
    await upstream.arrived.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(upstream.closed.wait(), 30)
    assert client.session().connector._acquired == set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del task
        gc.collect()
    assert [warning for warning in caught if "response" in str(warning.message)] == []


async def test_raw_answers_of_every_kind_are_read(client, upstream):
    for parts in (
        [b"HTTP/1.1 103 X\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\n42"],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n4\r\n", b"1\r\n2\r\n0\r\n\r\n"],
        [HEAD + b"\r\n4", b"2", None],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n42"],
    ):
        upstream.answers["/c"] = saying(*parts)
        async with client.get("/c") as res:
            assert await res.json() == 42
        assert client.session().connector._acquired == set()
    upstream.answers["/c"] = saying(b"SSH-2.0-OpenSSH\r\n\r\n", None)
    with pytest.raises(UpstreamError) as caught:
        async with client.get("/c"):
            pass
    assert caught.value.status_code == 502


@pytest.mark.punctual
async def test_an_answer_in_two_parts_is_late_as_a_whole(client, upstream):
    upstream.answers["/c"] = saying(HEAD, *[b"X-A: b\r\n"] * 50)

    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/c", timeout=0.1)

    assert caught.value.status_code == 504
    await asyncio.wait_for(upstream.closed.wait(), 30)


async def test_raw_calls_and_whole_ones_share_their_connections(client, upstream):
    await client.call("GET", "/a")
    async with client.get("/b") as res:
        await res.read()
    await client.call("GET", "/c")

    assert upstream.connections == 1


async def test_a_connection_that_never_comes_up_is_given_up(client, monkeypatch):
    class Gone:
        transport = protocol = None
        close = staticmethod(lambda: None)

    async def connect(self, req, traces, timeout):
        req.reused = False
        return Gone

    monkeypatch.setattr(Connector, "connect", connect)
    if not is_lean(client):
        pytest.skip("aiohttp has its own tests for this")

    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/c")

    assert caught.value.status_code == 503


@pytest.mark.punctual
async def test_no_call_gets_the_answer_of_another(upstream):
    """Answers come late, in parts, or not at all; calls are cancelled and time out."""
    chance, gate = random.Random(7), asyncio.Semaphore(8)

    async def answer(reader, writer):
        target = upstream.requests[-1]["target"]
        body = f'{{"data": "{target}"}}'.encode()
        whole = b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        at, kind = chance.randrange(len(whole)), chance.random()
        await asyncio.sleep(chance.random() * 0.004)
        if kind < 0.1:
            raise ConnectionError
        writer.write(whole[:at])
        await asyncio.sleep(chance.random() * 0.004)
        writer.write(whole[at:])

    async def call(client, number):
        path = f"/{number}"
        upstream.answers[path] = answer
        timeout = 0.006 if chance.random() < 0.3 else 60
        if number % 2:
            async with client.get(path, timeout=timeout) as res:
                data = (await res.json())["data"]
        else:
            data = await client.call("GET", path, timeout=timeout)
        assert data == path
        return data

    async def give_up(client, number):
        async with gate, asyncio.timeout(0.005 if chance.random() < 0.3 else None):
            return await call(client, number)

    async with opened(entry=ServiceEntry("regions", upstream.url, limit=8)) as client:
        found = await asyncio.gather(
            *(give_up(client, number) for number in range(600)), return_exceptions=True
        )
        assert client.session().connector._acquired == set()

    kinds = {type(one) for one in found}
    assert kinds == {str, UpstreamError, TimeoutError}


# When it stands aside.


def test_an_untested_aiohttp_is_warned_of_once(monkeypatch, caplog):
    monkeypatch.setattr(aiohttp, "__version__", "3.99.0")
    entries = {name: ServiceEntry(name, "http://h") for name in ("a", "b")}

    with caplog.at_level(logging.WARNING):
        Clients(entries)
        Clients(entries, fast=False)
        Clients({})

    (record,) = caplog.records
    assert "not tested with aiohttp 3.99.0" in record.getMessage()


async def test_it_may_be_switched_off(upstream):
    async with opened(url=upstream.url, fast=False) as client:
        await client.call("GET", "/c")
        assert not is_lean(client)


@pytest.mark.parametrize("fast", [True, False])
async def test_the_setting_of_the_server_switches_it_off(make_service, way, fast):
    services = {"a": ServiceEntry("a", "http://h")}
    service = make_service(server={"fast_path": fast}, services=services)

    async with service.running() as app:
        lean = is_lean(app.clients["a"])

    assert lean is (fast and way == "lean")


async def test_a_prefix_that_needs_encoding_is_left_to_aiohttp(upstream):
    async with opened(url=f"{upstream.url}/a b") as client:
        assert not is_lean(client)


def test_hand_made_paths_do_not_pile_up():
    client = Client(url="http://h")

    for number in range(3000):
        client._channel.plan("GET", f"/cities/{number}")

    assert len(client._channel._plans) <= 1024
