"""A server with TLS: handshakes of all kinds, and the same answers as without it."""

import asyncio
import logging
import random
import shutil
import socket
import ssl
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
import uvloop

from msframework.app import Service
from msframework.conf.settings import TLSSettings
from msframework.serving.tls import ServerTLS
from msframework.testing.server import BackgroundServer, Server, serving
from tests.certificates import DAY, Authority
from tests.conftest import with_settings
from tests.serving.conftest import make_shop
from tests.serving.fuzz import cut, make_stream
from tests.serving.shop import open_feed, open_shop
from tests.serving.stranger import street_of
from tests.serving.test_smuggling import CHUNK, CHUNKED, DELETE, EARLY, LENGTH, ONE

SHORT = 0.3
GET = b"GET /one HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = b"Connection: close\r\n\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Return a CA that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("foreign"), "Foreign CA")


@pytest.fixture(scope="module")
def tls(authority):
    """Return the settings of a server with a certificate of its own."""
    pair = authority.issue()
    return TLSSettings(cert=pair.cert, key=pair.key)


@pytest.fixture(scope="module")
def context(authority):
    """Return the client's side of TLS."""
    return ssl.create_default_context(cafile=authority.ca)


def make_service(tls, fast=True, **server):
    """Return the service of a shop with TLS, and with an answer of 20 MB."""
    service = Service(with_settings(service_name="secured", server={"fast_path": fast, **server}))
    service.config.TOUCHUP = False
    service.done = open_shop(service)

    @service.get("/big")
    async def big(request):
        return "x" * 20_000_000

    @service.get("/about")
    async def about(request):
        peer = request.transport.get_extra_info("peercert")
        return {"scheme": request.scheme, "ip": request.ip, "peer": bool(peer)}

    service._serving.tls = ServerTLS(tls, SHORT)
    return service


@contextmanager
def background(service):
    """Serve *service* by uvloop; yields the address and the service."""
    with BackgroundServer(service) as server:
        host, _, port = server.url.removeprefix("https://").partition(":")
        yield (host, int(port))


@pytest.fixture(scope="module")
def served(tls):
    service = make_service(tls)
    with background(service) as address:
        service.address = address
        yield service


@contextmanager
def connected(address, context, name="localhost"):
    with (
        socket.create_connection(address, timeout=30) as sock,
        context.wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False) as secured,
    ):
        yield secured


def read_all(sock):
    """Return what comes until the end, which TLS must say."""
    received = bytearray()
    while data := sock.recv(1 << 20):
        received += data
    return bytes(received)


def ask(address, context, request=GET + CLOSE):
    with connected(address, context) as sock:
        sock.sendall(request)
        return read_all(sock)


def test_a_request_over_tls_is_served(served, context):
    with connected(served.address, context) as sock:
        assert sock.version() in ("TLSv1.2", "TLSv1.3")
        sock.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\n" + CLOSE)
        answer = read_all(sock)

    assert answer.endswith(b'{"scheme":"https","ip":"127.0.0.1","peer":false}}')


def test_http_1_is_agreed_on_by_alpn(served, authority):
    context = ssl.create_default_context(cafile=authority.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])

    with connected(served.address, context) as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"


def test_versions_before_1_2_are_refused(served, authority):
    context = ssl.create_default_context(cafile=authority.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(ssl.SSLError), connected(served.address, context):
        pass


@pytest.mark.parametrize("pause", [SHORT, pytest.param(8.0, marks=pytest.mark.acceptance)])
def test_an_answer_that_is_read_slowly_comes_whole_before_the_end(pause, served, context):
    with connected(served.address, context) as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n" + CLOSE)
        sock.recv(1)
        time.sleep(pause)  # the rest lies encrypted in the server, or in the kernel
        answer = read_all(sock)

    assert len(answer.partition(b"\r\n\r\n")[2]) == 20_000_020


def test_an_end_that_the_client_learns_of_late_is_a_clean_one(served, context, lines):
    head = b"GET / HTTP/1.1\r\nHost: \0\r\n\r\n"
    with connected(served.address, context) as sock:
        sock.sendall(head + b"more")
        answer = sock.recv(10_000)
        sock.sendall(b"and more")
        assert sock.recv(10_000) == b""  # as TLS says it
        sock.sendall(b"and still more")
        sock.unwrap()

    assert answer.startswith(b"HTTP/1.1 400")
    wait_for_the_end(served)


def wait_for_the_end(service):
    """Wait until no connection is left."""
    deadline = time.monotonic() + 60
    while service._serving.watch.clocks:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_client_that_reads_nothing_is_ended(tls, context):
    service = make_service(tls, write_timeout=SHORT)
    with background(service) as address, connected(address, context) as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        while not service._serving.watch.clocks:
            time.sleep(0.001)
        wait_for_the_end(service)

        with pytest.raises((ssl.SSLError, ConnectionError)):
            read_all(sock)


@pytest.fixture
def lines(caplog):
    """Return a function that waits for log lines with a text."""
    caplog.set_level(logging.INFO, "msframework.server")

    def wait(text, count=1):
        deadline = time.monotonic() + 60
        while (found := sum(text in line for line in caplog.messages)) < count:
            assert time.monotonic() < deadline, (found, caplog.messages)
            time.sleep(0.005)
        return caplog.messages

    yield wait
    assert not [record for record in caplog.records if record.exc_info], caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR], caplog.text


