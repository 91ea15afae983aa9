"""Nothing that comes from outside ends in a 500, whatever a handler asks its request for."""

import logging
import random

import pytest

from tests.serving.stranger import street_of
from tests.serving.test_head import get

REQUESTS = 600
NAMES = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cookie", "Content-Type"),
    *("Content-Encoding", "Forwarded", "If-Match", "If-Modified-Since", "Origin", "Range"),
    *("Referer", "TE", "Upgrade", "User-Agent", "Via", "X-Forwarded-For", "X-Forwarded-Host"),
    *("X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-Path", "X-Real-IP", "X-Request-ID"),
    *("X-Scheme", "b3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-Sampled", "traceparent", "tracestate"),
    *("Access-Control-Request-Method", "Trailer", "Keep-Alive", "Proxy-Connection", "Date"),
)
PIECES = (
    *(
        "",
        ",",
        ";",
        "=",
        '"',
        "'",
        "\\",
        "/",
        ":",
        " ",
        "\t",
        "%",
        "%ff",
        "%00",
        "%zz",
        "*",
        "?",
        "#",
    ),
    *(
        "q=",
        "q=a",
        "q=-1",
        "q=1e999",
        ";q=0.5",
        "a/b",
        "a/",
        "/b",
        "text/html",
        "Basic ",
        "Bearer ",
    ),
    *("Basic ====", "Basic //8=", "for=", "for=[::1", 'for="_x"', "by=x;", "secret=a", "1.2.3.4"),
    *(
        "::1",
        "99999999999999999999",
        "-1",
        "00",
        "0" * 32,
        "f" * 32,
        "ff-",
        "00-",
        "-01",
        "é",
        "\x85",
    ),
    *(
        "\udcff",
        "\udc80",
        "a=b",
        "a==b",
        "$Version=1",
        "multipart/form-data; boundary=",
        "gzip",
        "x:y",
    ),
    *(
        "application/json",
        "; charset=",
        "charset=utf-99",
        "charset=idna",
        "Mon, 99 Foo",
        "bytes=--",
    ),
)
# What a handler may ask a request for.
FACTS = (
    *(
        "accept",
        "args",
        "client_ip",
        "content_type",
        "cookies",
        "credentials",
        "endpoint",
        "fields",
    ),
    *(
        "forwarded",
        "headers",
        "host",
        "id",
        "ip",
        "path",
        "query_args",
        "query_string",
        "raw_headers",
    ),
    *(
        "remote_addr",
        "repeats",
        "request_line",
        "scheme",
        "server_name",
        "server_path",
        "server_port",
    ),
    *("token", "uri_template", "url", "is_cacheable", "is_idempotent", "is_safe"),
)


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def curious(request, make_service):
    """Return a service with a handler that looks at all of its request."""
    service = make_service(
        server={"fast_path": request.param, "proxies_count": 1, "forwarded_secret": "a"}
    )

    @service.route("/all/<name>", methods=["GET", "POST"])
    async def look(request, name):
        return {"facts": [len(repr(getattr(request, fact))) for fact in FACTS]}

    return service


async def test_no_header_ends_in_a_500(curious, caplog):
    chance = random.Random(7)
    seen = set()
    async with street_of(curious) as street:
        for _ in range(REQUESTS):
            lines = [b"Host: x\r\n"]
            for name in chance.choices(NAMES, k=chance.choice((1, 1, 2, 3))):
                value = "".join(chance.choices(PIECES, k=chance.choice((1, 2, 3))))
                lines.append(f"{name}: {value}\r\n".encode(errors="surrogateescape"))
            data = get(b"".join(lines), b"/all/n")
            outcome = await street.exchange(data)
            assert len(outcome.answers) == 1, data
            assert outcome.statuses[0] < 500, data
            seen.update(outcome.statuses)

    assert 200 in seen
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_no_target_ends_in_a_500(curious, caplog):
    chance = random.Random(8)
    seen = set()
    visible = [bytes([number]) for number in range(0x21, 0x7F)]
    pieces = [
        *visible,
        b"%ff",
        b"%00",
        b"%",
        b"%2",
        b"%ED%A0%80",
        b"//",
        b"/../",
        b"?",
        b"&",
        b"=",
        b"/all/",
    ]
    async with street_of(curious) as street:
        for _ in range(REQUESTS):
            target = chance.choice((b"/", b"/all/", b"/all/n?", b"http://x", b"")) + b"".join(
                chance.choices(pieces, k=chance.choice((1, 2, 5, 9)))
            )
            outcome = await street.exchange(get(target=target))
            assert len(outcome.answers) == 1, target
            assert outcome.statuses[0] < 500, target
            seen.update(outcome.statuses)

    assert {200, 400, 404} <= seen
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://x?a HTTP/1.0\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\xff" * 100 + b"\r\n\r\n",
        b"\0" * 100,
        bytes(range(256)) + b"\r\n\r\n",
    ],
)
async def test_other_protocols_end_in_a_refusal_or_are_waited_for(curious, caplog, data):
    async with street_of(curious) as street:
        outcome = await street.exchange(data)

    assert all(status < 500 for status in outcome.statuses)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
