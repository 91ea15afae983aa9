"""Keys: in every form, each for one algorithm, and none that is too weak for it."""

import json
import math
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519

from msframework.access import JWTKey
from msframework.access.algorithms import ALGORITHMS
from msframework.access.jws import SignedToken
from msframework.access.keys import KeyRing
from msframework.exceptions import ImproperlyConfigured
from tests.access.tokens import SECRET, encode

# A modulus of the form of CVE-2017-15361: a power of 65537 modulo the product of small primes.
PRODUCT = math.prod(n for n in range(3, 168, 2) if all(n % divisor for divisor in range(3, n, 2)))
_EITHER = pow(65537, 12345, PRODUCT) + PRODUCT * ((1 << 2047) // PRODUCT + 1)
WEAK_MODULUS = _EITHER if _EITHER % 2 else _EITHER + PRODUCT


@cache
def private(algorithm):
    """Return a private key of the library cryptography."""
    return JWTKey.generate(algorithm)._signing


def pem(key, password=None):
    """Return *key* as a PEM text."""
    if not hasattr(key, "private_bytes"):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return key.public_bytes(serialization.Encoding.PEM, form).decode()
    lock = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, lock).decode()


def signed_by(key, **changes):
    """Return a token that *key* signed."""
    facts = {"algorithm": key.algorithm, "kid": None, "type": None, "payload": b""} | changes
    return SignedToken(**facts, signed=b"a.b", signature=key.sign(b"a.b"))


def test_every_algorithm_verifies_what_it_signed():
    for name in ALGORITHMS:
        secret = private("RS256") if ALGORITHMS[name].kind == "RSA" else private(name)
        key = JWTKey(secret, name)
        token = signed_by(key)

        assert key.verifies(token)
        assert key.can_sign
        assert not key.verifies(signed_by(key, algorithm="none"))
        for signature in (b"", token.signature[:-1], token.signature + b"\0", b"\0" * 64):
            changed = SignedToken(name, None, None, b"a.b", b"", signature)
            assert not key.verifies(changed)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_key_may_be_given_in_every_form(algorithm, tmp_path):
    secret = private(algorithm)
    token = signed_by(JWTKey(secret, algorithm))
    file = tmp_path / "key.pem"
    file.write_text(pem(secret.public_key()))
    jwk = JWTKey(secret, algorithm).public_jwk()
    forms = [
        pem(secret),
        pem(secret.public_key()),
        pem(secret.public_key()).encode(),
        file,
        jwk,
        {**jwk, "key_ops": ["verify"], "x5c": 1},
        secret.public_key(),
    ]

    for form in forms:
        assert JWTKey(form).algorithm == algorithm
        assert JWTKey(form, algorithm).verifies(token)
    with pytest.raises(TypeError, match="is a public key, which cannot sign"):
        JWTKey(jwk).sign(b"")


def test_a_private_jwk_signs():
    numbers = private("ES256").private_numbers()
    secret = encode(numbers.private_value.to_bytes(32, "big"))
    jwk = JWTKey(private("ES256")).public_jwk() | {"d": secret, "key_ops": ["sign"], "kid": "a"}

    key = JWTKey(jwk)

    assert key.verifies(signed_by(key))
    assert key.kid == "a"
    assert secret not in repr(key)
    assert "d" not in key.public_jwk()


