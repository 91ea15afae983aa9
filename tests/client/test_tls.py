"""Calls by TLS: the certificates of both sides, right and wrong, by both ways."""

import asyncio
import gzip
import logging
import random
import shutil
import ssl
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from msframework.client import Client
from msframework.client.client import Clients
from msframework.client.failure import read_failure
from msframework.client.lean import LeanTransport
from msframework.client.tls import build_client_context
from msframework.conf.settings import ServiceEntry
from msframework.exceptions import ImproperlyConfigured, UpstreamError
from tests.certificates import DAY, Authority
from tests.client.conftest import listening


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Return a CA that the other side does not trust."""
    return Authority(tmp_path_factory.mktemp("foreign"), "Foreign CA")


@asynccontextmanager
async def secured(pair, client_ca=None):
    """Serve an upstream with the certificate *pair*, for clients with one of *client_ca*."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.load_cert_chain(pair.cert, pair.key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    async with listening(ssl=context) as upstream:
        yield upstream


@asynccontextmanager
async def calling(upstream, host="localhost", **files):
    url = f"https://{host}:{upstream.port}"
    client = Client(entry=ServiceEntry("regions", url, connect_timeout=30.0, **files))
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_service_of_the_named_ca_is_called(host, way, authority):
    async with (
        secured(authority.issue()) as upstream,
        calling(upstream, host, ca=authority.ca) as client,
    ):
        for _ in range(3):
            assert (await client.call("GET", "/things"))["target"] == "/things"
        async with client.get("/open") as answer:
            assert answer.status == 200

        assert upstream.connections == 1
        assert isinstance(client._channel.transport(), LeanTransport) == (way == "lean")


async def test_a_service_sees_the_certificate_of_the_entry(authority):
    mine = authority.issue("caller")
    async with (
        secured(authority.issue(), authority.ca) as upstream,
        calling(upstream, ca=authority.ca, cert=mine.cert, key=mine.key) as client,
    ):
        assert await client.call("GET", "/things")


async def refused(client, caplog):
    """Return the failures of a call of each kind, which nobody sent twice."""
    caplog.set_level(logging.WARNING, "msframework.client")
    failures = []
    with pytest.raises(UpstreamError) as caught:
        await client.call("GET", "/things")
    failures.append(caught.value)
    with pytest.raises(UpstreamError) as caught:
        async with client.get("/things"):
            pass
    failures.append(caught.value)
    for failure in failures:
        assert failure.status_code == 502
        assert ".pem" not in str(failure.upstream_error)
        assert "127.0.0.1" not in str(failure.upstream_error)
    assert sum("gave no answer" in line for line in caplog.messages) == 2
    return {failure.upstream_error for failure in failures}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("expired", "its certificate has expired"),
        ("foreign", "its certificate is not of a CA that is trusted here"),
        ("other host", "its certificate is for another host"),
        ("of a client alone", "its certificate is refused"),
    ],
)
async def test_a_wrong_certificate_is_never_believed(fault, reason, authority, foreign, caplog):
    pair = {
        "expired": lambda: authority.issue(until=-DAY),
        "foreign": lambda: foreign.issue(),
        "other host": lambda: authority.issue(hosts=("example.com",)),
        "of a client alone": lambda: authority.issue(usage="client"),
    }[fault]()
    async with (
        secured(pair) as upstream,
        calling(upstream, "127.0.0.1", ca=authority.ca) as client,
    ):
        assert await refused(client, caplog) == {reason}
        assert upstream.requests == []


async def test_without_a_ca_the_system_decides(authority, caplog):
    async with secured(authority.issue()) as upstream, calling(upstream) as client:
        reason = "its certificate is not of a CA that is trusted here"
        assert await refused(client, caplog) == {reason}


