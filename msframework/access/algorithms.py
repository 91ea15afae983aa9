"""Signature algorithms (RFC 7518, 3; RFC 8037, 3), and the key strength that each needs.

Runs at start-up, and where the keys of a URL are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

AsymmetricKey: TypeAlias = "PrivateKeyTypes | PublicKeyTypes"

SMALLEST_RSA: Final = 2048
# PERF: verifying with a key of 8,192 bits takes half a millisecond, in which nothing else runs, and
# longer by far with a long exponent (benchmarks/access.py).
LARGEST_RSA: Final = 8192
LARGEST_EXPONENT: Final = 64


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """A signature algorithm.

    Attributes:
        kind: the kind of its keys, as `kty` names it (RFC 7518, 6.1).
        size: the bytes of its hash, of which a secret has at least as many; 0 for other keys.
        curves: the curves that its keys may be on.
    """

    kind: str
    size: int = 0
    curves: tuple[str, ...] = ()


ALGORITHMS: Final[Mapping[str, SignatureAlgorithm]] = {
    "HS256": SignatureAlgorithm("oct", 32),
    "HS384": SignatureAlgorithm("oct", 48),
    "HS512": SignatureAlgorithm("oct", 64),
    "RS256": SignatureAlgorithm("RSA"),
    "RS384": SignatureAlgorithm("RSA"),
    "RS512": SignatureAlgorithm("RSA"),
    "PS256": SignatureAlgorithm("RSA"),
    "PS384": SignatureAlgorithm("RSA"),
    "PS512": SignatureAlgorithm("RSA"),
    "ES256": SignatureAlgorithm("EC", curves=("P-256",)),
    "ES384": SignatureAlgorithm("EC", curves=("P-384",)),
    "ES512": SignatureAlgorithm("EC", curves=("P-521",)),
    "EdDSA": SignatureAlgorithm("OKP", curves=("Ed25519", "Ed448")),
}
# The curves that have another name in a JWK than with cryptography.
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


class KeyFault(Exception):
    """A key that cannot be read or must not be used; it never holds the key.

    Attributes:
        found: what is wrong.
        expected: what would be right.
        advice: what to do, as a sentence.
    """

    def __init__(self, found: str, expected: str, advice: str = "") -> None:
        self.found, self.expected, self.advice = found, expected, advice
        super().__init__(found)


def default_algorithm(kind: str, curve: str) -> str | None:
    """Return the algorithm of a key that names none: by its curve, and RS256 for RSA."""
    if kind == "RSA":
        return "RS256"
    return next((name for name, each in ALGORITHMS.items() if curve in each.curves), None)


def describe_key(key: AsymmetricKey) -> tuple[str, str]:
    """Return kind and curve of *key*; the kind is empty for one that cannot sign tokens."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return "RSA", ""
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return "EC", _CURVES.get(key.curve.name, key.curve.name)
    if isinstance(key, ed25519.Ed25519PublicKey | ed25519.Ed25519PrivateKey):
        return "OKP", "Ed25519"
    if isinstance(key, ed448.Ed448PublicKey | ed448.Ed448PrivateKey):
        return "OKP", "Ed448"
    return "", ""


def check_strength(key: AsymmetricKey, name: str) -> None:
    """Refuse *key* unless it fits the algorithm *name*.

    Raises:
        KeyFault: it is of another kind, on another curve, or too weak.
    """
    algorithm = ALGORITHMS[name]
    kind, curve = describe_key(key)
    if kind != algorithm.kind:
        found = f"the key is of another kind ({kind or type(key).__name__})"
        raise KeyFault(found, f"one of kind {algorithm.kind} for {name}")
    if algorithm.curves and curve not in algorithm.curves:
        raise KeyFault(
            f"the key is on the curve {curve}", f"{' or '.join(algorithm.curves)} for {name}"
        )
    if kind == "RSA":
        _check_rsa(key)


def check_secret(secret: bytes, name: str) -> None:
    """Refuse *secret* where it is too short for the algorithm *name* (RFC 7518, 3.2).

    Raises:
        KeyFault: it is.
    """
    least = ALGORITHMS[name].size
    if len(secret) < least:
        raise KeyFault(
            f"the secret has {len(secret)} bytes",
            f"{least} or more for {name} (RFC 7518, 3.2)",
            f'Make one: python -c "import secrets; print(secrets.token_urlsafe({least}))".',
        )


def _check_rsa(key: AsymmetricKey) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    assert isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey)
    if not SMALLEST_RSA <= key.key_size <= LARGEST_RSA:
        raise KeyFault(
            f"the RSA key has {key.key_size} bits",
            f"{SMALLEST_RSA} to {LARGEST_RSA} (RFC 7518, 3.3)",
            f"Make one: openssl genrsa {SMALLEST_RSA}.",
        )
    numbers = (key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key).public_numbers()
    fault = None
    if numbers.n % 2 == 0:
        fault = "has an even modulus"
    elif numbers.e.bit_length() > LARGEST_EXPONENT:
        fault = f"has an exponent of {numbers.e.bit_length()} bits"
    elif _has_known_factors(numbers.n):
        fault = "can be factored (CVE-2017-15361)"
    if fault is not None:
        advice = f"Make one: openssl genrsa {SMALLEST_RSA}."
        raise KeyFault(f"the RSA key {fault}", "one that other software made", advice)


def _has_known_factors(modulus: int) -> bool:
    """Tell whether *modulus* has the form that a faulty library gave its keys.

    Modulo every small prime it is a power of 65537, which one in 2**27 of other numbers is.
    """
    return all(modulus % prime in powers for prime, powers in _powers().items())


@cache
def _powers() -> Mapping[int, frozenset[int]]:
    """Return the powers of 65537 modulo each of the odd primes up to 167."""
    primes = [n for n in range(3, 168, 2) if all(n % divisor for divisor in range(3, n, 2))]
    return {prime: frozenset(pow(65537, n, prime) for n in range(prime)) for prime in primes}