def test_a_secret_may_be_text_bytes_a_file_or_a_jwk(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    token = signed_by(JWTKey(SECRET, "HS256"))

    forms = (SECRET, SECRET.decode(), file, {"kty": "oct", "k": encode(SECRET), "alg": "HS256"})
    for form in forms:
        key = JWTKey(form, "HS256")
        assert key.verifies(token)
        assert key.public_jwk() is key.thumbprint() is None
        assert repr(key) == "JWTKey('HS256', kid=None)"


def test_the_thumbprint_is_that_of_the_standard():
    """The example of RFC 7638, 3.1."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJEC"
        "PebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Qvz"
        "qY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZ"
        "u0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}

    assert JWTKey(jwk).thumbprint() == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def jwk_of(algorithm, **changes):
    """Return a public JWK with *changes*."""
    return JWTKey(private(algorithm), algorithm).public_jwk() | changes


WRONG = {
    "a short secret": (lambda: (SECRET[:31], "HS256"), "31 bytes; expected 32 or more for HS256"),
    "too short for the hash": (lambda: (SECRET, "HS512"), "32 bytes; expected 64 or more"),
    "no secret": (lambda: (None, "HS256"), "the key is None.*its variable is not set"),
    "an empty secret": (lambda: ("", "HS256"), "the key is empty.*its variable is not set"),
    "a secret without an algorithm": (lambda: (SECRET,), "no PEM.*algorithm='HS256'"),
    "an unknown algorithm": (lambda: (SECRET, "none"), "algorithm='none' is unknown"),
    "a public PEM as a secret": (
        lambda: (pem(private("RS256").public_key()), "HS256"),
        "anybody could sign",
    ),
    "a JWK's text as a secret": (lambda: (json.dumps(jwk_of("ES256")), "HS256"), "given as a dict"),
    "an SSH key as a secret": (lambda: ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ", "HS256"), "SSH"),
    "an RSA key for ES256": (lambda: (pem(private("RS256")), "ES256"), r"another kind \(RSA\)"),
    "an EC key for RS256": (lambda: (pem(private("ES256")), "RS256"), r"another kind \(EC\)"),
    "the curve of another": (lambda: (private("ES384"), "ES256"), "curve P-384; expected P-256"),
    "a curve of no algorithm": (
        lambda: (ec.generate_private_key(ec.SECP256K1()), "ES256"),
        "curve secp256k1",
    ),
    "a key that cannot sign": (lambda: (x25519.X25519PrivateKey.generate(),), "X25519PrivateKey"),
    "a small RSA key": (
        lambda: (rsa.generate_private_key(65537, 1024), "PS256"),
        "1024 bits; expected 2048",
    ),
    "an RSA key that can be factored": (
        lambda: (rsa.RSAPublicNumbers(65537, WEAK_MODULUS).public_key(),),
        "CVE-2017-15361",
    ),
    "an encrypted PEM": (
        lambda: (pem(private("ES256"), b"x"), "ES256"),
        "encrypted with a password",
    ),
    "a broken PEM": (lambda: (pem(private("ES256"))[:80], "ES256"), "cannot be read"),
    "a certificate": (
        lambda: ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",),
        "is a certificate",
    ),
    "an empty kid": (lambda: (SECRET, "HS256", ""), "kid is no text"),
    "a kid that is a number": (lambda: (jwk_of("ES256", kid=1),), "kid is no text"),
    "a JWK without kty": (lambda: ({"n": "AQAB"},), "another kty"),
    "a JWK to encrypt with": (lambda: (jwk_of("RS256", use="enc"),), "use of the JWK"),
    "a JWK with other key_ops": (lambda: (jwk_of("RS256", key_ops=["encrypt"]),), "key_ops"),
    "a JWK with broken key_ops": (lambda: (jwk_of("RS256", key_ops="verify"),), "key_ops"),
    "a JWK for another algorithm": (lambda: (jwk_of("RS256"), "PS256"), "another alg.*'PS256'"),
    "a JWK with an unknown alg": (lambda: (jwk_of("ES256", alg="ES256K"),), "no known alg"),
    "a JWK with the alg of another kind": (lambda: (jwk_of("ES256", alg="HS256"),), "of kind EC"),
    "a JWK with a number": (lambda: (jwk_of("ES256", x=1),), "no sane 'x'"),
    "a JWK with padding": (lambda: (jwk_of("RS256", e="AQAB="),), "'e' of the JWK is no base64url"),
    "a JWK off the curve": (lambda: (jwk_of("ES256", x="A" * 43),), "cannot be read"),
    "a JWK on another curve": (lambda: (jwk_of("ES256", alg=None, crv="P-999"),), "no known alg"),
    "a JWK that is too long": (lambda: (jwk_of("RS256", n="A" * 4000),), "no sane 'n'"),
    "an even modulus": (lambda: (jwk_of("RS256", n="g" + "A" * 341),), "an even modulus"),
    "a long exponent": (lambda: (jwk_of("RS256", e="AQAAAAAAAAAB"),), "an exponent of 65 bits"),
    "no file": (lambda: (Path("/nowhere"),), "'/nowhere' cannot be"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_keys_that_are_wrong_or_weak_are_refused(name):
    make, problem = WRONG[name]
    material, *rest = make()
    algorithm, kid = (*rest, None, None)[:2]

    with pytest.raises(ImproperlyConfigured, match=f"(?s)^JWTKey.*{problem}") as refused:
        JWTKey(material, algorithm, kid=kid)

    if isinstance(material, str) and material:
        assert material not in str(refused.value)


def test_ed448_is_known_by_its_curve():
    key = JWTKey(ed448.Ed448PrivateKey.generate())

    assert key.algorithm == "EdDSA"
    assert JWTKey(key.public_jwk()).verifies(signed_by(key))


def test_an_unknown_algorithm_generates_nothing():
    with pytest.raises(ImproperlyConfigured, match="'none' is unknown; expected one of HS256"):
        JWTKey.generate("none")


def test_a_ring_finds_one_key_or_none():
    own = {name: JWTKey.generate("ES256", kid=name) for name in "ab"}
    other = JWTKey.generate("EdDSA")
    ring = KeyRing([*own.values(), other])

    assert ring.find(signed_by(own["a"], kid="a")) is own["a"]
    assert ring.find(signed_by(own["a"], kid="c")) is None
    assert ring.find(signed_by(own["a"])) is None  # two have this algorithm
    assert ring.find(signed_by(other)) is other
    assert ring.find(signed_by(other, kid="c")) is other
    assert ring.find(signed_by(other, kid="a")) is None
    nameless = JWTKey.generate("ES256")
    assert KeyRing([*own.values(), nameless]).find(signed_by(own["a"])) is nameless
