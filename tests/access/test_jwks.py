"""`JWKS`: keys from a real address, fetched seldom, kept while it is away, whatever it answers."""

import asyncio
import json
import logging

import pytest
import pytest_asyncio
from aiohttp import web

from msframework.access import JWKS, JWTKey
from msframework.access.bearer import INVALID
from msframework.access.jwk_set import MAX_KEYS, MAX_SIZE, read_keys
from msframework.exceptions import (
    ImproperlyConfigured,
    ServiceUnavailable,
    Unauthorized,
)
from tests.access.tokens import CLAIMS, SECRET, SetClock, bearing, encode, make_bearer

pytestmark = pytest.mark.asyncio(loop_scope="module")
ONE, TWO = (JWTKey.generate("ES256", kid=kid) for kid in ("one", "two"))


def set_of(*keys):
    """Return the JWK Set of *keys*."""
    return {"keys": [key.public_jwk() for key in keys]}


def signed(key=ONE, **header):
    """Return the request with a token that *key* signed."""
    text = f"{encode({'alg': key.algorithm, 'kid': key.kid, **header})}.{encode(CLAIMS)}"
    return bearing(f"{text}.{encode(key.sign(text.encode()))}")


class Issuer:
    """What answers at an address; tests say what."""

    def reset(self):
        self.fetches = []
        self.body, self.status, self.headers = set_of(ONE), 200, {}
        self.held = asyncio.Event()
        self.held.set()
        self.asked = asyncio.Event()

    async def answer(self, request):
        self.fetches.append(request)
        self.asked.set()
        await self.held.wait()
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return web.Response(body=body, status=self.status, headers=self.headers)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_issuer():
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/keys", issuer.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    issuer.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/keys"
    yield issuer
    await runner.cleanup()


@pytest.fixture(autouse=True)
def only_warnings(caplog):
    """Leave out what aiohttp says of each request, which a service's own logging lets through."""
    caplog.set_level(logging.WARNING)


@pytest.fixture
def issuer(open_issuer):
    open_issuer.reset()
    return open_issuer


@pytest.fixture
def clock():
    return SetClock(1000.0)


@pytest_asyncio.fixture(loop_scope="module")
async def bearer(issuer, clock):
    """Return an authenticator of the issuer's tokens; it stops with the test."""
    bearer = make_bearer(jwks=JWKS(f"{issuer.url}?secret=1", clock=clock, timeout=60))
    yield bearer
    issuer.held.set()
    await bearer.stop()


async def settle(bearer):
    """Wait for the fetch that runs in the background, if one does."""
    if bearer._jwks._task is not None:
        await asyncio.wait({bearer._jwks._task})


async def status(bearer, request):
    """Return the status that *request* is answered with, or the caller."""
    try:
        return (await bearer.authenticate(request)).id
    except Unauthorized as exc:
        return {INVALID: 401}[exc.error]
    except ServiceUnavailable as exc:
        return 503 if int(exc.headers["Retry-After"]) >= 1 else None


async def test_keys_are_fetched_when_first_needed_and_once(bearer, issuer):
    assert issuer.fetches == []

    assert [await status(bearer, signed()) for _ in range(3)] == ["ada"] * 3
    assert len(issuer.fetches) == 1
    assert issuer.fetches[0].headers["accept"] == "application/json"


async def test_start_begins_to_fetch_and_waits_for_nothing(bearer, issuer):
    issuer.held.clear()

    await bearer.start()

    await issuer.asked.wait()
    issuer.held.set()
    assert await status(bearer, signed()) == "ada"
    assert len(issuer.fetches) == 1


async def test_a_dead_address_does_not_fail_the_start(caplog):
    bearer = make_bearer(jwks="http://127.0.0.1:9/keys?secret=1")

    await bearer.start()

    assert await status(bearer, signed()) == 503
    await bearer.stop()
    (line,) = caplog.records
    assert "no keys from http://127.0.0.1:9/keys: " in line.message
    assert "tokens cannot be verified" in line.message
    assert "secret" not in line.message


