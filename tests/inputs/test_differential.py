"""Both paths take the same inputs alike: generated from what is right, and broken a little."""

import asyncio
import contextlib
import gzip
import random

import pytest

from tests.inputs.conftest import Wire, declare
from tests.inputs.test_form import END, MULTIPART, URLENCODED, field, file

COUNT = 500
JSON = "Content-Type: application/json"
QUERIES = ["q=1", "q=a+b&tags=1&tags=2", "q=%C3%A9", "q=&tags=", "q=1&q=2", "page=2", "a=1&b=2;c"]
LINES = [
    "X-Token: abc",
    "X-Tags: a, b,c",
    "Accept: */*",
    "Cookie: a=1; b=2",
    'Cookie: b="x"; __Host-a=3',
    "Content-Encoding: identity",
    "X-Token: caf\xe9",
]
BODIES = [
    (JSON, b'{"a": 1}'),
    (JSON, b'{"a": "\\ud800", "b": 1}'),
    ("content-type: application/json;charset=utf-8", b'{"a": 1.5}'),
    ("X: y", b'{"a": 1}'),
    (URLENCODED, b"note=a%20b&tags=1&tags=%C3%A9"),
    (f"{URLENCODED}; charset=utf-8", b"note=&x=1"),
    (MULTIPART, field(b"note", b"hello") + field(b"tags", b"\xc3\xa9") + END),
    (MULTIPART, file(b"file", b"a.txt", b"--b\r\n", b"Content-Type: text/css") + END),
    (f"{JSON}\r\nContent-Encoding: gzip", gzip.compress(b'{"a": 1}', mtime=0)),
]
PATHS = ["/query", "/headers", "/cookies", "/users-own", "/pages", "/nowhere", "/us%65rs-own"]
TARGETS = ["/json", "/form", "/upload", "/only-files", "/users-own?read=json", "/raw"]
SPLICES = ["%", "%zz", "%FF", "%00", "%C3%A9", "&", "=", "+", "%2541", ";", "%26", "q=", "/"]
BYTES = [b"\r\n", b"--b", b"--b--", b"\xff", b"\0", b'"', b"%", b"\r\n\r\n", b";", b"=", b"{"]


def broken(chance, text, splices):
    """Return *text*, most times with something put in, left out, or doubled."""
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        place = chance.randint(0, len(text))
        end = place + chance.randint(0, 3)
        text = text[:place] + chance.choice([*splices, text[place:end] * 2]) + text[end:]
    return text


def generate(chance):
    """Return method, target, header lines and body of one request."""
    lines = chance.sample(LINES, chance.randint(0, 3))
    if chance.random() < 0.4:
        query = broken(chance, chance.choice(QUERIES), SPLICES)
        path = broken(chance, chance.choice(PATHS), SPLICES) if chance.random() < 0.2 else None
        return "GET", f"{path or chance.choice(PATHS)}?{query}", lines, None
    line, body = chance.choice(BODIES)
    if chance.random() < 0.1:
        line = broken(chance, line.partition("\r\n")[0], [";", "=", '"', "charset=x", ","])
    return "POST", chance.choice(TARGETS), [line, *lines], broken(chance, body, BYTES)


async def ask(address, requests, cuts):
    """Return the answers of one service."""
    answers, wire = [], None
    for (method, target, lines, body), cut in zip(requests, cuts, strict=True):
        if wire is None:
            wire = Wire(*await asyncio.open_connection(*address))
        answer = await wire(method, target, *lines, body=body, cut=cut)
        answers.append((answer.status, answer.headers["connection"], answer.json))
        if answer.headers["connection"] == "close":
            wire.writer.close()
            wire = None
    if wire is not None:
        wire.writer.close()
        with contextlib.suppress(ConnectionError):
            await wire.writer.wait_closed()
    return answers


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.acceptance)])
async def test_both_paths_take_the_same_inputs_alike(make_service, serve, seed):
    chance = random.Random(seed)
    requests = [generate(chance) for _ in range(COUNT)]
    cuts = [chance.choice(("one", "one", "two", "two", "bytes")) for _ in requests]
    found = []
    for fast in (True, False):
        service = make_service(
            service_name=f"fast_{fast}", server={"fast_path": fast, "max_fields": 50}
        )
        declare(service)
        async with serve(service) as address:
            found.append(await ask(address, requests, cuts))

    for request, fast, plain in zip(requests, *found, strict=True):
        assert fast == plain, request
        assert fast[0] < 500, request
    statuses = {answer[0] for answer in found[0]}
    assert {200, 400, 404, 415, 422} <= statuses
