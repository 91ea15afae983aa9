"""A request's body is never read as a request, however early the request was answered."""

import pytest

from tests.serving.stranger import street_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
DELETE = b"DELETE /item/1 HTTP/1.1\r\nHost: x\r\n\r\n"
ONE = b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % len(DELETE)
CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(DELETE), DELETE)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
WEBSOCKET = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: bWlzdGFrZSBvbiBwdXJwbw==\r\n"
)

# Request lines that are answered before their body is read, further headers, and the statuses.
EARLY = {
    "unknown path": (b"POST /no/such", b"", [404]),
    "wrong method": (b"PUT /echo", b"", [405]),
    "unknown method": (b"BREW /one", b"", [405]),
    "unknown method, unknown path": (b"BREW /no/such", b"", [404]),
    "options of all": (b"OPTIONS *", b"", [204]),
    "options of a path": (b"OPTIONS /one", b"", [204]),
    "stream that reads nothing": (b"POST /early", b"", [200]),
    "a method without body": (b"GET /one", b"", [200]),
    "a method that ignores its body": (b"DELETE /item/7", b"", [200]),
    "head": (b"HEAD /one", b"", [200]),
    "middleware that refuses": (b"POST /guarded/", b"", [403]),
    "a websocket's path that is none": (b"POST /one", WEBSOCKET, [405]),
    "a target with its host": (b"POST http://x/no/such", b"", [404]),
}


def cuts(head, body):
    """Return the ways in which *head* and *body* arrive."""
    return [head + body], [head, body], [bytes([byte]) for byte in head + body]


@pytest.mark.parametrize("kind", EARLY)
@pytest.mark.parametrize(
    ("framing", "body"), [(LENGTH, DELETE), (CHUNKED, CHUNK)], ids=["length", "chunked"]
)
async def test_a_body_that_nobody_reads_is_no_request(street, kind, framing, body):
    line, headers, statuses = EARLY[kind]
    head = line + b" HTTP/1.1\r\nHost: x\r\n" + headers + framing
    for pieces in cuts(head, body):
        for earlier in ([], [ONE]):
            street.service.done.clear()

            outcome = await street.exchange(*earlier, *pieces, ONE)

            assert outcome.statuses == [200] * len(earlier) + statuses + [200]
            assert ("delete", 1) not in street.service.done
            assert len(street.service.done) <= len(earlier) + 2
            assert not outcome.closed


@pytest.mark.parametrize("framing", [LENGTH, CHUNKED], ids=["length", "chunked"])
async def test_what_is_pipelined_behind_an_unread_body_is_served(street, framing):
    body = DELETE if framing is LENGTH else CHUNK
    post = b"POST /no/such HTTP/1.1\r\nHost: x\r\n" + framing + body

    outcome = await street.exchange(post + ONE + post + ONE)

    assert outcome.statuses == [404, 200, 404, 200]
    assert street.service.done == [("one", {})] * 2


async def test_an_upgrade_with_a_body_is_refused(street):
    head = b"GET /one HTTP/1.1\r\nHost: x\r\n" + WEBSOCKET + LENGTH

    outcome = await street.exchange(head, DELETE)

    assert (outcome.statuses, outcome.closed) == ([400], True)
    assert street.service.done == []


async def test_an_upgrade_that_fails_leaves_the_connection_to_requests(make_service):
    service = make_service()

    @service.websocket("/feed")
    async def feed(request, ws):
        raise AssertionError("there was no handshake")

    @service.get("/one")
    async def one(request):
        return {"n": 1}

    async with street_of(service) as street:
        key = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 99\r\n"
        outcome = await street.exchange(b"GET /feed HTTP/1.1\r\nHost: x\r\n" + key + b"\r\n", ONE)

    assert outcome.statuses[-1] == 200
    assert 400 <= outcome.statuses[0] < 500


async def test_an_unread_body_that_is_malformed_ends_the_connection(street):
    post = b"POST /no/such HTTP/1.1\r\nHost: x\r\n" + CHUNKED

    outcome = await street.exchange(post, b"zz\r\n" + DELETE)

    assert (outcome.statuses, outcome.closed) == ([404], True)
    assert street.service.done == []