async def test_malformed_tokens_wait_for_no_keys(bearer, issuer):
    tokens = ("", "a.b", "a.b.c", f"{encode({'alg': 'ES256', 'crit': []})}.e30.AAAA", "A" * 8000)

    assert [await status(bearer, bearing(f"x{token}")) for token in tokens] == [401] * 5
    assert issuer.fetches == []


async def test_those_who_ask_at_once_share_a_fetch(bearer, issuer):
    issuer.held.clear()
    callers = [asyncio.create_task(status(bearer, signed())) for _ in range(20)]
    await issuer.asked.wait()

    issuer.held.set()

    assert await asyncio.gather(*callers) == ["ada"] * 20
    assert len(issuer.fetches) == 1


async def test_a_caller_who_goes_away_takes_the_fetch_from_nobody(bearer, issuer):
    issuer.held.clear()
    first, second = (asyncio.create_task(status(bearer, signed())) for _ in range(2))
    await issuer.asked.wait()

    first.cancel()
    await asyncio.wait({first})
    issuer.held.set()

    assert first.cancelled()
    assert await second == "ada"


async def test_an_unknown_key_is_fetched_once_in_a_while(bearer, issuer, clock):
    assert await status(bearer, signed()) == "ada"

    for number in range(3):
        assert await status(bearer, signed(kid=f"made up {number}")) == 401
    assert await status(bearer, signed(TWO)) == 401
    assert len(issuer.fetches) == 1  # within the first minute

    clock.now += 60
    issuer.body = set_of(TWO, ONE)
    callers = (signed(TWO), signed(kid="made up"), signed())
    assert [await status(bearer, caller) for caller in callers] == ["ada", 401, "ada"]
    assert len(issuer.fetches) == 2


async def test_a_key_without_a_name_hides_no_new_one(bearer, issuer, clock):
    nameless = {name: value for name, value in ONE.public_jwk().items() if name != "kid"}
    issuer.body = {"keys": [nameless]}
    assert await status(bearer, signed(kid=None)) == 401  # null is no kid
    assert await status(bearer, signed()) == "ada"
    issuer.body = {"keys": [nameless, TWO.public_jwk()]}
    clock.now += 60

    assert await status(bearer, signed(TWO)) == "ada"
    assert len(issuer.fetches) == 2


async def test_old_keys_are_fetched_in_the_background_also_for_known_tokens(bearer, issuer, clock):
    assert await status(bearer, signed()) == "ada"
    clock.now += 300
    issuer.body = set_of(TWO)
    issuer.held.clear()

    request = signed()
    assert await status(bearer, request) == "ada"  # it waits for nothing
    issuer.held.set()
    await settle(bearer)

    assert await status(bearer, request) == 401
    assert await status(bearer, signed(TWO)) == "ada"
    assert len(issuer.fetches) == 2


async def test_a_key_that_goes_away_takes_its_tokens_along(bearer, issuer, clock):
    issuer.body = set_of(ONE, TWO)
    one, two = signed(), signed(TWO)
    kept = [await bearer.authenticate(request) for request in (one, two)]
    assert [await bearer.authenticate(request) for request in (one, two)] == kept
    clock.now += 300
    issuer.body = {"keys": [TWO.public_jwk(), ONE.public_jwk() | {"use": "enc"}]}

    assert await status(bearer, one) == "ada"
    await settle(bearer)

    assert await status(bearer, one) == 401
    assert await status(bearer, two) == "ada"


async def test_the_same_keys_again_leave_what_is_kept(bearer, issuer, clock):
    request = signed()
    first = await bearer.authenticate(request)
    clock.now += 300
    issuer.body = {"keys": [{"x5t": "new", **ONE.public_jwk()}], "more": 1}

    assert await bearer.authenticate(request) is first
    await settle(bearer)

    assert await bearer.authenticate(request) is first
    assert len(issuer.fetches) == 2


