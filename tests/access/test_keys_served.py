"""API keys and HTTP Basic over a real connection, on both paths, with both at one door."""

import asyncio
import json
from base64 import b64encode

import pytest
import pytest_asyncio

from msframework import Authenticated, Principal, doc
from msframework.access import APIKey, HTTPBasic, KeyEntry, hash_key
from tests.conftest import new_service, serve_service

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY, ENDED, KEPT = (letter * 32 for letter in "ABC")
CHALLENGES = ['ApiKey realm="api", header="X-API-Key"', 'Basic realm="api", charset="UTF-8"']


async def look_up(request, digest):
    """Know one key as a table would."""
    return Principal("table") if digest == hash_key(KEPT) else None


def check(username, password):
    """Know Ada."""
    return Principal(username) if (username, password) == ("ada", "correct hörse") else None


def make_service(fast):
    """Return a service whose `/me` says who calls, to those who are known; `/all` to everybody."""
    service = new_service(service_name=f"keys-{fast}", server={"fast_path": fast})
    keys = {
        "billing": [
            KeyEntry(hash_key(KEY), scopes=("read",)),
            KeyEntry(hash_key(ENDED), until="2001-01-01T00:00:00Z"),
        ]
    }
    service.authenticate("key", APIKey(keys, lookup=look_up))
    service.authenticate("basic", HTTPBasic(check))

    @service.get("/me")
    @doc.guards(Authenticated())
    async def me(request, principal):
        return [principal.id, principal.authenticator, sorted(principal.scopes)]

    @service.get("/all")
    @doc.public
    async def all_callers(request, principal):
        return None if principal is None else principal.id

    return service


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def place(request):
    async with serve_service(make_service(request.param)) as place:
        yield place


async def call(place, *lines, path="/me"):
    """Return status, challenges and body for a request with these header lines."""
    reader, writer = await asyncio.open_connection(*place)
    head = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n".encode()
    writer.write(head + b"".join(line + b"\r\n" for line in lines) + b"\r\n")
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    challenges = [value for name, value in fields if name.lower() == "www-authenticate"]
    return int(head.split()[1]), challenges, json.loads(body)


def key_line(key):
    """Return the header line of an API key."""
    return b"X-API-Key: " + (key if isinstance(key, bytes) else key.encode())


def basic_line(text):
    """Return the header line of `name:password`."""
    return b"Authorization: Basic " + b64encode(text.encode())


RIGHT = {
    "a key of the settings": (key_line(KEY), ["billing", "key", ["read"]]),
    "a key of the table": (key_line(KEPT), ["table", "key", []]),
    "name and password": (basic_line("ada:correct hörse"), ["ada", "basic", []]),
}


@pytest.mark.parametrize("name", sorted(RIGHT))
async def test_right_credentials_of_either_kind_are_enough(name, place):
    line, caller = RIGHT[name]

    status, challenges, body = await call(place, line)

    assert (status, challenges, body["data"]) == (200, [], caller)
    assert (await call(place, line, path="/all"))[2]["data"] == caller[0]


async def test_an_anonymous_caller_gets_both_challenges(place):
    assert (await call(place))[:2] == (401, CHALLENGES)
    assert (await call(place, path="/all"))[0] == 200


WRONG = {
    "an unknown key": [key_line("X" * 32)],
    "a key whose time is over": [key_line(ENDED)],
    "a short key": [key_line("hunter2")],
    "an empty key": [key_line("")],
    "two keys": [key_line(KEY), key_line(KEY)],
    "two keys in one": [key_line(f"{KEY}, {KEY}")],
    "a key in UTF-8": [key_line("ü" * 32)],
    "a key in Latin-1": [key_line(b"\xfc" * 32)],
    "a long key": [key_line("k" * 4000)],
    "a wrong password": [basic_line("ada:wrong")],
    "an unknown user": [basic_line("bob:correct hörse")],
    "no colon": [basic_line("ada")],
    "a NUL": [basic_line("ada:correct\0hörse")],
    "no base64": [b"Authorization: Basic ada:correct"],
    "no UTF-8": [b"Authorization: Basic " + b64encode("ada:correct hörse".encode("latin-1"))],
    "no credentials": [b"Authorization: Basic"],
    "another scheme": [b"Authorization: Bearer abc"],
    "two passwords": [basic_line("ada:correct hörse")] * 2,
}


@pytest.mark.parametrize("name", sorted(WRONG))
async def test_wrong_credentials_are_a_401_where_none_are_needed_too(name, place):
    for path in ("/me", "/all"):
        status, challenges, body = await call(place, *WRONG[name], path=path)

        assert (status, challenges, body["code"]) == (401, CHALLENGES, 100401)
        assert KEY not in json.dumps(body)
