"""`JWTIssuer`: tokens that its own authenticator takes, and nobody else's does."""

import json
from base64 import urlsafe_b64decode
from datetime import timedelta
from uuid import UUID

import jwt
import pytest

from msframework.access import JWTBearer, JWTIssuer, JWTKey
from msframework.access.bearer import EXPIRED, INVALID
from msframework.exceptions import ImproperlyConfigured, Unauthorized
from tests.access.tokens import NOW, SECRET, SetClock, bearing

PRIVATE = JWTKey.generate("ES256")


def make_issuer(key=SECRET, algorithm="HS256", **options):
    defaults = {"issuer": "https://accounts", "audience": "notes", "clock": SetClock()}
    return JWTIssuer(key, algorithm, **defaults | options)


def parts_of(token):
    """Return header and payload of *token*."""
    return [json.loads(urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]


async def test_its_own_authenticator_takes_its_tokens():
    issuer = make_issuer()

    principal = await issuer.bearer().authenticate(bearing(issuer.issue("ada", ("read", "write"))))

    assert (principal.id, principal.scopes) == ("ada", {"read", "write"})


async def test_what_a_token_says():
    issuer = make_issuer(PRIVATE, lifetime=timedelta(minutes=5), audience=("notes", "tags"))

    header, payload = parts_of(issuer.issue(7, tenant="t1", roles=["a"]))

    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": PRIVATE.thumbprint()}
    assert len(payload.pop("jti")) == 22
    assert payload == {
        "iss": "https://accounts",
        "aud": ["notes", "tags"],
        "sub": "7",
        "iat": NOW,
        "exp": NOW + 300,
        "tenant": "t1",
        "roles": ["a"],
    }


def test_no_two_tokens_are_the_same():
    issuer = make_issuer()

    assert issuer.issue("ada") != issuer.issue("ada")


@pytest.mark.parametrize("algorithm", ["HS512", "RS256", "PS256", "ES384", "EdDSA"])
def test_another_library_takes_its_tokens(algorithm):
    key = JWTKey.generate(algorithm)
    issuer = make_issuer(key, None)

    claims = jwt.decode(
        issuer.issue("ada", ["read"]),
        key._verifying,
        algorithms=[algorithm],
        audience="notes",
        issuer="https://accounts",
        options={"verify_exp": False, "verify_iat": False},
    )

    assert (claims["sub"], claims["scope"]) == ("ada", "read")


async def test_a_token_expires():
    clock = SetClock()
    issuer = make_issuer(clock=clock, lifetime=60)
    bearer = issuer.bearer(leeway=0)
    long, short = issuer.issue("ada", lifetime=timedelta(hours=1)), issuer.issue("ada")

    clock.now += 60

    assert await bearer.authenticate(bearing(long))
    for expired in (short, issuer.issue("ada", lifetime=-1)):
        with pytest.raises(Unauthorized, match=EXPIRED):
            await bearer.authenticate(bearing(expired))


async def test_tokens_for_another_purpose_are_refused():
    token = make_issuer(typ="reset+jwt").issue("ada")

    with pytest.raises(Unauthorized, match=INVALID):
        await make_issuer().bearer().authenticate(bearing(token))


async def test_the_tokens_of_a_retired_key_are_taken():
    old, new = JWTKey.generate("EdDSA"), JWTKey.generate("EdDSA", kid="2027")
    before = make_issuer(old, None)
    after = make_issuer(new, None, retired=[old])
    others = JWTBearer(
        keys=[JWTKey(jwk) for jwk in after.jwks()["keys"]],
        audience="notes",
        issuer="https://accounts",
        clock=SetClock(),
    )

    for issuer in (before, after):
        for bearer in (after.bearer(), others):
            assert await bearer.authenticate(bearing(issuer.issue("ada")))


async def test_a_retired_secret_needs_no_name():
    before = make_issuer()
    after = make_issuer(bytes(32), kid="2027", retired=[JWTKey(SECRET, "HS256")])

    for issuer in (before, after):
        token = issuer.issue("ada")
        assert (await after.bearer().authenticate(bearing(token))).id == "ada"


def test_its_key_set_holds_no_secret():
    assert make_issuer().jwks() == {"keys": []}
    (jwk,) = make_issuer(PRIVATE, None).jwks()["keys"]
    assert sorted(jwk) == ["alg", "crv", "kid", "kty", "use", "x", "y"]
    assert repr(make_issuer()) == "JWTIssuer('https://accounts', key=JWTKey('HS256', kid=None))"
    assert SECRET.decode() not in repr(vars(make_issuer()))


@pytest.mark.parametrize(
    ("subject", "text"),
    [("ada", "ada"), (7, "7"), (UUID(int=7), "00000000-0000-0000-0000-000000000007")],
)
async def test_a_subject_may_be_a_number_or_a_uuid(subject, text):
    issuer = make_issuer()

    principal = await issuer.bearer().authenticate(bearing(issuer.issue(subject)))

    assert principal.id == text


@pytest.mark.parametrize(
    ("arguments", "claims", "error"),
    [
        ((None,), {}, TypeError),
        ((True,), {}, TypeError),
        (("",), {}, ValueError),
        (("a\n",), {}, ValueError),
        (("ada", "read"), {}, TypeError),
        (("ada", ["a b"]), {}, ValueError),
        (("ada", [""]), {}, ValueError),
        (("ada",), {"exp": 1}, ValueError),
        (("ada",), {"scope": "root"}, ValueError),
        (("ada",), {"own": object()}, TypeError),
    ],
)
def test_what_makes_no_token_is_refused(arguments, claims, error):
    with pytest.raises(error):
        make_issuer().issue(*arguments, **claims)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"key": JWTKey(PRIVATE.public_jwk()), "algorithm": None},
            "public key; expected a private",
        ),
        ({"key": b"short"}, "5 bytes; expected 32 or more"),
        ({"lifetime": 0}, "lifetime=0; expected a time above 0"),
        ({"lifetime": timedelta(0)}, "expected a time above 0"),
        ({"issuer": ""}, "issuer='' ?; expected"),
        ({"audience": ()}, "audience=.*; expected"),
    ],
)
def test_what_makes_no_issuer_is_refused(options, problem):
    with pytest.raises(ImproperlyConfigured, match=problem):
        make_issuer(**options)
