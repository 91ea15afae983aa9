"""Wycheproof's vectors: signatures are taken and refused as they say, and never answered by a 5xx.

The files are Project Wycheproof's json_web_signature_test.json and json_web_crypto_test.json
(Apache 2.0); the tests skip where they are not beside the repository.
"""

import json
import time

import pytest

from msframework.access import JWTBearer, JWTKey
from msframework.access.jwk_set import read_keys
from msframework.access.jws import TokenRefused, read_token
from msframework.access.keys import KeyRing
from msframework.exceptions import ImproperlyConfigured, Unauthorized
from tests.access.tokens import bearing
from tests.test_architecture import ROOT

FOLDER = ROOT.parent / "shared" / "data"
FILES = {"json_web_signature_test.json": 401, "json_web_crypto_test.json": 83}
# Where the vectors are not what a verifier may do, by file and number.
WRONG_VECTORS = {
    # The token of number 357, once more and as it is, under the name of one with padding.
    ("json_web_signature_test.json", 367): "valid",
    ("json_web_signature_test.json", 370): "valid",
    # A question mark in the header and in the payload, which base64url does not have.
    ("json_web_signature_test.json", 372): "invalid",
    ("json_web_signature_test.json", 373): "invalid",
    # The alg of the key is PS256, that of the token PS384 (RFC 7517, 4.4).
    ("json_web_signature_test.json", 346): "invalid",
    ("json_web_signature_test.json", 350): "invalid",
    # The alg of the key is ES521, which is none (RFC 7518, 3.1).
    ("json_web_signature_test.json", 347): "invalid",
    ("json_web_signature_test.json", 351): "invalid",
}


def read_groups(file):
    """Return the groups of vectors in *file*; the test is skipped where that is not there."""
    path = FOLDER / file
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return json.loads(path.read_bytes())["testGroups"]


def read_ring(group):
    """Return the keys of *group*: a public one as an address gives it, secrets as settings do."""
    given = group.get("public") or group["private"]
    jwks = given.get("keys", [given])
    if any(jwk["kty"] != "oct" for jwk in jwks):
        return KeyRing(read_keys(json.dumps({"keys": jwks}).encode(), {}).values())
    try:
        return KeyRing(JWTKey(jwk) for jwk in jwks)
    except ImproperlyConfigured:
        return KeyRing(())


def text_of(vector):
    """Return the token of *vector*; some are JSON, which one vector has as an object."""
    token = vector["jwe"] if "jwe" in vector else vector["jws"]
    return token if isinstance(token, str) else json.dumps(token)


def verify(ring, token):
    """Return the result of a vector."""
    try:
        signed = read_token(token)
    except TokenRefused:
        return "invalid"
    key = ring.find(signed)
    return "valid" if key is not None and key.verifies(signed) else "invalid"


@pytest.mark.parametrize("file", sorted(FILES))
def test_signatures_are_taken_and_refused_as_the_vectors_say(file):
    found, expected = {}, {}
    for group in read_groups(file):
        ring = read_ring(group)
        for vector in group["tests"]:
            number, token = vector["tcId"], text_of(vector)
            found[number] = verify(ring, token), vector["comment"]
            result = WRONG_VECTORS.get((file, number), vector["result"])
            # An encrypted token is none of a bearer, right or wrong.
            if "jwe" in vector:
                result = "invalid"
            expected[number] = result, vector["comment"]

    assert len(found) == FILES[file]
    assert found == expected


def test_the_exceptions_are_what_they_are_said_to_be():
    results = {}
    for group in read_groups("json_web_signature_test.json"):
        for vector in group["tests"]:
            results.setdefault(vector["jws"], {})[vector["tcId"]] = vector["result"]

    assert [numbers for numbers in results.values() if len(set(numbers.values())) > 1] == [
        {18: "valid", 354: "invalid", 356: "invalid"},  # with a key for encryption
        {33: "valid", 353: "invalid", 355: "invalid"},
        {357: "valid", 367: "invalid", 370: "invalid"},
    ]


@pytest.mark.parametrize("file", sorted(FILES))
async def test_no_vector_makes_a_caller_or_costs_much(file):
    slowest = 0.0
    for group in read_groups(file):
        keys = read_ring(group).keys or (JWTKey(bytes(32), "HS256"),)
        bearer = JWTBearer(keys=keys, audience=None, issuer=None, require_exp=False)
        for vector in group["tests"]:
            token = text_of(vector)
            before = time.process_time()
            with pytest.raises(Unauthorized):
                await bearer.authenticate(bearing(token))
            slowest = max(slowest, time.process_time() - before)

    assert slowest < 0.5