async def test_a_plain_service_is_no_service_of_tls(authority, caplog):
    def refuse(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    server.port = server.sockets[0].getsockname()[1]
    async with server, calling(server, ca=authority.ca) as client:
        assert await refused(client, caplog) == {"no connection by TLS"}


@pytest.mark.parametrize("mine", ["none", "foreign"])
async def test_a_client_that_is_refused_is_told_no_more(mine, authority, foreign):
    pair = foreign.issue("caller") if mine == "foreign" else None
    files = {"cert": pair.cert, "key": pair.key} if pair else {}
    async with (
        secured(authority.issue(), authority.ca) as upstream,
        calling(upstream, ca=authority.ca, **files) as client,
    ):
        with pytest.raises(UpstreamError) as caught:
            await client.call("GET", "/things")

        assert caught.value.status_code in (502, 503)
        assert upstream.requests == []


async def test_another_origin_neither_sees_the_certificate_nor_has_the_ca(authority, caplog):
    mine = authority.issue("caller")
    async with (
        secured(authority.issue()) as upstream,
        secured(authority.issue()) as other,
        calling(upstream, ca=authority.ca, cert=mine.cert, key=mine.key) as client,
    ):
        assert await client.call("GET", "/things")
        with pytest.raises(UpstreamError) as caught:
            await client.get(f"https://localhost:{other.port}/", allow_absolute=True).fetch()
        assert caught.value.upstream_error == "its certificate is not of a CA that is trusted here"

        async def redirect(reader, writer):
            head = f"HTTP/1.1 302 X\r\nLocation: https://localhost:{other.port}/\r\n"
            writer.write(f"{head}Content-Length: 0\r\n\r\n".encode())

        upstream.answers["/away"] = redirect
        with pytest.raises(UpstreamError) as caught:
            await client.get("/away", allow_redirects=True).fetch()
        assert caught.value.status_code == 502
        assert other.requests == []


async def test_a_file_that_is_missing_is_said_at_the_start(tmp_path):
    entry = ServiceEntry("regions", "https://regions", ca=str(tmp_path / "none.pem"))

    with pytest.raises(ImproperlyConfigured, match=r"SERVICES\['regions'\]: .*No such file"):
        await Client(entry=entry).start()


def test_nothing_is_built_where_nothing_is_named():
    assert build_client_context(ServiceEntry("regions", "https://regions")) is None


def test_the_other_sides_alert_is_a_failure_of_tls():
    alert = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] (_ssl.c:1)")

    failure = read_failure("regions", alert)

    assert (failure.status_code, failure.upstream_error) == (502, "no connection by TLS")


async def test_new_connections_have_the_new_certificate(authority, foreign, caplog, tmp_path):
    ca = tmp_path / "ca.pem"
    shutil.copyfile(foreign.ca, ca)
    async with secured(authority.issue()) as upstream, calling(upstream, ca=str(ca)) as client:
        with pytest.raises(UpstreamError):
            await client.call("GET", "/things")

        shutil.copyfile(authority.ca, ca)
        Clients.reload(SimpleNamespace(_clients={"regions": client}))
        assert await client.call("GET", "/things")

        ca.write_text("broken")
        client.reload()
        assert await client.call("GET", "/things")
    assert "the old files stay: SERVICES['regions']" in caplog.messages[-1]
    assert upstream.connections == 1  # of handshakes that were over


ENDING = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
NOISE = random.Random(1).randbytes(1_500_000)


def chunked(body, size):
    parts = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"Content-Length: 1500000\r\n\r\n" + NOISE, NOISE),
        (b"\r\n" + NOISE, NOISE),
        (b"Transfer-Encoding: chunked\r\n\r\n" + chunked(NOISE, 8000), NOISE),
        (b"Transfer-Encoding: chunked\r\n\r\n" + chunked(NOISE[:200_000], 10), NOISE[:200_000]),
        (b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(NOISE, 1), NOISE),
    ],
    ids=["length", "end", "chunks", "small chunks", "packed"],
)
@pytest.mark.parametrize("pause", [0, 0.1])
async def test_an_answer_is_read_whole_when_the_service_hangs_up_after_it(
    answer, body, pause, authority, way
):
    if way == "aiohttp":
        pytest.skip("aiohttp reads some of it only, when the reader is slow")

    async def say(reader, writer):
        writer.write(ENDING + answer)
        await writer.drain()
        writer.close()

    async with (
        secured(authority.issue()) as upstream,
        calling(upstream, ca=authority.ca) as client,
    ):
        upstream.answers["/c"] = say
        found = b""
        async with client.get("/c", timeout=60) as res:
            await asyncio.sleep(pause)
            async for part in res.content.iter_any():
                found += part
                await asyncio.sleep(0)
    assert found == body
