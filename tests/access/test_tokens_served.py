"""Tokens over a real connection, on both paths: callers are known, all else is a 401 or a 400."""

import asyncio
import json
import time

import pytest
import pytest_asyncio
from sanic.response import json as json_response

from msframework import Authenticated, doc
from msframework.access import JWKS, JWTIssuer, JWTKey
from msframework.access.credentials import MAX_CREDENTIALS
from msframework.app import Service
from tests.access.tokens import OTHER, forge, make_bearer
from tests.conftest import serve_service, with_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


def make_service(fast, bearer):
    """Return a service whose `/me` says who calls, to those with a token."""
    settings = with_settings(service_name=f"tokens-{fast}", server={"fast_path": fast})
    service = Service(settings)
    service.config.TOUCHUP = False
    service.authenticate("token", bearer)

    @service.get("/me")
    @doc.guards(Authenticated())
    async def me(request, principal):
        return {"id": principal.id, "scopes": sorted(principal.scopes)}

    return service


@pytest_asyncio.fixture(
    params=[True, False], ids=["fast", "sanic"], scope="module", loop_scope="module"
)
async def place(request):
    async with serve_service(make_service(request.param, make_bearer())) as place:
        yield place


async def call(place, *values):
    """Return status, challenges and body for a request with these `Authorization` headers."""
    reader, writer = await asyncio.open_connection(*place)
    lines = b"".join(b"Authorization: %b\r\n" % value for value in values)
    writer.write(b"GET /me HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%b\r\n" % lines)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    challenges = [value for name, value in fields if name.lower() == "www-authenticate"]
    return int(head.split()[1]), challenges, json.loads(body)


async def test_a_caller_is_known_each_time(place):
    value = f"Bearer {forge(scope='read write')}".encode()

    for _ in range(2):
        status, _, body = await call(place, value)
        assert (status, body["data"]) == (200, {"id": "ada", "scopes": ["read", "write"]})


async def test_an_anonymous_caller_gets_the_challenge(place):
    assert (await call(place))[:2] == (401, ["Bearer"])


WRONG = {
    "a wrong signature": [f"Bearer {forge(secret=OTHER)}".encode()],
    "no token": [b"Bearer"],
    "no scheme": [forge().encode()],
    "nothing": [b""],
    "another scheme": [b"Basic YTpi"],
    "two headers": [f"Bearer {forge()}".encode()] * 2,
    "two tokens": [f"Bearer {forge()}, Bearer {forge()}".encode()],
    "Latin-1": [b"Bearer \xe9\xff"],
    "UTF-8": ["Bearer é".encode()],
    "a tab": [b"Bearer\ta.b.c"],
    "too long": [b"Bearer " + b"a" * MAX_CREDENTIALS],
    "alg none": [f"Bearer {forge(header={'alg': 'none'})}".encode()],
    "a bomb": [f"Bearer {forge(b'[' * 5000)}".encode()],
}


@pytest.mark.parametrize("name", sorted(WRONG))
async def test_wrong_credentials_are_a_401(name, place):
    status, challenges, body = await call(place, *WRONG[name])

    assert (status, body["code"]) == (401, 100401)
    assert [challenge.partition(" ")[0] for challenge in challenges] == ["Bearer"]
    assert "Traceback" not in json.dumps(body)


@pytest.mark.parametrize("value", [b"Bearer a\0b", b"Bearer a\x01b", b"Bearer a\rb"])
async def test_what_no_header_may_have_is_refused_before(value, place):
    assert (await call(place, value))[0] in (400, 401)


async def test_the_keys_of_one_service_verify_its_tokens_in_another():
    issuer = JWTIssuer(JWTKey.generate("ES256"), issuer="https://issuer", audience="notes")
    accounts = Service(with_settings(service_name="accounts"))
    accounts.config.TOUCHUP = False

    @accounts.get("/keys")
    async def keys(request):
        return json_response(issuer.jwks())  # as it is, in no envelope

    async with serve_service(accounts) as (host, port):
        bearer = make_bearer(jwks=f"http://{host}:{port}/keys", typ="at+jwt", clock=time.time)
        async with serve_service(make_service(None, bearer)) as place:
            status, _, body = await call(place, f"Bearer {issuer.issue(7)}".encode())

    assert (status, body["data"]["id"]) == (200, "7")


async def test_keys_that_cannot_be_fetched_are_a_503_and_keep_no_service_from_starting():
    bearer = make_bearer(jwks=JWKS("http://127.0.0.1:9/keys"))
    async with serve_service(make_service(None, bearer)) as place:
        status, _, body = await call(place, f"Bearer {forge(header={'alg': 'RS256'})}".encode())
        assert (status, body["code"]) == (503, 100503)
        assert (await call(place, b"Bearer a.b.c"))[0] == 401
    assert bearer._jwks._task is None
