"""The bound on connections: who gives way to a new one, who stays, and what is refused."""

import asyncio
import resource
import socket
import ssl
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress

import pytest
from sanic.response import ResponseStream

from msframework import doc
from msframework.app import Service
from msframework.conf.operations import OperationsSettings
from msframework.conf.settings import ServiceEntry, TLSSettings
from msframework.serving import connections, descriptors
from msframework.serving.timeouts import ConnectionState
from msframework.serving.tls import ServerTLS
from tests.certificates import Authority
from tests.conftest import with_settings
from tests.console import ROOT, environment

SOON = 100.0  # what is awaited comes long before
GET = b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
POST = (
    b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n"
)


@pytest.fixture(autouse=True)
def ages(monkeypatch):
    """Let a connection give way as soon as it is in a state that may, and return the ages."""
    ages = {**dict.fromkeys(ConnectionState, 0.0), ConnectionState.ACTIVE: float("inf")}
    monkeypatch.setattr(connections, "_LEAST_AGE", ages)
    return ages


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def make(request):
    """Return a function that makes a service with room for *most* connections."""

    def make(most, port=None):
        settings = with_settings(
            server={"fast_path": request.param, "graceful_timeout": 0.1},
            operations=OperationsSettings(max_connections=most, port=port),
        )
        service = Service(settings)
        service.config.TOUCHUP = False
        add_routes(service)
        return service

    return make


def add_routes(service):
    service.released, service.running = asyncio.Event(), 0

    @service.get("/one")
    async def one(request):
        return {"n": 1}

    @service.get("/big")
    async def big(request):
        return "x" * 20_000_000

    @service.post("/echo")
    @doc.consumes({"text": str})
    async def echo(request, body):
        return body

    @service.get("/wait")
    async def wait(request):
        service.running += 1
        await service.released.wait()
        return {}

    @service.get("/ticks")
    async def ticks(request):
        async def write(response):
            await response.write("tick")
            await service.released.wait()

        return ResponseStream(write)

    @service.websocket("/socket")
    async def echo_text(request, ws):
        await ws.send(await ws.recv())


@asynccontextmanager
async def connected(serve, service):
    """Serve *service*, and yield a function that opens a connection and sends some bytes."""
    writers = []
    async with serve(service) as address:

        async def connect(data=b"", *, until=b""):
            reader, writer = await asyncio.open_connection(*address, limit=2**16)
            writers.append(writer)
            writer.write(data)
            if until:
                await asyncio.wait_for(reader.readuntil(until), SOON)
            return reader, writer

        yield connect
        service.released.set()
        for writer in writers:
            writer.close()


async def settled(service, count):
    """Wait until the worker holds *count* connections."""
    async with asyncio.timeout(SOON):
        while service._serving.bound.held != count:
            await asyncio.sleep(0.001)


async def ended(reader):
    """Return what comes to the end of the connection, whichever way it ends."""
    answer = b""
    with suppress(ConnectionResetError):
        async with asyncio.timeout(SOON):
            while data := await reader.read(2**20):
                answer += data
    return answer


async def served(connect):
    """Have a new client answered; return its connection."""
    reader, writer = await connect(GET, until=b'{"n":1}}')
    return reader, writer


def evicted(service):
    """Return how many connections gave way, by their claims."""
    found = service._serving.bound.evicted
    return {claim.name: count for claim, count in found.items() if count}


async def test_what_asked_least_gives_way_first_and_the_oldest_of_it(make, serve):
    service = make(4)
    async with connected(serve, service) as connect:
        kept, _ = await served(connect)
        silent, _ = await connect()
        await settled(service, 2)
        partial, _ = await connect(GET[:10])
        await settled(service, 3)
        later, writer = await served(connect)
        writer.write(GET[:10])
        await asyncio.sleep(0.05)

        for reader in (silent, partial, later, kept):
            await served(connect)
            assert await ended(reader) == b""

    assert evicted(service) == {"NEW": 3, "IDLE": 1}
    assert service._serving.bound.refused == 0


