"""What the settings of HTTP do."""

import asyncio
import contextlib
import socket

import aiohttp
import pytest
from marshmallow import EXCLUDE, Schema, fields
from sanic.response import ResponseStream

from msframework import doc
from msframework.management.sockets import listen
from msframework.serving.request import LeanRequest
from msframework.testing.server import serving
from tests.processes import ServerProcess, free_port

GET = b"GET /one HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SHORT = 0.2


class Noted(Schema):
    class Meta:
        unknown = EXCLUDE

    note = fields.String()


def routes(service):
    service.ctx.begun, service.ctx.ended = asyncio.Event(), asyncio.Event()

    @service.get("/one")
    async def one(request):
        return {"lean": isinstance(request, LeanRequest), "client": request.client_ip}

    @service.post("/echo")
    @doc.consumes({"text": str})
    async def echo(request, body):
        return body

    @service.post("/form")
    @doc.form(Noted)
    async def form(request, form):
        return form

    @service.get("/big")
    async def big(request):
        return "x" * 20_000_000

    @service.get("/slow")
    async def slow(request):
        service.ctx.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            service.ctx.ended.set()

    @service.get("/stream")
    async def stream(request):
        async def write(response):
            while True:
                await response.write("x" * 1000)
                await asyncio.sleep(0.02)

        return ResponseStream(write)


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer else None


def test_host(read):
    with listen(read(HOST="127.0.0.2", PORT=0)) as sock:
        assert sock.getsockname()[0] == "127.0.0.2"


def test_port(read):
    port = free_port()
    with listen(read(PORT=port)) as sock:
        assert sock.getsockname()[1] == port


@pytest.mark.acceptance  # tests/management/test_runserver.py has two workers by this setting
def test_workers(tmp_path, database):
    server = ServerProcess(
        tmp_path / "log",
        *("--settings", "settings.roles"),
        WORKERS="2",
        DATABASE_URL=database,
    )
    with server:
        assert server.stop() == 0

    assert "in 2 workers" in server.output()


async def test_allowed_hosts(serve):
    async with serve(routes, ALLOWED_HOSTS=(".example.com",)) as running:
        answers = [
            await running.ask("/one", headers={"Host": host})
            for host in ("a.example.com", "example.org")
        ]

    assert [answer.status for answer in answers] == [200, 421]


async def test_url_prefix(serve):
    async with serve(routes, URL_PREFIX="/api") as running:
        answers = [await running.ask(path) for path in ("/api/one", "/one")]

    assert [answer.status for answer in answers] == [200, 404]


async def test_request_max_size(serve):
    async with serve(routes, REQUEST_MAX_SIZE=100) as running:
        answers = [
            await running.ask("/echo", "POST", json={"text": "x" * size}) for size in (50, 200)
        ]

    assert [answer.status for answer in answers] == [200, 413]


async def test_request_max_head_size(serve):
    async with serve(routes, REQUEST_MAX_HEAD_SIZE=500) as running:
        answer = await running.send(GET + b"X-Long: " + b"x" * 600 + b"\r\n\r\n")

    assert status_of(answer) == 431


async def test_request_max_target_size(serve):
    async with serve(routes, REQUEST_MAX_TARGET_SIZE=100) as running:
        assert (await running.ask(f"/one?{'x' * 200}")).status == 414


async def test_request_max_headers(serve):
    async with serve(routes, REQUEST_MAX_HEADERS=5) as running:
        answer = await running.send(GET + b"X-A: 1\r\n" * 10 + b"\r\n")

    assert status_of(answer) == 431


async def test_bodies_max_size(serve):
    async with serve(routes, BODIES_MAX_SIZE=1000, REQUEST_MAX_SIZE=1000) as running:
        host, _, port = running.url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(POST + b"Content-Length: 900\r\n\r\n" + b" " * 800)
        async with asyncio.timeout(30):
            while not running.service._serving.bodies.held:
                await asyncio.sleep(0.01)
        answer = await running.send(
            POST + b"Connection: close\r\nContent-Length: 500\r\n\r\n" + b" " * 400
        )
        writer.close()

    assert status_of(answer) == 503


async def test_max_errors(serve):
    async with serve(routes, MAX_ERRORS=3) as running:
        unknown = {f"unknown_{number}": 1 for number in range(50)}
        answer = await running.ask("/echo", "POST", json=unknown)

    assert answer.status == 422
    assert 3 <= len(answer.said["error"]["body"]) <= 5


async def form_status(serve, data, **values):
    async with serve(routes, **values) as running:
        return (await running.ask("/form", "POST", data=data)).status