@pytest.fixture
def quiet(served):
    """Forget the lines that were logged before."""
    served._serving.tls._lines = 0


@pytest.mark.usefixtures("quiet")
def test_plain_http_on_a_port_of_tls_is_one_line_of_the_log(served, context, lines):
    with socket.create_connection(served.address, timeout=30) as sock:
        sock.sendall(GET + b"\r\n")
        with suppress(ConnectionResetError):
            assert b"200" not in sock.recv(1000)

    lines("the TLS handshake with 127.0.0.1 failed: http request")
    assert b"200 OK" in ask(served.address, context)


@pytest.mark.usefixtures("quiet")
def test_a_silent_handshake_is_ended(served, lines):
    with socket.create_connection(served.address, timeout=30) as sock:
        began = time.monotonic()
        with suppress(ConnectionResetError):
            assert sock.recv(1000) == b""

    assert time.monotonic() - began > SHORT / 2
    lines("handshake")


@pytest.mark.usefixtures("quiet")
def test_a_client_that_leaves_amid_a_handshake_is_no_line_of_the_log(
    served, authority, context, lines, caplog
):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        half.do_handshake()
    hello = outgoing.read()

    for sent in (b"", hello[:50], hello):
        with socket.create_connection(served.address, timeout=30) as sock:
            sock.sendall(sent)
    assert b"200 OK" in ask(served.address, context)

    assert [line for line in caplog.messages if "handshake" in line] == []


@pytest.mark.usefixtures("quiet")
def test_the_lines_of_failed_handshakes_are_bounded(served, context, lines, caplog):
    for _ in range(30):
        with socket.create_connection(served.address, timeout=30) as sock:
            sock.sendall(GET)
            with suppress(ConnectionResetError):
                sock.recv(100)

    lines("failed: http request", 10)
    served._serving.tls._since = -100.0
    with socket.create_connection(served.address, timeout=30) as sock:
        sock.sendall(GET)
        lines("failed: http request", 11)
    assert "20 more TLS handshakes failed" in caplog.messages
    assert b"200 OK" in ask(served.address, context)


# Certificates of clients.


@pytest.fixture(scope="module", params=["required", "optional"])
def demanding(request, authority, tls):
    """Yield a service that demands certificates of its clients, or looks at them."""
    settings = TLSSettings(tls.cert, tls.key, client_ca=authority.ca, client_cert=request.param)
    service = make_service(settings)
    with background(service) as address:
        service.address, service.demand = address, request.param
        yield service


ABOUT = b"GET /about HTTP/1.1\r\nHost: x\r\n" + CLOSE


def test_a_client_with_a_certificate_is_served(demanding, authority):
    context = ssl.create_default_context(cafile=authority.ca)
    pair = authority.issue("caller")
    context.load_cert_chain(pair.cert, pair.key)

    assert b'"peer":true' in ask(demanding.address, context, ABOUT)


def test_a_client_without_a_certificate_is_served_where_it_is_optional(demanding, context):
    if demanding.demand == "optional":
        assert b'"peer":false' in ask(demanding.address, context, ABOUT)
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(demanding.address, context, ABOUT)


@pytest.mark.parametrize("fault", ["expired", "foreign", "of a server alone"])
def test_a_client_with_a_wrong_certificate_is_never_served(fault, demanding, authority, foreign):
    context = ssl.create_default_context(cafile=authority.ca)
    pair = {
        "expired": lambda: authority.issue("late", until=-DAY),
        "foreign": lambda: foreign.issue("stranger"),
        "of a server alone": lambda: authority.issue("other", usage="server"),
    }[fault]()
    context.load_cert_chain(pair.cert, pair.key)

    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(demanding.address, context, ABOUT)


# What is read anew.


def put_in_place(new, old):
    """Give the files of *old* the content of those of *new*."""
    shutil.copyfile(new.cert, old.cert)
    shutil.copyfile(new.key, old.key)