FAILURES = {
    "a 500": {"status": 500},
    "a 404": {"status": 404},
    "a 204": {"status": 204, "body": b""},
    "a redirect": {"status": 302, "headers": {"location": "/keys"}},
    "a redirect elsewhere": {"status": 308, "headers": {"location": "http://127.0.0.1:9/"}},
    "no JSON": {"body": b"<html>"},
    "nothing": {"body": b""},
    "no UTF-8": {"body": b'{"keys":[\xff]}'},
    "a list": {"body": []},
    "no keys": {"body": {}},
    "an object as keys": {"body": {"keys": {"kty": "EC"}}},
    "keys that stand twice": {"body": b'{"keys":[],"keys":[]}'},
    "a bomb": {"body": b'{"keys":' + b"[" * 100_000},
    "too many keys": {"body": {"keys": [{}] * (MAX_KEYS + 1)}},
    "too large": {"body": b" " * MAX_SIZE + b'{"keys":[]}'},
    "an encoding that was not asked for": {"body": b"\x1f\x8b", "headers": {"x-encoding": "gzip"}},
}


@pytest.mark.parametrize("name", sorted(FAILURES))
async def test_whatever_fails_the_old_keys_are_kept(name, bearer, issuer, clock, caplog):
    assert await status(bearer, signed()) == "ada"
    vars(issuer).update(FAILURES[name])

    for _ in range(3):  # 300 s are over, and then a minute each time
        clock.now += 300
        assert await status(bearer, signed()) == "ada"
        await settle(bearer)
    assert await status(bearer, signed(kid="made up")) == 401
    assert len(issuer.fetches) == 4
    assert {record.levelname for record in caplog.records} == {"WARNING"}
    assert len(caplog.records) == 3
    assert "the old ones are kept" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("name", ["a redirect", "no JSON", "too large", "a 500"])
async def test_without_any_keys_a_failure_is_a_503(name, bearer, issuer, clock):
    vars(issuer).update(FAILURES[name])
    assert [await status(bearer, signed()) for _ in range(3)] == [503] * 3
    assert len(issuer.fetches) == 1

    clock.now += 5
    vars(issuer).update(status=200, body=set_of(ONE), headers={})

    assert await status(bearer, signed()) == "ada"


async def test_a_fetch_is_bounded_in_time(issuer):
    issuer.held.clear()
    bearer = make_bearer(jwks=JWKS(issuer.url, timeout=0.05))

    assert await status(bearer, signed()) == 503

    issuer.held.set()
    await bearer.stop()


async def test_failures_are_logged_once_a_minute(bearer, issuer, clock, caplog):
    issuer.status = 500
    for _ in range(13):
        assert await status(bearer, signed()) == 503
        clock.now += 5

    assert len(issuer.fetches) == 13
    assert len(caplog.records) == 2


async def test_stop_ends_the_fetch_and_begins_no_other(bearer, issuer):
    issuer.held.clear()
    waiting = asyncio.create_task(status(bearer, signed()))
    await issuer.asked.wait()

    await bearer.stop()

    assert await waiting == 503
    assert await status(bearer, signed()) == 503
    assert len(issuer.fetches) == 1
    issuer.held.set()
    await bearer.start()
    assert await status(bearer, signed()) == "ada"


async def test_a_set_without_usable_keys_is_taken_at_its_word(bearer, issuer, clock, caplog):
    assert await status(bearer, signed()) == "ada"
    issuer.body = {"keys": []}
    clock.now += 300

    await status(bearer, signed())
    await settle(bearer)

    assert await status(bearer, signed()) == 401
    assert "has no key that verifies tokens" in caplog.text


