"""Which hosts are answered for, on both paths, however the head comes."""

import asyncio

import pytest

from msframework.conf.rules import broken_rules
from msframework.conf.settings import ServerSettings
from msframework.exceptions import ImproperlyConfigured
from msframework.serving.hosts import Hosts, build_hosts, misdirected
from msframework.serving.request import LeanRequest
from tests.conftest import with_settings

LOOPBACK = ["localhost", "LOCALHOST:80", "localhost.", "127.0.0.1:8000", "127.9.9.9", "[::1]:1"]
LOOPBACK += ["api.localhost:8000"]
OTHERS = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0", "[::]"]
OTHERS += ["evillocalhost", "10.0.0.1", "", "localhost:80:80", "localhost evil", "[::1", "a" * 5000]
OTHERS += ["user@localhost", "localhost:x", None]


@pytest.mark.parametrize("host", LOOPBACK)
def test_debug_allows_the_loopback(host):
    assert Hosts((), loopback=True).allows(host)


@pytest.mark.parametrize("host", OTHERS)
def test_debug_allows_no_other_host(host):
    hosts = Hosts((), loopback=True)

    assert not hosts.allows(host)
    assert not hosts.allows(host)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("api.example.com:8000", True),
        ("API.Example.com", True),
        ("x.api.example.com", False),
        ("example.org", True),
        ("a.b.example.org", True),
        ("badexample.org", False),
        ("example.org.evil", False),
        ("[2001:db8::1]:80", True),
        ("localhost", False),
    ],
)
def test_names_are_exact_or_with_all_below(host, allowed):
    hosts = Hosts(("api.example.com", ".example.org", "[2001:db8::1]"), loopback=False)

    assert hosts.allows(host) is allowed


@pytest.mark.parametrize(
    ("names", "debug", "checked"),
    [((), False, False), ((), True, True), (("a",), False, True), (("*",), True, False)],
)
def test_nothing_is_checked_that_is_not_configured(names, debug, checked):
    settings = with_settings(debug=debug, server={"allowed_hosts": names})

    assert (build_hosts(settings) is not None) is checked


@pytest.mark.parametrize(
    "name", ["http://a", "a:80", "a/b", "*.a", "", "::1", "a b", "..a", "a..b", "."]
)
def test_a_wrong_name_is_refused_at_the_start(name):
    settings = with_settings(debug=True, server=ServerSettings(allowed_hosts=(name,)))

    (broken,) = broken_rules(settings)
    assert broken.names == ("ALLOWED_HOSTS",)
    assert repr(name) in str(ImproperlyConfigured.of([broken.text]))


def test_the_message_is_bounded():
    assert len(misdirected("x" * 10_000).error) < 400


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def service(request, make_service):
    service = make_service(debug=True, server={"fast_path": request.param})
    service.ctx.ran = []

    @service.get("/one")
    async def one(request):
        service.ctx.ran.append("lean" if isinstance(request, LeanRequest) else "one")
        return {"n": 1}

    @service.post("/raw", stream=True)
    async def raw(request):
        service.ctx.ran.append("raw")

    @service.websocket("/socket")
    async def socket(request, ws):
        service.ctx.ran.append("socket")

    return service


def in_parts(head, way):
    if way == "bytes":
        return [head[at : at + 1] for at in range(len(head))]
    return [head] if way == "whole" else [head[:20], head[20:]]


async def read_answer(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    size = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
    return int(head.split(" ", 2)[1]), await reader.readexactly(size)


@pytest.mark.parametrize("way", ["whole", "two", "bytes"])
async def test_a_strangers_host_is_misdirected(service, serve, way):
    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        answers = []
        for name in ("localhost", "evil.example", f"{host}:{port}", "evil.example"):
            for part in in_parts(f"GET /one HTTP/1.1\r\nHost: {name}\r\n\r\n".encode(), way):
                writer.write(part)
                await asyncio.sleep(0)
            answers.append(await read_answer(reader))
        writer.close()

    assert [status for status, _ in answers] == [200, 421, 200, 421]
    assert b"'evil.example' is no host of this service" in answers[1][1]
    assert len(service.ctx.ran) == 2
    if way == "whole":
        assert service.ctx.ran[-1] == ("lean" if service.settings.server.fast_path else "one")


@pytest.mark.parametrize(
    "lines",
    [
        "POST /raw HTTP/1.1\r\nContent-Length: 0",
        "POST /raw HTTP/1.1\r\nTransfer-Encoding: chunked",
        "GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "GET /no/such HTTP/1.1",
        "OPTIONS /one HTTP/1.1",
        "HEAD /one HTTP/1.1",
        "PATCH /one HTTP/1.1",
        "GET /openapi/spec.json HTTP/1.1",
        "GET /docs HTTP/1.1",
    ],
)
async def test_no_way_leads_around_the_check(service, serve, lines):
    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"{lines}\r\nHost: evil.example\r\n\r\n".encode())
        if "chunked" in lines:
            writer.write(b"0\r\n\r\n")
        status = int((await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1])
        writer.close()

    assert status == 421
    assert service.ctx.ran == []


async def test_middleware_sees_no_request_for_another_host(service, serve):
    @service.on_request
    async def note(request):
        service.ctx.ran.append("middleware")

    async with serve(service) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /one HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        status, _ = await read_answer(reader)
        writer.close()

    assert (status, service.ctx.ran) == (421, [])


@pytest.mark.parametrize("way", ["whole", "two", "bytes"])
@pytest.mark.parametrize(
    ("line", "allowed"), [("OPTIONS * HTTP/1.1", 204), ("CONNECT evil.example:443 HTTP/1.1", 405)]
)
async def test_what_asks_for_no_path_is_misdirected_too(service, serve, line, allowed, way):
    @service.on_request
    async def note(request):
        service.ctx.ran.append("middleware")

    answers = []
    async with serve(service) as (host, port):
        for name in ("evil.example", "localhost"):
            reader, writer = await asyncio.open_connection(host, port)
            for part in in_parts(f"{line}\r\nHost: {name}\r\n\r\n".encode(), way):
                writer.write(part)
                await asyncio.sleep(0)
            answers.append((await read_answer(reader))[0])
            ran, service.ctx.ran = service.ctx.ran, []
            assert name != "evil.example" or ran == []
            writer.close()

    assert answers == [421, allowed]