def test_new_connections_have_the_new_certificate_and_old_ones_live_on(tmp_path, tls, lines):
    first, second = Authority(tmp_path / "a"), Authority(tmp_path / "b")
    pair = first.issue(file="server")
    service = make_service(TLSSettings(cert=pair.cert, key=pair.key))
    old, new = (ssl.create_default_context(cafile=each.ca) for each in (first, second))
    with background(service) as address, connected(address, old) as alive:
        put_in_place(second.issue(), pair)
        service._serving.tls.reload()

        assert b"200 OK" in ask(address, new)
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(address, old)
        alive.sendall(GET + CLOSE)
        assert b"200 OK" in read_all(alive)
    lines("the TLS files were read anew")


def test_a_broken_new_certificate_leaves_the_old_one(authority, context, caplog):
    pair = authority.issue("fragile")
    tls = ServerTLS(TLSSettings(cert=pair.cert, key=pair.key), 1.0)
    before = tls.context

    Path(pair.cert).write_text("broken")
    tls.reload()

    assert tls.context is before
    (line,) = [record for record in caplog.records if record.name == "msframework.server"]
    assert line.levelno == logging.ERROR
    assert "the old ones stay" in line.message


def test_a_ca_that_is_gone_counts_no_more(authority, foreign, tls, tmp_path):
    bundle = tmp_path / "clients.pem"
    bundle.write_bytes(Path(authority.ca).read_bytes() + Path(foreign.ca).read_bytes())
    server = ServerTLS(TLSSettings(tls.cert, tls.key, client_ca=str(bundle)), 1.0)
    assert len(server.context.get_ca_certs()) == 2

    shutil.copyfile(authority.ca, bundle)
    server.reload()

    assert len(server.context.get_ca_certs()) == 1
    assert server.context.verify_mode is ssl.CERT_REQUIRED


# The same as without TLS, on the loop of a server: asyncio's own breaks a connection off where a
# client still sends after the end of its answers.


def run(coroutine):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
def test_a_body_that_nobody_reads_is_no_request(fast, tls, context):
    async def send_all():
        async with street_of(make_service(tls, fast), context) as street:
            for line, headers, statuses in EARLY.values():
                for framing, body in ((LENGTH, DELETE), (CHUNKED, CHUNK)):
                    head = line + b" HTTP/1.1\r\nHost: x\r\n" + headers + framing
                    street.service.done.clear()

                    outcome = await street.exchange(ONE, head, body, ONE)

                    assert outcome.statuses == [200, *statuses, 200]
                    assert ("delete", 1) not in street.service.done

    run(send_all())


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
def test_any_bytes_do_the_same_as_without_tls(fast, tls, context):
    async def send_all():
        chance = random.Random(5)
        async with (
            street_of(make_service(tls, fast), context) as secured,
            street_of(make_shop(fast)) as plain,
        ):
            for _ in range(40):
                pieces = cut(chance, make_stream(chance))
                both = []
                for street in (secured, plain):
                    street.service.done.clear()
                    both.append((await street.exchange(*pieces), list(street.service.done)))
                assert both[0] == both[1], pieces

    run(send_all())


@pytest.mark.asyncio
async def test_a_websocket_works_over_tls(tls, context):
    service = make_service(tls)
    open_feed(service)
    async with serving(service) as server:
        connector = aiohttp.TCPConnector(ssl=context)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.ws_connect(f"{server.url}/feed") as feed:
                await feed.send_str("word")
                while ("feed", "word") not in service.done:
                    await asyncio.sleep(0.001)


@pytest.mark.asyncio
async def test_a_stop_does_not_wait_for_handshakes(tls):
    service = make_service(tls)
    service._serving.tls.timeout = 60.0
    server = Server(service)
    await server.start()
    host, _, port = server.url.removeprefix("https://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    while not service._serving.tls._tasks:
        await asyncio.sleep(0.001)

    async with asyncio.timeout(30):
        await server.stop()

    assert not service._serving.tls._tasks
    writer.transport.abort()


@pytest.mark.asyncio
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_a_client_of_a_path_has_no_address_of_its_own(fast, tmp_path):
    service = Service(with_settings(server={"fast_path": fast, "proxies_count": 1}))
    service.config.TOUCHUP = False

    @service.get("/")
    async def who(request):
        return [request.ip, request.client_ip, request.scheme]

    path = tmp_path / "s"
    async with serving(service, path):
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession(connector=connector) as session:
            forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
            for headers, answered in (
                ({}, ["", "", "http"]),
                (forwarded, ["", "203.0.113.9", "https"]),
            ):
                async with session.get("http://localhost/", headers=headers) as answer:
                    assert (await answer.json())["data"] == answered


def test_a_service_reads_all_its_certificates_anew(tls, caplog):
    service = make_service(tls)
    before = service._serving.tls.context

    service.reload_certificates()

    assert service._serving.tls.context is not before