async def test_requests_streams_and_websockets_stay_and_a_new_client_hears_503(make, serve):
    service = make(3)
    async with connected(serve, service) as connect:
        waiting, _ = await connect(GET.replace(b"/one", b"/wait"))
        ticks, _ = await connect(GET.replace(b"/one", b"/ticks"), until=b"tick\r\n")
        websocket, writer = await connect(UPGRADE, until=b"\r\n\r\n")
        async with asyncio.timeout(SOON):
            while not service.running:
                await asyncio.sleep(0.001)

        refused, _ = await connect(GET)
        head, _, body = (await ended(refused)).partition(b"\r\n\r\n")

        assert head.startswith(b"HTTP/1.1 503 ")
        lines = head.lower().split(b"\r\n")
        assert {b"retry-after: 1", b"connection: close", b"content-length: %d" % len(body)} <= {
            *lines
        }
        assert body.startswith(b'{"code":100503,')
        writer.write(b"\x81\x82\x00\x00\x00\x00hi")
        assert await websocket.readexactly(4) == b"\x81\x02hi"
        service.released.set()
        assert b" 200 " in await waiting.readuntil(b"\r\n\r\n")
        assert await ticks.readexactly(5) == b"0\r\n\r\n"

    assert evicted(service) == {}
    assert service._serving.bound.refused == 1


async def test_a_body_that_drips_and_an_answer_that_nobody_reads_give_way_at_last(
    make, serve, ages
):
    service = make(2)
    async with connected(serve, service) as connect:
        body, writer = await connect(POST)
        big, _ = await connect(GET.replace(b"/one", b"/big"), until=b"\r\n")
        async with asyncio.timeout(SOON):
            while not all(
                clock.state(0.0, 0.0)[0] is ConnectionState.STALLED
                for clock in service._serving.watch.clocks
            ):
                await asyncio.sleep(0.001)
        writer.write(b"x")

        await served(connect)
        assert evicted(service) == {"STALLED": 1}
        ages[ConnectionState.IDLE] = float("inf")
        await served(connect)

        assert await ended(body) == b""
        assert len(await ended(big)) < 20_000_000
    assert evicted(service) == {"STALLED": 2}


async def test_metrics_tell_of_them(make, serve):
    service = make(2, port=0)
    async with connected(serve, service) as connect:
        await connect()
        await served(connect)
        await served(connect)

        service.metrics.take_readings()
        text, _ = service.metrics.render()

    lines = text.decode().split("\n")
    assert "msframework_connections 2.0" in lines
    assert 'msframework_connections_evicted_total{state="new"} 1.0' in lines
    assert 'msframework_connections_refused_total{outcome="answered"} 0.0' in lines


async def test_a_young_connection_is_left_the_time_to_ask(make, serve, ages):
    ages[ConnectionState.NEW] = 60.0
    service = make(1)
    async with connected(serve, service) as connect:
        young, writer = await connect()
        await settled(service, 1)
        refused, _ = await connect(GET)
        assert b" 503 " in await ended(refused)

        writer.write(GET)
        assert b" 200 " in await young.readuntil(b"\r\n\r\n")


@pytest.mark.punctual
async def test_many_that_are_refused_at_once_cost_few_descriptors(make, serve, monkeypatch):
    monkeypatch.setattr(connections, "_MOST_LINGERING", 2)
    monkeypatch.setattr(connections, "_LINGER", 0.1)
    service = make(1)
    async with connected(serve, service) as connect:
        await connect(GET.replace(b"/one", b"/wait"))
        async with asyncio.timeout(SOON):
            while not service.running:
                await asyncio.sleep(0.001)
        pairs = [await connect() for _ in range(5)]
        async with asyncio.timeout(SOON):
            while service._serving.bound.refused < 5:
                await asyncio.sleep(0.001)
        answers = await asyncio.gather(*(ended(reader) for reader, _ in pairs))

    assert sorted(answer[:12] for answer in answers) == [b""] * 3 + [b"HTTP/1.1 503"] * 2


async def test_a_handshake_that_never_ends_gives_way_and_a_refused_one_is_hung_up_on(
    make, serve, tmp_path
):
    authority = Authority(tmp_path)
    pair = authority.issue()
    service = make(1)
    context = ssl.create_default_context(cafile=authority.ca)
    async with connected(serve, service) as connect:
        service._serving.tls = ServerTLS(TLSSettings(cert=pair.cert, key=pair.key), SOON)
        [port] = {service.state.server_info[0].settings["port"]}
        silent, _ = await connect()
        await settled(service, 1)

        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )
        assert await ended(silent) == b""
        writer.write(GET.replace(b"/one", b"/wait"))
        async with asyncio.timeout(SOON):
            while not service.running:
                await asyncio.sleep(0.001)
        refused, _ = await connect()
        assert await ended(refused) == b""

        service.released.set()
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        await settled(service, 0)


