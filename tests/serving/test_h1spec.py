"""The facts of uNetworking's h1spec, 33 of them: what is waited for, what served, what refused."""

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

# A part of a request is waited for: neither answered nor hung up on.
PARTS = (
    b"G",
    b"GET ",
    b"GET /hello",
    b"GET /hello ",
    b"GET /hello HTTP",
    b"GET /hello HTTP/1.1",
    b"GET /hello HTTP/1.1\r",
    b"GET /hello HTTP/1.1\r\n",
    b"GET /hello HTTP/1.1\r\nHos",
    b"GET /hello HTTP/1.1\r\nHost:",
    b"GET /hello HTTP/1.1\r\nHost: ",
    b"GET /hello HTTP/1.1\r\nHost: localhost",
    b"GET /hello HTTP/1.1\r\nHost: localhost\r",
    b"GET /hello HTTP/1.1\r\nHost: localhost\r\n",
    b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r",
)
HOST = b"Host: example.com\r\n"
GET = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKS = b"c\r\nHellO world1\r\n0\r\n\r\n"
BODIES = {"post": b"hello", "chunks": b"HellO world1"}

SERVED = {
    "expectation": GET + HOST + b"Expect: 100-continue\r\n\r\n",
    "get": GET + HOST + b"\r\n",
    "get with edges": GET + b"hoSt:\texample.com\r\nempty:\r\n\r\n",
    "empty value": GET + HOST + b"X-Empty-Header: \r\n\r\n",
    "post": POST + b"Content-Length: 5\r\n\r\nhello",
    "chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
}

REFUSED = {
    "no version": b"GET / \r\n\r\n",
    "characters of a name": GET + HOST + b"X-Invalid[]: test\r\n\r\n",
    "no Host": GET + b"Content-Length: 5\r\n\r\n",
    "several Hosts": GET + HOST + b"Host: example.org\r\n\r\n",
    "negative length that overflows": GET
    + HOST
    + b"Content-Length: -123456789123456789123456789\r\n\r\n",
    "negative length": GET + HOST + b"Content-Length: -1234\r\n\r\n",
    "length in letters": GET + HOST + b"Content-Length: abc\r\n\r\n",
    "control character": GET + HOST + b"X-Bad-Control-Char: test\x07\r\n\r\n",
    "unknown version": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "something before": b"Extra lineGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "end of line": GET + HOST + b"\rSome-Header: Test\r\n\r\n",
    "chunks and a length": POST
    + b"content-LengtH: 5\r\nTransFer-Encoding: chunked\r\n\r\n"
    + CHUNKS,
}


async def test_all_of_its_cases_are_here():
    assert len(PARTS) + len(SERVED) + len(REFUSED) == 33


@pytest.mark.parametrize("part", PARTS)
async def test_the_rest_of_a_request_is_waited_for(street, part):
    outcome = await street.exchange(part)

    assert outcome.answers == ()
    assert not outcome.closed


@pytest.mark.parametrize("what", SERVED)
async def test_what_is_valid_is_served(street, what):
    outcome = await street.exchange(SERVED[what])

    assert outcome.statuses == [200]
    assert street.service.done == [("knock", BODIES[what]) if what in BODIES else ("front",)]
    assert not outcome.closed


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_invalid_is_refused(street, what):
    outcome = await street.exchange(REFUSED[what])

    assert outcome.statuses == [400]
    assert outcome.closed