def multipart(**texts):
    form = aiohttp.FormData(default_to_multipart=True)
    for name, text in texts.items():
        form.add_field(name, text)
    return form


async def test_max_fields(serve):
    for make in (dict, multipart):
        several = make(note="1", a="2", b="3")
        assert await form_status(serve, several, MAX_FIELDS=2) in (400, 413)
        assert await form_status(serve, make(note="1"), MAX_FIELDS=2) == 200


async def test_max_field_size(serve):
    assert await form_status(serve, multipart(note="x" * 200), MAX_FIELD_SIZE=100) == 413
    assert await form_status(serve, multipart(note="x" * 50), MAX_FIELD_SIZE=100) == 200


async def test_request_timeout(serve):
    async with serve(routes, REQUEST_TIMEOUT=SHORT) as running:
        assert status_of(await running.send(GET)) == 408


async def test_body_timeout(serve):
    async with serve(routes, BODY_TIMEOUT=SHORT) as running:
        assert status_of(await running.send(POST + b"Content-Length: 9\r\n\r\n")) == 408


@pytest.mark.punctual
@pytest.mark.parametrize(("rate", "is_read"), [(10_000_000, False), (10, True)])
async def test_body_min_rate(serve, rate, is_read):
    async with serve(routes, BODY_TIMEOUT=SHORT, BODY_MIN_RATE=rate) as running:
        reader, writer = await connect(running)
        writer.write(POST + b"Content-Length: 110\r\n\r\n" + b'{"text":5}')
        for _ in range(10):
            await asyncio.sleep(SHORT / 4)
            with contextlib.suppress(ConnectionError):
                writer.write(b" " * 10)
        head = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(30):
                head = await reader.readuntil(b"\r\n\r\n")
        writer.close()

    assert (status_of(head) == 422) is is_read


async def connect(running, size=None):
    """Return reader and writer of a connection, which takes *size* bytes unread."""
    host, _, port = running.url.removeprefix("http://").partition(":")
    sock = socket.socket()
    if size is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    return await asyncio.open_connection(sock=sock, limit=size or 65536)


async def read_slowly(serve, pause, **values):
    """Return how much of a large answer a slow client gets."""
    async with serve(routes, GRACEFUL_SHUTDOWN_TIMEOUT=0.1, **values) as running:
        reader, writer = await connect(running, 4096)
        writer.write(GET.replace(b"/one", b"/big") + b"Connection: close\r\n\r\n")
        size = 0
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            for _ in range(4):
                await asyncio.sleep(pause)
                size += len(await reader.readexactly(1_000_000))
            async with asyncio.timeout(30):
                while block := await reader.read(1_000_000):
                    size += len(block)
        writer.close()
        return size


@pytest.mark.punctual
async def test_write_timeout(serve):
    assert await read_slowly(serve, SHORT * 2) > 20_000_000
    assert await read_slowly(serve, SHORT * 2, WRITE_TIMEOUT=SHORT) < 20_000_000


@pytest.mark.punctual
async def test_write_min_rate(serve):
    values = {"WRITE_TIMEOUT": SHORT, "WRITE_MIN_RATE": 1_000_000_000}

    assert await read_slowly(serve, SHORT * 0.8, **values) < 20_000_000


async def test_response_timeout(serve):
    async with serve(routes, RESPONSE_TIMEOUT=SHORT) as running:
        assert (await running.ask("/slow")).status == 503


@pytest.mark.punctual
async def test_keep_alive_timeout(serve):
    async with serve(routes, KEEP_ALIVE_TIMEOUT=SHORT) as running:
        answer = await running.send(GET + b"\r\n")

    assert status_of(answer) == 200  # and then it was closed


async def test_graceful_shutdown_timeout(make):
    service = make(GRACEFUL_SHUTDOWN_TIMEOUT=0.1)
    routes(service)
    async with asyncio.timeout(30):
        async with serving(service) as server:
            host, _, port = server.url.removeprefix("http://").partition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(GET.replace(b"/one", b"/slow") + b"\r\n")
            await service.ctx.begun.wait()
        await service.ctx.ended.wait()
        writer.close()


class Hanging:
    async def start(self):
        """Start at once."""

    async def stop(self):
        await asyncio.Event().wait()


async def test_part_stop_timeout(make, lines_of):
    said = lines_of("msframework.lifecycle")
    service = make(PART_STOP_TIMEOUT=0.05)
    service.add_part(Hanging())

    async with asyncio.timeout(30):
        async with service.running():
            pass

    assert said == ["Hanging did not stop within 0.05 s"]