async def test_a_handshake_that_fails_counts_no_more(make, serve, tmp_path):
    pair = Authority(tmp_path).issue()
    service = make(1)
    async with connected(serve, service) as connect:
        service._serving.tls = ServerTLS(TLSSettings(cert=pair.cert, key=pair.key), SOON)
        reader, _ = await connect(GET)  # no TLS
        await ended(reader)
        await settled(service, 0)


# File descriptors.


@pytest.fixture
def limits(monkeypatch):
    """Return the limits of open files, which tests may set without harm."""
    limits = [1024, 65_536]
    monkeypatch.setattr(resource, "getrlimit", lambda which: tuple(limits))
    monkeypatch.setattr(
        resource, "setrlimit", lambda which, wanted: limits.__setitem__(slice(None), wanted)
    )
    return limits


def test_the_soft_limit_of_open_files_becomes_the_hard_one(limits):
    descriptors.raise_limit()

    assert limits == [65_536, 65_536]


@pytest.mark.parametrize(
    ("limit", "wanted", "most"),
    [
        (65_536, None, 10_000),
        (65_536, 30_000, 30_000),
        (resource.RLIM_INFINITY, 30_000, 30_000),
        (4096, None, 4096 - 256 - 10 - 100),
        (4096, 20, 20),
        (100, None, 50),
    ],
)
def test_a_worker_holds_as_many_connections_as_its_open_files_allow(
    limits, caplog, limit, wanted, most
):
    limits[0] = limit
    settings = with_settings(
        operations=OperationsSettings(max_connections=wanted),
        services={"x": ServiceEntry("x", "http://x")},
    )

    assert descriptors.choose_most(settings) == most
    assert caplog.messages == []


def test_a_bound_that_open_files_do_not_allow_is_warned_of(limits, caplog):
    settings = with_settings(operations=OperationsSettings(max_connections=5000))

    assert descriptors.choose_most(settings) == 1024 - 256 - 10

    [line] = caplog.messages
    assert line.startswith("MAX_CONNECTIONS is 5000, but a worker may open 1024 files")


# What it does where every descriptor is taken, with the loop of production.
EXHAUSTED = """
import resource, sys
from msframework.app import Service
from msframework.conf.settings import Settings

service = Service(Settings(service_name="exhausted"))

@service.get("/one")
async def one(request):
    return {"n": 1}

@service.listener("after_server_start")
async def exhaust(app, loop):
    app._serving.bound.most = 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

sock = __import__("socket").socket(fileno=int(sys.argv[1]))
service.prepare(sock=sock, single_process=True, motd=False, access_log=False)
Service.serve_single(primary=service)
"""


def test_a_worker_without_a_descriptor_left_lives_on_and_does_not_spin(unwatched):
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as sock:
        sock.set_inheritable(True)
        process = subprocess.Popen(
            [sys.executable, "-c", EXHAUSTED, str(sock.fileno())],
            cwd=ROOT,
            env=environment(),
            pass_fds=[sock.fileno()],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        address = sock.getsockname()
        try:
            with socket.create_connection(address, timeout=SOON) as first:
                first.sendall(GET)
                assert b" 200 " in first.recv(1000)
                others = [socket.create_connection(address, timeout=SOON) for _ in range(200)]
                ends = [other for other in others[100:] if _is_ended(other)]
                assert len(ends) == 100
                first.sendall(GET)
                assert b"200" in first.recv(1000)
            for other in others:
                other.close()
            until = time.monotonic() + SOON  # it has to notice first
            while not _is_answered(address):
                assert time.monotonic() < until
        finally:
            process.kill()
            process.wait()


def _is_answered(address):
    with suppress(ConnectionError), socket.create_connection(address, timeout=SOON) as sock:
        sock.sendall(GET)
        return sock.recv(12) == b"HTTP/1.1 200"
    return False


def _is_ended(sock):
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_closed_standard_descriptors_are_not_left_for_sockets():
    program = (
        "import os\n"
        "from msframework.serving.descriptors import hold_standard\n"
        "hold_standard()\n"
        "held = [os.readlink(f'/proc/self/fd/{each}') for each in range(3)]\n"
        "os._exit(held == ['/dev/null'] * 3 and all(map(os.get_inheritable, range(3))))\n"
    )
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", program]

    assert subprocess.run(command, cwd=ROOT, timeout=250, check=False).returncode == 1