BASE = ONE.public_jwk()
LEFT_OUT = {
    "a number": 1,
    "null": None,
    "a list": [BASE],
    "nothing": {},
    "an unknown kind": {**BASE, "kty": "XX"},
    "a list as kind": {**BASE, "kty": ["EC"]},
    "one to encrypt with": {**BASE, "use": "enc"},
    "one for another algorithm": {**BASE, "alg": "RS256"},
    "one for key agreement": {**BASE, "alg": "ECDH-ES"},
    "none at all": {**BASE, "alg": "none"},
    "a number as alg": {**BASE, "alg": 1},
    "a number as kid": {**BASE, "kid": 1},
    "an empty kid": {**BASE, "kid": ""},
    "a kid that is no Unicode": {**BASE, "kid": "\ud800"},
    "a point off the curve": {**BASE, "x": "A" * 43},
    "a long coordinate": {**BASE, "x": "A" * 4096},
    "no coordinate": {name: BASE[name] for name in ("kty", "crv", "x")},
    "another curve": {**BASE, "crv": "P-384"},
    "a secret": {"kty": "oct", "k": encode(SECRET), "alg": "HS256"},
    "a small RSA key": {"kty": "RSA", "n": encode(b"\xff" * 128), "e": "AQAB"},
    "a huge RSA key": {"kty": "RSA", "n": encode(b"\xff" * 1500), "e": "AQAB"},
    "RSA with an exponent of 1": {"kty": "RSA", "n": encode(b"\xff" * 256), "e": "AQ"},
    "RSA with no exponent": {"kty": "RSA", "n": encode(b"\xff" * 256), "e": "AA"},
}


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
async def test_keys_that_cannot_be_used_are_left_out(name):
    body = json.dumps({"keys": [LEFT_OUT[name], TWO.public_jwk()]}).encode()

    assert [key.kid for key in read_keys(body, {}).values()] == ["two"]


async def test_of_keys_with_one_name_the_first_is_taken():
    body = json.dumps({"keys": [BASE, TWO.public_jwk() | {"kid": "one"}]}).encode()

    (key,) = read_keys(body, {}).values()

    assert key.public_jwk() == BASE


async def test_of_private_keys_only_the_public_part_is_read():
    private = {**JWTKey.generate("EdDSA").public_jwk(), "d": "A" * 43, "p": 1, "oth": [{}]}

    (key,) = read_keys(json.dumps({"keys": [private]}).encode(), {}).values()

    assert not key.can_sign


async def test_the_algorithm_is_that_of_the_key_or_its_kind():
    keys = [JWTKey.generate(name) for name in ("RS256", "ES384", "EdDSA")]
    jwks = [{**key.public_jwk(), "kid": key.algorithm} for key in keys]
    rsa = jwks[0]
    for jwk in jwks:
        del jwk["alg"]
    jwks.append({**rsa, "kid": "PS384", "alg": "PS384"})

    found = read_keys(json.dumps({"keys": jwks}).encode(), {})

    assert [key.algorithm for key in found.values()] == ["RS256", "ES384", "EdDSA", "PS384"]
    assert [key.kid for key in found.values()] == ["RS256", "ES384", "EdDSA", "PS384"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://issuer.example/keys?a=1", "'http://issuer.example/keys' has no TLS"),
        ("http://10.0.0.1/", "has no TLS.*; expected an https:// address, or http:// of the loop"),
        ("http://localhost.example/", "has no TLS"),
        ("ftp://localhost/keys", "the address is 'ftp://localhost/keys'"),
        ("file:///etc/keys", "the address is"),
        ("issuer.example", "the address is"),
        ("", "the address is missing"),
        (None, "the address is"),
        ("https://user:pass@issuer.example/", "with a user name or password in it"),
    ],
)
async def test_addresses_that_keys_must_not_come_from_are_refused(url, problem):
    with pytest.raises(ImproperlyConfigured, match=problem):
        make_bearer(jwks=JWKS(url))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "127.1.2.3:8080"])
async def test_the_loopback_needs_no_tls(host):
    assert repr(JWKS(f"http://{host}/keys?a=1")) == f"JWKS('http://{host}/keys', keys=[])"


@pytest.mark.parametrize("name", ["max_age", "cooldown", "timeout"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
async def test_numbers_without_a_meaning_are_refused(name, value):
    with pytest.raises(ImproperlyConfigured, match=f"JWKS: {name}={value}; expected seconds"):
        JWKS("https://issuer.example/keys", **{name: value})


async def test_an_error_of_our_own_leaves_the_keys_and_is_logged(bearer, issuer, clock, caplog):
    assert await status(bearer, signed()) == "ada"
    issuer.headers = {"content-encoding": "br"}
    issuer.body = b"\x00"
    clock.now += 300
    caplog.set_level(logging.WARNING)

    assert await status(bearer, signed()) == "ada"
    await settle(bearer)

    assert "the old ones are kept" in caplog.text
