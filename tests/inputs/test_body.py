"""Bodies over sockets: their types, their encodings, and JSON that handlers read for themselves."""

import gzip
import random
import zlib

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

CUTS = ("one", "two", "bytes")
JSON = "Content-Type: application/json"
BODY = b'{"a": 1}'


@pytest.mark.parametrize(
    ("lines", "body", "status"),
    [
        ([JSON], BODY, 200),
        (["content-type: Application/JSON ; charset=UTF-8;"], BODY, 200),
        (['Content-Type: application/problem+json; charset="utf-8"'], BODY, 200),
        ([], BODY, 415),
        (["Content-Type: text/plain"], BODY, 415),
        (["Content-Type: json"], BODY, 415),
        (["Content-Type:"], BODY, 415),
        (["Content-Type: application/json-patch"], BODY, 415),
        (["Content-Type: application/json; charset=utf-16"], BODY, 415),
        ([JSON, JSON], BODY, 200),
        ([JSON, "Content-Type: text/plain"], BODY, 400),
        (["Content-Type: application/json; charset"], BODY, 400),
        (["Content-Type: application/json; charset=utf-8; charset=utf-16"], BODY, 400),
        ([JSON], b"", 400),
        ([], b"", 400),
        ([], None, 400),
        (["Content-Type: text/plain"], b"", 415),
    ],
)
async def test_a_json_body_says_that_it_is_one(wire, lines, body, status):
    for cut in CUTS:
        answer = await wire("POST", "/json", *lines, body=body, cut=cut)

        assert answer.status == status
        if status == 415 and lines != ["Content-Type: json"] and lines != ["Content-Type:"]:
            assert answer.headers["accept"] == "application/json"


async def test_what_has_no_body_needs_no_type(wire):
    assert (await wire("GET", "/query")).status == 200


DEFLATED = zlib.compress(BODY)
PACKED = gzip.compress(BODY, mtime=0)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", PACKED),
        ("X-GZIP", PACKED),
        (" gzip ,", PACKED),
        ("deflate", DEFLATED),
        ("identity", BODY),
        ("", BODY),
        ("gzip", gzip.compress(BODY[:3], mtime=0) + gzip.compress(BODY[3:], mtime=0)),
        ("gzip", gzip.compress(BODY + b" " * 60_000, mtime=0)),
    ],
)
async def test_an_encoded_body_is_decoded(wire, coding, body):
    for cut in CUTS:
        answer = await wire(
            "POST", "/json", JSON, f"Content-Encoding: {coding}", body=body, cut=cut
        )

        assert (answer.status, answer.json["data"]) == (200, {"a": 1})


async def test_handlers_see_a_decoded_body_as_if_it_was_never_encoded(wire):
    text = random.Random(1).randbytes(400_000).hex().encode()

    answer = await wire("POST", "/raw", "Content-Encoding: gzip", body=gzip.compress(text, mtime=0))

    assert answer.json == {
        "size": 800_000,
        "start": text[:20].decode(),
        "encoding": None,
        "length": "800000",
    }


@pytest.mark.parametrize("path", ["/json", "/streamed"])
async def test_an_encoded_body_may_come_in_chunks(wire, path):
    half = len(PACKED) // 2
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (PACKED[:half], PACKED[half:], b"")
    )
    lines = (JSON, "Content-Encoding: gzip", "Transfer-Encoding: chunked")
    for cut in CUTS:
        answer = await wire("POST", path, *lines, chunks=chunks, cut=cut)

        # A handler that streams gets what was sent.
        expected = {"code": 0, "data": {"a": 1}} if path == "/json" else {"size": len(PACKED)}
        assert answer.json == expected


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("br", BODY, 415),
        ("zstd", BODY, 415),
        ("compress", BODY, 415),
        ("gzip, deflate", PACKED, 415),
        ("gzip\r\nContent-Encoding: gzip", PACKED, 415),
        ("gzip", BODY, 400),
        ("gzip", PACKED[:-1], 400),
        ("gzip", PACKED[:-8], 400),
        ("gzip", PACKED[:12], 400),
        ("gzip", PACKED[:-5] + b"12345", 400),
        ("gzip", PACKED + b"x", 400),
        ("gzip", PACKED + b"\0" * 20, 400),
        ("gzip", PACKED + BODY, 400),
        ("gzip", PACKED + gzip.compress(b"", mtime=0) * 200, 400),
        ("deflate", PACKED, 400),
        ("deflate", DEFLATED + DEFLATED, 400),
        ("deflate", zlib.compress(BODY, wbits=-15), 400),
        ("gzip", gzip.compress(BODY + b" " * 100_000, mtime=0), 413),
        ("gzip", gzip.compress(b" " * 1_000_001, mtime=0), 413),
        ("gzip", gzip.compress(random.Random(1).randbytes(500_100).hex().encode(), mtime=0), 413),
        ("deflate", zlib.compress(b" " * 100_000_000), 413),
    ],
)
async def test_a_body_that_cannot_be_decoded_is_refused(wire, coding, body, status):
    lines = (JSON, f"Content-Encoding: {coding}")
    for cut in CUTS if len(body) < 1000 else CUTS[:2]:
        answer = await wire("POST", "/json", *lines, body=body, cut=cut)

        assert answer.status == status
        if status == 415:
            assert answer.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a": 1}', 200),
        (b"", 200),
        (b"null", 200),
        (b'{"a": NaN}', 400),
        (b'{"a": 01}', 400),
        (b'{"a": 1}x', 400),
        (b'{"a": 123456789012345678901234567890}', 400),
        (b"[" * 100 + b"]" * 100, 400),
        (b'{"a": "\xff"}', 400),
        (b'\xef\xbb\xbf{"a": 1}', 400),
    ],
)
async def test_json_that_a_handler_reads_for_itself_is_read_strictly(wire, body, status):
    for cut in CUTS:
        answer = await wire("POST", "/users-own?read=json", JSON, body=body, cut=cut)

        assert answer.status == status
        if status == 400:
            assert answer.json["message"] == "Malformed JSON"
            assert "(at byte " in answer.json["error"]