async def client_of(serve, headers, **values):
    async with serve(routes, **values) as running:
        return (await running.ask("/one", headers=headers)).said["data"]["client"]


async def test_proxies_count(serve):
    headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"}

    assert await client_of(serve, headers, PROXIES_COUNT=1) == "203.0.113.7"
    assert await client_of(serve, headers) == "127.0.0.1"


async def test_real_ip_header(serve):
    headers = {"X-Real-IP": "203.0.113.7"}

    assert await client_of(serve, headers, REAL_IP_HEADER="x-real-ip") == "203.0.113.7"


async def test_forwarded_secret(serve):
    headers = {"Forwarded": "for=203.0.113.7;secret=s3cret"}

    assert await client_of(serve, headers, FORWARDED_SECRET="s3cret") == "203.0.113.7"
    assert await client_of(serve, headers, FORWARDED_SECRET="other") == "127.0.0.1"


async def test_json_max_depth(serve):
    async with serve(routes, JSON_MAX_DEPTH=2) as running:
        answers = [
            await running.ask("/echo", "POST", json={"text": value}) for value in ([1], [[1]])
        ]

    assert [answer.status for answer in answers] == [422, 400]


@pytest.mark.parametrize("fast", [True, False])
async def test_fast_path(serve, fast):
    async with serve(routes, FAST_PATH=fast) as running:
        assert (await running.ask("/one")).said["data"]["lean"] is fast


ORIGIN = {"ACCESS_CONTROL_ALLOW_ORIGIN": "https://a.example"}
ASKED = {"Origin": "https://a.example"}


async def test_access_control_allow_origin(serve):
    async with serve(routes, **ORIGIN) as running:
        answer = await running.ask("/one", headers=ASKED)

    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"


async def preflight(serve, **values):
    asked = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Private-Network": "true",
    }
    async with serve(routes, **ORIGIN, **values) as running:
        return (await running.ask("/one", "OPTIONS", headers={**ASKED, **asked})).headers


async def test_access_control_allow_headers(serve):
    headers = await preflight(serve, ACCESS_CONTROL_ALLOW_HEADERS="X-Own, X-Other")

    assert headers["Access-Control-Allow-Headers"].startswith("X-Own, X-Other, X-Request-ID, ")


async def test_access_control_allow_methods(serve):
    headers = await preflight(serve, ACCESS_CONTROL_ALLOW_METHODS="GET")

    assert headers["Access-Control-Allow-Methods"] == "GET"


async def test_access_control_allow_credentials(serve):
    headers = await preflight(serve, ACCESS_CONTROL_ALLOW_CREDENTIALS=True)

    assert headers["Access-Control-Allow-Credentials"] == "true"


async def test_access_control_expose_headers(serve):
    async with serve(routes, **ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS=("X-Own",)) as running:
        answer = await running.ask("/one", headers=ASKED)

    assert answer.headers["Access-Control-Expose-Headers"] == "X-Own"


async def test_access_control_max_age(serve):
    assert (await preflight(serve, ACCESS_CONTROL_MAX_AGE=5))["Access-Control-Max-Age"] == "5"


async def test_access_control_allow_private_network(serve):
    headers = await preflight(serve, ACCESS_CONTROL_ALLOW_PRIVATE_NETWORK=True)

    assert headers["Access-Control-Allow-Private-Network"] == "true"


async def test_security_headers(serve):
    values = {"X-Frame-Options": "DENY", "X-Content-Type-Options": None}
    async with serve(routes, SECURITY_HEADERS=values) as running:
        headers = (await running.ask("/one")).headers

    assert headers["X-Frame-Options"] == "DENY"
    assert "X-Content-Type-Options" not in headers


async def test_strict_query(serve):
    def strict_routes(service):
        @service.get("/plain")
        async def plain(request):
            return {}

        @service.get("/listed")
        @doc.query({"size": int | None, "colour": str | None})
        async def listed(request, query):
            return query

    async with serve(strict_routes) as running:
        assert (await running.ask("/plain?a=1")).status == 200
    async with serve(strict_routes, STRICT_QUERY=True) as running:
        assert (await running.ask("/plain")).status == 200
        assert (await running.ask("/listed?size=1")).said["data"] == {"size": 1}
        refused = await running.ask("/plain?a=1")
        answer = await running.ask("/listed?color=red&size=x")

    assert (refused.status, refused.said["error"]) == (
        422,
        {"query": {"a": ["Unknown parameter."]}},
    )
    assert answer.said["error"]["query"] == {
        "size": ["Not a valid integer."],
        "color": ["Unknown parameter; there are colour, size. Did you mean 'colour'?"],
    }
