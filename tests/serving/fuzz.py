"""Makes byte streams that are almost HTTP, and cuts them into pieces; the same for a seed."""

import random

_JSON = b'{"text":"x"}'
_CHUNKS = b'c\r\n{"text":"x"}\r\n0\r\n\r\n'
_TYPE = b"Content-Type: application/json\r\n"
_DELETE = b"DELETE /item/1 HTTP/1.1\r\nHost: x\r\n\r\n"

METHODS = (
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"HEAD",
    b"OPTIONS",
    b"BREW",
    b"get",
    b"CONNECT",
    b"",
)
TARGETS = (
    b"/",
    b"/one",
    b"/one/",
    b"/one?a=1&a=2",
    b"/one?",
    b"/one#x",
    b"/item/7",
    b"/item/-7",
    b"/item/seven",
    b"/item/7/",
    b"/named/n",
    b"/named/%2F",
    b"/named/a#b",
    b"/named/\t",
    b"/named/\x7f",
    b"/named/\xc3\xa9",
    b"/files/a/b//",
    b"/none",
    b"/early",
    b"/stream",
    b"/streamed",
    b"/guarded/",
    b"/fails",
    b"//one",
    b"/one" + b"/" * 40,
    b"*",
    b"x:80",
    b"http://x",
    b"http://y/one",
    b"http://u@y/one",
    b"http:",
    b"one",
    b"one?a=1",
    b"one/7/left",
    b"/one/7/left",
    b"?",
    b"",
)
VERSIONS = (
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/2",
    b"http/1.1",
    b"",
)
HEADERS = (
    b"Host: x\r\n",
    b"host:y:80\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: keep-alive, close\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 12\r\n",
    b"Content-Length: +12\r\n",
    b"Content-Length : 12\r\n",
    b"Content-Length:\v12\r\n",
    b"Content-Length: \xd9\xa1\xd9\xa2\r\n",
    b"content-length:38\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding:\tchunked \r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Expect: more\r\n",
    b"Upgrade: websocket\r\n",
    b"Upgrade: h2c\r\n",
    b"Accept: */*\r\n",
    b"User-Agent: a\r\n b\r\n",
    b"X-A: b\r\n",
    b" X: y\r\n",
    b": y\r\n",
    b"X\r\n",
    b"X: \xff\r\n",
    b"X: a\rb\r\n",
    b"X: a\nb\r\n",
    b"X: \0\r\n",
    b"X: " + b"y" * 300 + b"\r\n",
    _TYPE,
)
BODIES = (
    b"",
    _JSON,
    _DELETE,
    _CHUNKS,
    b"26\r\n" + _DELETE + b"\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5;a=b\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
)
SEEDS = (
    b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /item/7?a=1 HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
    b"GET /named/n HTTP/1.1\r\nHost: x\r\nX-A: b\r\n\r\n",
    b"HEAD /one HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 38\r\n\r\n" + _DELETE,
    b"POST /echo HTTP/1.1\r\nHost: x\r\n" + _TYPE + b"Content-Length: 12\r\n\r\n" + _JSON,
    b"POST /echo HTTP/1.1\r\nHost: x\r\n" + _TYPE + b"Transfer-Encoding: chunked\r\n\r\n" + _CHUNKS,
    b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 38\r\n\r\n" + _DELETE,
    b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + BODIES[4],
    b"POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n" + _JSON,
    b"POST /none HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 12\r\n\r\n" + _JSON,
    b"DELETE /item/7 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"DELETE /7 HTTP/1.1\r\nHost: x\r\n\r\n",
)
HANDSHAKE = (
    b"GET /feed HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bWlzdGFrZSBvbiBwdXJwbw==\r\n\r\n"
)
BYTES = (
    *(
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\0",
        b"\t",
        b" ",
        b"\v",
        b"\f",
        b"\x1c",
        b"\x7f",
        b"\x85",
    ),
    *(
        b"#",
        b"%",
        b"/",
        b"?",
        b":",
        b";",
        b",",
        b"=",
        b'"',
        b"\\",
        b"@",
        b"*",
        b"[",
        b"\xa0",
        b"\xff",
    ),
    *(b"0", b"1", b"a", b"G", b"_", b"+", b"-", b"0x", b"\xd9\xa5", b"\xc4\xb1", b"\xc2\x85"),
)


def make_stream(chance: random.Random, *, feed: bool = False) -> bytes:
    """Return one to four requests, some of them changed; with *feed* for a websocket, too."""
    requests = []
    for _ in range(chance.choice((1, 1, 2, 3, 4))):
        request = chance.choice(SEEDS) if chance.random() < 0.75 else _build(chance)
        if feed and chance.random() < 0.2:
            request = HANDSHAKE
        for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 4))):
            request = chance.choice((_put, _put, _drop, _repeat, _swap, _cut, _bare))(
                chance, request
            )
        requests.append(request)
    return b"".join(requests)


def _build(chance: random.Random) -> bytes:
    """Return a request of parts that were chosen each for itself."""
    line = b" ".join((chance.choice(METHODS), chance.choice(TARGETS), chance.choice(VERSIONS)))
    headers = [b"Host: x\r\n"] if chance.random() < 0.9 else []
    headers += chance.choices(HEADERS, k=chance.choice((0, 1, 1, 2, 3)))
    chance.shuffle(headers)
    return line + b"\r\n" + b"".join(headers) + b"\r\n" + chance.choice(BODIES)


def _put(chance: random.Random, data: bytes) -> bytes:
    """Put something in, or in the place of a byte."""
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(BYTES) + data[at + chance.randrange(2) :]


def _drop(chance: random.Random, data: bytes) -> bytes:
    """Leave some bytes out."""
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.choice((1, 1, 2, 4)) :]


def _repeat(chance: random.Random, data: bytes) -> bytes:
    """Let a line come twice."""
    lines = data.split(b"\r\n")
    at = chance.randrange(len(lines))
    return b"\r\n".join([*lines[: at + 1], *lines[at:]])


def _swap(chance: random.Random, data: bytes) -> bytes:
    """Put a header in front of a line."""
    lines = data.split(b"\r\n")
    at = chance.randrange(len(lines))
    return b"\r\n".join([*lines[:at], chance.choice(HEADERS)[:-2], *lines[at:]])


def _bare(chance: random.Random, data: bytes) -> bytes:
    """Leave out what a target begins with."""
    return data.replace(b" /", b" ", 1)


def _cut(chance: random.Random, data: bytes) -> bytes:
    """Leave the end out."""
    return data[: chance.randrange(len(data) + 1)]


def cut(chance: random.Random, data: bytes) -> list[bytes]:
    """Return *data* in pieces: one, some, or a byte each."""
    kind = chance.random()
    if kind < 0.25 or len(data) < 2:
        return [data] if data else []
    if kind < 0.35 and len(data) < 150:
        return [bytes([byte]) for byte in data]
    places = sorted({chance.randrange(1, len(data)) for _ in range(chance.randint(1, 6))})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
