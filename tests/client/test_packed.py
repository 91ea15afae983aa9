"""Packed bodies: whole, cut off, no such data, growing, and read in every way, on both ways."""

import asyncio
import gzip
import random
import zlib

import pytest
from aiohttp import ClientPayloadError
from aiohttp.compression_utils import HAS_BROTLI, HAS_ZSTD

from msframework.client.packed import UnpackedBody
from msframework.exceptions import UpstreamError
from tests.client.conftest import counted_turns, listening, opened

TEXT = b"".join(b'{"line": %d}\n' % number for number in range(30_000))


@pytest.fixture(autouse=True)
def way():
    """Leave aiohttp's version what it is: of another one its own way of unpacking is taken."""


@pytest.fixture(params=[True, False], ids=["lean", "aiohttp"])
async def client(request, upstream):
    async with opened(url=upstream.url, fast=request.param) as client:
        yield client


@pytest.fixture
async def upstream():
    async with listening() as upstream:
        yield upstream


def raw_deflate(body):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def brotli(body):
    import brotli

    return brotli.compress(body, quality=5)


def zstd(body):
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd

    return zstd.compress(body)


CODINGS = [
    pytest.param("gzip", gzip.compress, id="gzip"),
    pytest.param("deflate", zlib.compress, id="deflate"),
    pytest.param("deflate", raw_deflate, id="raw deflate"),
    pytest.param(
        "br", brotli, id="br", marks=pytest.mark.skipif(not HAS_BROTLI, reason="no Brotli")
    ),
    pytest.param(
        "zstd", zstd, id="zstd", marks=pytest.mark.skipif(not HAS_ZSTD, reason="no Zstandard")
    ),
]


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
async def test_a_packed_body_is_read_in_every_way(client, upstream, coding, pack):
    upstream.answers["/c"] = 200, pack(TEXT), {"Content_Encoding": coding}
    upstream.answers["/one"] = 200, pack(b"1"), {"Content_Encoding": coding}

    async with client.get("/c") as res:
        assert isinstance(res.content, UnpackedBody)
        assert await res.read() == TEXT
    async with client.get("/c") as res:
        assert b"".join([line async for line in res.content]) == TEXT
    async with client.get("/c") as res:
        assert b"".join([part async for part in res.content.iter_chunked(1000)]) == TEXT
    async with client.get("/c") as res:
        assert b"".join([part async for part, _ in res.content.iter_chunks()]) == TEXT
    async with client.get("/c") as res:
        assert await res.content.readexactly(len(TEXT)) == TEXT
        assert res.content.total_raw_bytes == len(pack(TEXT))
    assert await client.call("GET", "/one", whole=True) == 1
    assert upstream.connections == 1


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
@pytest.mark.parametrize("cut", [1, 5, 8, -1])
async def test_a_body_that_breaks_off_within_its_length_is_no_answer(
    client, upstream, coding, pack, cut
):
    upstream.answers["/c"] = 200, pack(TEXT)[:-cut], {"Content_Encoding": coding}

    with pytest.raises(UpstreamError, match="answered 200") as caught:
        await client.call("GET", "/c")
    assert caught.value.upstream_error == "its answer is broken"
    async with client.get("/c") as res:
        with pytest.raises(UpstreamError, match="answered 200"):
            await res.read()
    async with client.get("/c") as res:
        with pytest.raises(ClientPayloadError, match=f"the {coding} data is"):
            async for _ in res.content.iter_any():
                pass


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
async def test_what_is_not_of_its_coding_is_no_answer(client, upstream, coding):
    upstream.answers["/c"] = 200, b'{"data": 1}', {"Content_Encoding": coding}

    with pytest.raises(UpstreamError, match="answered 200") as caught:
        await client.call("GET", "/c")

    assert caught.value.upstream_error == "its answer is broken"


async def test_several_members_are_one_body(client, upstream):
    packed = gzip.compress(b"1") + gzip.compress(b"") * 500 + gzip.compress(b"2")
    upstream.answers["/c"] = 200, packed, {"Content_Encoding": "gzip"}
    upstream.answers["/d"] = 200, packed + b"rest", {"Content_Encoding": "gzip"}

    assert await client.call("GET", "/c", whole=True) == 12
    with pytest.raises(UpstreamError, match="answered 200"):
        await client.call("GET", "/d")


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
async def test_a_body_that_grows_is_unpacked_whole(client, upstream, coding, pack):
    text = b" " * 5_000_000 + random.Random(1).randbytes(500_000) + b" " * 3_000_000
    upstream.answers["/c"] = 200, pack(text), {"Content_Encoding": coding}

    async with client.get("/c") as res:
        assert await res.read() == text


@pytest.mark.parametrize("coding", ["gzip, gzip", "x-unknown", "identity"])
async def test_a_coding_that_is_not_read_is_handed_on(client, upstream, coding):
    upstream.answers["/c"] = 200, b"\x01\x02", {"Content_Encoding": coding}

    async with client.get("/c") as res:
        assert await res.read() == b"\x01\x02"
        assert res.headers["Content-Encoding"] == coding


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_no_body_is_unpacked_where_none_comes(client, upstream, method, status):
    head = b"HTTP/1.1 %d X\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n" % status

    async def answer(reader, writer):
        writer.write(head)

    upstream.answers["/c"] = answer

    async with client.request(method, "/c") as res:
        assert (res.status, await res.read()) == (status, b"")


async def test_an_empty_body_is_no_broken_one(client, upstream):
    upstream.answers["/c"] = 200, b"", {"Content_Encoding": "gzip"}

    assert await client.call("GET", "/c") is None


async def test_others_run_while_somebody_takes_a_body_that_grows(client, upstream):
    """Nothing but the body is awaited between its parts."""
    upstream.answers["/c"] = 200, gzip.compress(b" " * 30_000_000), {"Content_Encoding": "gzip"}

    async with client.get("/c") as res, counted_turns() as turns:
        size = 0
        async for part in res.content.iter_any():
            size += len(part)

    assert size == 30_000_000
    assert turns["given"] > 100


@pytest.mark.punctual
async def test_time_is_over_while_a_body_that_came_whole_is_unpacked(client, upstream):
    upstream.answers["/c"] = 200, gzip.compress(b" " * 30_000_000), {"Content_Encoding": "gzip"}

    async with client.get("/c", timeout=0.5) as res:
        await res.content.readany()
        await asyncio.sleep(0.6)
        with pytest.raises(TimeoutError):
            while await res.content.readany():
                pass
