"""What no head may have is refused on both paths, however it arrives, and nothing else is."""

import json

import pytest

from tests.serving.stranger import street_of
from tests.serving.test_smuggling import ONE

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = b'{"text":"x"}'
SIZE = b"Content-Length: 12\r\n"


def get(headers=b"Host: x\r\n", target=b"/one", method=b"GET", version=b"HTTP/1.1"):
    """Return the bytes of a request."""
    return method + b" " + target + b" " + version + b"\r\n" + headers + b"\r\n"


def post(headers, body=JSON, target=b"/echo", version=b"HTTP/1.1"):
    """Return the bytes of a request with a body."""
    return (
        get(b"Host: x\r\nContent-Type: application/json\r\n" + headers, target, b"POST", version)
        + body
    )


def chunked(body, coding=b"Transfer-Encoding: chunked\r\n"):
    """Return the bytes of a request whose body is said to come in chunks."""
    return post(coding, body)


WHOLE = b'c\r\n{"text":"x"}\r\n0\r\n\r\n'

REFUSED = {
    # Lines of the headers.
    "space before the colon": post(b"Content-Length : 12\r\n"),
    "tab before the colon": post(b"Content-Length\t: 12\r\n"),
    "space before the name": get(b"Host: x\r\n X: y\r\n"),
    "space before the first name": get(b" X: y\r\nHost: x\r\n"),
    "folded value": get(b"Host: x\r\nX: a\r\n b\r\n"),
    "folded length": post(b"Content-Length:\r\n 12\r\n"),
    "no colon": get(b"Host: x\r\nX\r\n"),
    "no name": get(b"Host: x\r\n: y\r\n"),
    "brackets in a name": get(b"Host: x\r\nX[]: y\r\n"),
    "slash in a name": get(b"Host: x\r\nX/Y: y\r\n"),
    "name beyond ASCII": get("Host: x\r\nÄ: y\r\n".encode()),
    "dotless i in a name": post("Content-Length: 12\r\ncontent-encodıng: y\r\n".encode()),
    "Kelvin sign in a name": get("Host: x\r\n\u212aeep-Alive: y\r\n".encode()),
    "NUL in a name": get(b"Host: x\r\nX\0: y\r\n"),
    "NUL in a value": get(b"Host: x\r\nX: \0\r\n"),
    "bell in a value": get(b"Host: x\r\nX: a\x07\r\n"),
    "DEL in a value": get(b"Host: x\r\nX: a\x7f\r\n"),
    "vertical tab before a value": post(b"Content-Length:\v12\r\n"),
    "form feed after a value": post(b"Content-Length: 12\f\r\n"),
    "bare LF in a value": get(b"Host: x\r\nX: a\nY: b\r\n"),
    "bare CR in a value": get(b"Host: x\r\nX: a\rY: b\r\n"),
    "bare LF after each line": b"GET /one HTTP/1.1\nHost: x\n\n",
    "bare CR after each line": b"GET /one HTTP/1.1\rHost: x\r\r",
    "bare LF at the end": b"GET /one HTTP/1.1\r\nHost: x\n\n",
    "LF CR": b"GET /one HTTP/1.1\n\rHost: x\n\r\n\r",
    "bare CR before a name": get(b"Host: x\r\n\rX: y\r\n"),
    # Host.
    "no Host": get(b""),
    "two Hosts": get(b"Host: x\r\nHost: y\r\n"),
    "twice the same Host": get(b"Host: x\r\nhost: x\r\n"),
    "Host with a path": get(b"Host: x/y\r\n"),
    "Host with a user": get(b"Host: u@x\r\n"),
    "Host with a space": get(b"Host: x y\r\n"),
    "Host with a port that is none": get(b"Host: x:http\r\n"),
    "Host with two ports": get(b"Host: x:1:2\r\n"),
    "Host beyond ASCII": get("Host: ä\r\n".encode()),
    "two Hosts on HTTP/1.0": get(b"Host: x\r\nHost: y\r\n", version=b"HTTP/1.0"),
    # The request line.
    "nothing in the request line": b" \r\nHost: x\r\n\r\n",
    "two empty lines": b"\r\n\r\n" + ONE,
    "no version": b"GET /one\r\nHost: x\r\n\r\n",
    "no version, but its space": b"GET /one \r\nHost: x\r\n\r\n",
    "two spaces": b"GET  /one HTTP/1.1\r\nHost: x\r\n\r\n",
    "tab for a space": b"GET\t/one HTTP/1.1\r\nHost: x\r\n\r\n",
    "space after the version": b"GET /one HTTP/1.1 \r\nHost: x\r\n\r\n",
    "space before the method": b" GET /one HTTP/1.1\r\nHost: x\r\n\r\n",
    "space in the target": get(target=b"/o ne"),
    "method that is no token": get(method=b"G@T"),
    "method beyond ASCII": get(method="GÉT".encode()),
    "no method": get(method=b""),
    "small letters in the version": get(version=b"http/1.1"),
    "version 1.2": get(version=b"HTTP/1.2"),
    "version 2.0": get(version=b"HTTP/2.0"),
    "version 1.10": get(version=b"HTTP/1.10"),
    "version 01.1": get(version=b"HTTP/01.1"),
    "version in other digits": get(version="HTTP/١.١".encode()),
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    # Targets.
    "fragment": get(target=b"/one#x"),
    "fragment in the query": get(target=b"/one?a=1#x"),
    "fragment in a parameter": get(target=b"/named/a#b"),
    "tab": get(target=b"/named/a\tb"),
    "vertical tab": get(target=b"/named/a\vb"),
    "DEL": get(target=b"/named/a\x7fb"),
    "NUL": get(target=b"/named/a\0b"),
    "escape": get(target=b"/named/a\x1bb"),
    "beyond ASCII": get(target="/named/é".encode()),
    "no UTF-8": get(target=b"/named/\xff"),
    "tab in the query": get(target=b"/one?a=\t"),
    "DEL in the query": get(target=b"/one?a=\x7f"),
    "no slash": get(target=b"one"),
    "empty": get(target=b""),
    "question mark": get(target=b"?a=1"),
    "fragment alone": get(target=b"#"),
    "authority for GET": get(target=b"x:80"),
    "asterisk for GET": get(target=b"*"),
    "other scheme": get(target=b"ftp://x/one"),
    "scheme alone": get(target=b"http://"),
    "no authority": get(target=b"http:///one"),
    "user in the authority": get(target=b"http://u:p@x/one"),
    "port that is none": get(target=b"http://x:y/one"),
    "CONNECT to a path": get(target=b"/one", method=b"CONNECT"),
    "CONNECT without a port": get(target=b"x", method=b"CONNECT"),
    "CONNECT to all": get(target=b"*", method=b"CONNECT"),
    # Lengths.
    "negative length": post(b"Content-Length: -12\r\n"),
    "length with a sign": post(b"Content-Length: +12\r\n"),
    "length with an underscore": post(b"Content-Length: 1_2\r\n"),
    "length in hexadecimal": post(b"Content-Length: 0xc\r\n"),
    "length in words": post(b"Content-Length: twelve\r\n"),
    "length with a fraction": post(b"Content-Length: 12.0\r\n"),
    "no length": post(b"Content-Length:\r\n"),
    "length in Arabic digits": post("Content-Length: ١٢\r\n".encode()),
    "length with a superscript": post("Content-Length: 1²\r\n".encode()),
    "length with a no-break space": post("Content-Length:\u00a012\r\n".encode()),
    "length with a next line": post("Content-Length:\u008512\r\n".encode()),
    "two lengths": post(SIZE + b"Content-Length: 11\r\n"),
    "twice the same length": post(SIZE + SIZE),
    "a list of lengths": post(b"Content-Length: 12, 12\r\n"),
    "length of many digits, negative": post(b"Content-Length: -" + b"9" * 5000 + b"\r\n"),
    "length and chunks": chunked(WHOLE, SIZE + b"Transfer-Encoding: chunked\r\n"),
    "chunks and length": chunked(WHOLE, b"Transfer-Encoding: chunked\r\n" + SIZE),
    # Codings.
    "chunked twice": chunked(WHOLE, b"Transfer-Encoding: chunked, chunked\r\n"),
    "chunked in two lines": chunked(WHOLE, b"Transfer-Encoding: chunked\r\n" * 2),
    "chunked not last": chunked(WHOLE, b"Transfer-Encoding: chunked, gzip\r\n"),
    "not chunked": chunked(WHOLE, b"Transfer-Encoding: gzip\r\n"),
    "identity": chunked(JSON, b"Transfer-Encoding: identity\r\n"),
    "no coding": chunked(WHOLE, b"Transfer-Encoding:\r\n"),
    "something like chunked": chunked(WHOLE, b"Transfer-Encoding: xchunked\r\n"),
    "chunked in quotes": chunked(WHOLE, b'Transfer-Encoding: "chunked"\r\n'),
    "vertical tab before chunked": chunked(WHOLE, b"Transfer-Encoding:\vchunked\r\n"),
    "chunked with a semicolon": chunked(WHOLE, b"Transfer-Encoding: chunked;q=1\r\n"),
    "chunked on HTTP/1.0": post(b"Transfer-Encoding: chunked\r\n", WHOLE, version=b"HTTP/1.0"),
    # Chunks.
    "0x before a size": chunked(b"0xc\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "sign before a size": chunked(b"+c\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "negative size": chunked(b"-c\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "underscore in a size": chunked(b"0_c\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "space before a size": chunked(b" c\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "space after a size": chunked(b"c \r\n" + JSON + b"\r\n0\r\n\r\n"),
    "tab after a size": chunked(b"c\t\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "size beyond ASCII": chunked("１\r\n".encode() + JSON + b"\r\n0\r\n\r\n"),
    "no size": chunked(b"\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "size of many digits": chunked(b"0" * 16 + b"c\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "LF after a size": chunked(b"c\n" + JSON + b"\r\n0\r\n\r\n"),
    "CR after a size": chunked(b"c\r" + JSON + b"\r\n0\r\n\r\n"),
    "LF after a chunk": chunked(b"c\r\n" + JSON + b"\n0\r\n\r\n"),
    "nothing after a chunk": chunked(b"c\r\n" + JSON + b"0\r\n\r\n"),
    "chunk longer than said": chunked(b"b\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "LF at the end": chunked(b"c\r\n" + JSON + b"\r\n0\n\n"),
    "empty extension": chunked(b"c;\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "extension that is no token": chunked(b"c;a b\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "extension with an open quote": chunked(b'c;a="b\r\n' + JSON + b"\r\n0\r\n\r\n"),
    "extension with a LF": chunked(b"c;a=\n\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "extension with a NUL": chunked(b"c;a=\0\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "long extension": chunked(b"c;a=" + b"b" * 300 + b"\r\n" + JSON + b"\r\n0\r\n\r\n"),
    "many extensions": chunked((b"1;" + b"a" * 200 + b"\r\nx\r\n") * 90),
    "trailer without a colon": chunked(b"c\r\n" + JSON + b"\r\n0\r\nX\r\n\r\n"),
    "trailer with a space": chunked(b"c\r\n" + JSON + b"\r\n0\r\nX : y\r\n\r\n"),
    "trailer with a LF": chunked(b"c\r\n" + JSON + b"\r\n0\r\nX: y\n\r\n\r\n"),
    "many trailers": chunked(b"c\r\n" + JSON + b"\r\n0\r\n" + b"X: y\r\n" * 2000 + b"\r\n"),
}

OTHERS = {
    "unknown coding": (chunked(WHOLE, b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    "unknown expectation": (post(SIZE + b"Expect: a miracle\r\n"), 417),
    "two expectations": (post(SIZE + b"Expect: 100-continue, more\r\n"), 417),
    "CONNECT": (get(target=b"x:80", method=b"CONNECT"), 405),
    "CONNECT to a name": (get(b"Host: x:443\r\n", b"www.example.com:443", b"CONNECT"), 405),
    "long target": (get(target=b"/" + b"a" * 8192), 414),
    "long query": (get(target=b"/one?" + b"a" * 8192), 414),
    "target beyond the head": (get(target=b"/" + b"a" * 20_000), 414),
    "request line without an end": (b"a" * 17_000, 414),
    "large head": (get(b"Host: x\r\nX: " + b"a" * 17_000 + b"\r\n"), 431),
    "large head of many lines": (get(b"Host: x\r\n" + b"X: aaaaaaaaa\r\n" * 1500), 431),
    "head without an end": (b"GET /one HTTP/1.1\r\nX: " + b"a" * 17_000, 431),
    "many headers": (get(b"Host: x\r\n" + b"X: y\r\n" * 100), 431),
    "large body": (post(b"Content-Length: 10000001\r\n"), 413),
    "length of many digits": (post(b"Content-Length: " + b"9" * 5000 + b"\r\n"), 413),
    "large chunk": (chunked(b"fffffffffffffff\r\n" + JSON), 413),
}


def cuts(data):
    """Return the ways in which *data* arrives; long data in pieces and not byte by byte."""
    size = 1 if len(data) < 400 else len(data) // 100
    end = data.find(b"\r\n\r\n") + 4
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [data], [piece for piece in (data[:end], data[end:]) if piece], pieces


async def every_way(street, data):
    """Send *data* in every cut, as the first and as a later request; yield what comes of it.

    In pieces, which take long, it is a later one only.
    """
    for number, pieces in enumerate(cuts(data)):
        for earlier in ([], [ONE]) if number < 2 else ([ONE],):
            street.service.done.clear()
            outcome = await street.exchange(*earlier, *pieces, ONE)
            yield len(earlier), outcome


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_no_request_is_400_and_ends_the_connection(street, what):
    await refused(street, REFUSED[what], 400)


@pytest.mark.parametrize("what", OTHERS)
async def test_what_is_not_served_has_a_status_that_says_why(street, what):
    await refused(street, *OTHERS[what])


async def refused(street, data, status):
    """Hold that *data* is answered by *status* however it comes, and does nothing."""
    bodies = set()
    async for earlier, outcome in every_way(street, data):
        assert outcome.statuses == [200] * earlier + [status]
        assert street.service.done == [("one", {})] * earlier
        assert outcome.answers[-1][1] == "close"
        assert outcome.closed
        bodies.add(outcome.answers[-1][2])
    (body,) = bodies
    if data.startswith(b"HEAD"):
        assert body == b""
    else:
        assert json.loads(body)["code"] == 100_000 + status


ACCEPTED = {
    "tab before a value": (get(b"Host:\tx\r\nX:\ty\t\r\n"), ("one", {})),
    "no space before a value": (get(b"Host:x\r\n"), ("one", {})),
    "spaces after a value": (post(b"Content-Length: 12  \r\n"), ("echo", "x")),
    "empty values": (get(b"Host: x\r\nX:\r\nY: \r\n"), ("one", {})),
    "value beyond ASCII": (get("Host: x\r\nX: é\u0085\u00a0\r\n".encode()), ("one", {})),
    "value that is no UTF-8": (get(b"Host: x\r\nX: \xff\r\n"), ("one", {})),
    "names in any case": (get(b"hOsT: x\r\n"), ("one", {})),
    "odd tokens": (get(b"Host: x\r\n!#$%&'*+-.^_`|~: y\r\n"), ("one", {})),
    "empty Host": (get(b"Host:\r\n"), ("one", {})),
    "Host with a port": (get(b"Host: example.com:8000\r\n"), ("one", {})),
    "Host with an address": (get(b"Host: [::1]:8000\r\n"), ("one", {})),
    "Host of an absolute target": (get(b"Host: other\r\n", b"http://x/one"), ("one", {})),
    "absolute target without a path": (get(target=b"http://x"), ("front",)),
    "absolute target with a query only": (get(target=b"http://x?a=1"), ("front",)),
    "absolute target in capitals": (get(target=b"HTTPS://X:8000/one?a=1"), ("one", {"a": ["1"]})),
    "leading zeros": (post(b"Content-Length: 0012\r\n"), ("echo", "x")),
    "empty line before": (b"\r\n" + ONE, ("one", {})),
    "no body": (get(b"Host: x\r\nContent-Length: 0\r\n"), ("one", {})),
    "chunks": (chunked(WHOLE), ("echo", "x")),
    "chunked in capitals": (chunked(WHOLE, b"Transfer-Encoding: Chunked\r\n"), ("echo", "x")),
    "size in capitals": (chunked(WHOLE.replace(b"c", b"0C", 1)), ("echo", "x")),
    "extensions": (chunked(WHOLE.replace(b"c", b'c;a;b=c ; d = "\\"e;"', 1)), ("echo", "x")),
    "trailers": (chunked(WHOLE[:-2] + b"X: y\r\nDigest:\r\n\r\n"), ("echo", "x")),
    "target as browsers send it": (get(target=b'/named/|^{}[]"<>`\\'), ("named", '|^{}[]"<>`\\')),
    "many headers": (get(b"Host: x\r\n" + b"X: y\r\n" * 99), ("one", {})),
    "long target": (get(target=b"/named/" + b"a" * 8000), ("named", "a" * 8000)),
    "expectation without a body": (get(b"Host: x\r\nExpect: 100-continue\r\n"), ("one", {})),
}


@pytest.mark.parametrize("what", ACCEPTED)
async def test_what_is_odd_but_right_is_served(street, what):
    data, fact = ACCEPTED[what]
    async for earlier, outcome in every_way(street, data):
        assert outcome.statuses == [200] * (earlier + 2)
        assert street.service.done == [("one", {})] * earlier + [fact, ("one", {})]
        assert not outcome.closed


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"HTTP/1.1", b"", True),
        (b"HTTP/1.1", b"Connection: keep-alive\r\n", True),
        (b"HTTP/1.1", b"Connection: Close\r\n", False),
        (b"HTTP/1.1", b"Connection: keep-alive, close\r\n", False),
        (b"HTTP/1.1", b"Connection: TE\r\nConnection: close\r\n", False),
        (b"HTTP/1.1", b"Connection: TE\r\n", True),
        (b"HTTP/1.0", b"", False),
        (b"HTTP/1.0", b"Connection: TE, Keep-Alive\r\n", True),
        (b"HTTP/1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
async def test_a_connection_is_kept_as_its_client_asks(street, version, connection, kept):
    async for earlier, outcome in every_way(
        street, get(b"Host: x\r\n" + connection, version=version)
    ):
        assert outcome.statuses == [200] * (earlier + 1 + kept)
        assert outcome.closed is not kept


@pytest.mark.parametrize("fast", [True, False])
async def test_an_absolute_target_says_the_host(make_service, fast):
    service, seen = make_service(server={"fast_path": fast}), []

    @service.get("/where")
    async def where(request):
        seen.append((request.host, request.path, request.url))

    async with street_of(service) as street:
        await street.exchange(get(b"Host: other\r\n", b"http://shop:80/where?a=1"))

    assert seen == [("shop:80", "/where", "http://shop:80/where?a=1")]


async def test_http_1_0_needs_no_host(street):
    async for earlier, outcome in every_way(street, get(b"", version=b"HTTP/1.0")):
        assert outcome.statuses == [200] * (earlier + 1)
        assert outcome.closed


async def test_the_server_as_a_whole_tells_its_methods(street):
    outcome = await street.exchange(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", ONE)

    assert outcome.statuses == [204, 200]
    assert street.service.done == [("one", {})]
    assert street.service._serving.methods == ("DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT")
