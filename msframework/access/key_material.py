"""Secrets, PEM texts and JWKs, read into keys; no message holds any of them.

Runs at start-up, and where the keys of an address are read.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msframework.access.algorithms import ALGORITHMS, AsymmetricKey, KeyFault, default_algorithm
from msframework.access.jws import TokenRefused, decode_segment

# The members of a public key, by its kind (RFC 7518, 6; RFC 8037, 2), and those of a private one.
_PUBLIC: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "oct": ("k",)}
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi")
# The longest member, in characters: the modulus of the largest key has 1,366.
_LONGEST: Final = 2048
_SSH: Final = re.compile(rb"\s*(?:ssh-|ecdsa-|sk-)").match


def read_file(path: Path) -> bytes:
    """Return the content of the file at *path*, without the end of its last line.

    Raises:
        KeyFault: it cannot be read.
    """
    try:
        return path.read_bytes().rstrip(b"\r\n")
    except OSError as exc:
        raise KeyFault(
            f"{str(path)!r} cannot be read ({exc.strerror})", "a file with the key"
        ) from exc


def refuse_public(secret: bytes) -> None:
    """Refuse a *secret* that is the text of an asymmetric key, as public keys are no secrets.

    Raises:
        KeyFault: it is one.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key
    from cryptography.x509 import load_der_x509_certificate

    is_key = b"-----BEGIN" in secret or b'"kty"' in secret or _SSH(secret) is not None
    if not is_key and secret[:1] == b"\x30":  # a SEQUENCE, as every key in DER
        for load in (load_der_public_key, load_der_x509_certificate):
            with contextlib.suppress(ValueError, UnsupportedAlgorithm):
                load(secret)
                is_key = True
    if is_key:
        raise KeyFault(
            "the secret is a PEM, DER, SSH or JSON form of a key, with which anybody could sign",
            "the algorithm of that key, or random bytes",
            "Name its algorithm: algorithm='RS256'. A JWK is given as a dict.",
        )


def load_pem(text: bytes) -> AsymmetricKey:
    """Return the key of the PEM *text*.

    Raises:
        KeyFault: it is no key, a certificate, or encrypted with a password.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_pem_public_key,
    )

    expected = "the PEM of a public or private key"
    if b"-----BEGIN" not in text:
        advice = "A secret needs its algorithm: algorithm='HS256'; a file is given as a Path."
        raise KeyFault("the key is no PEM", expected, advice)
    if b"-----BEGIN CERTIFICATE" in text:
        advice = "Take it out: openssl x509 -pubkey -noout -in FILE."
        raise KeyFault("the key is a certificate", expected, advice)
    try:
        if b"PRIVATE KEY-----" in text:
            return load_pem_private_key(text, password=None)
        return load_pem_public_key(text)
    except TypeError as exc:
        advice = "Decrypt it: openssl pkey -in FILE."
        raise KeyFault("the key is encrypted with a password", expected, advice) from exc
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise KeyFault("the PEM cannot be read", expected) from exc


def load_jwk(jwk: Mapping[str, Any], algorithm: str | None) -> tuple[AsymmetricKey | bytes, str]:
    """Return the key of *jwk* (RFC 7517, 4) and its algorithm.

    Args:
        algorithm: the algorithm that it must be for; with `None`, its `alg`, or that of its kind.

    Raises:
        KeyFault: it is malformed, or not meant to verify signatures.
    """
    kind, named = jwk.get("kty"), jwk.get("alg")
    if not isinstance(kind, str) or kind not in _PUBLIC:
        raise KeyFault("the JWK has another kty", f"one of {', '.join(_PUBLIC)}")
    if jwk.get("use", "sig") != "sig":
        raise KeyFault("the use of the JWK is another", "'sig' (RFC 7517, 4.2)")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or not ({"verify", "sign"} & set(map(str, operations))):
        raise KeyFault("the JWK has other key_ops", "'verify' or 'sign' (RFC 7517, 4.3)")
    members = _read_members(jwk, kind)
    if algorithm is not None and named is not None and named != algorithm:
        raise KeyFault("the JWK names another alg", repr(algorithm))
    chosen = algorithm or named or default_algorithm(kind, members.get("crv", ""))
    if not isinstance(chosen, str) or chosen not in ALGORITHMS:
        raise KeyFault("the JWK names no known alg", f"one of {', '.join(ALGORITHMS)}")
    if ALGORITHMS[chosen].kind != kind:
        raise KeyFault(f"the JWK is of kind {kind}", f"{ALGORITHMS[chosen].kind} for {chosen}")
    if kind == "oct":
        return decode_segment(members["k"]), chosen
    return _load_members(members, chosen), chosen


def _read_members(jwk: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Return the members of *jwk* that make up its key, after a check of their form."""
    names = [*_PUBLIC[kind], *(name for name in _PRIVATE if name in jwk and kind != "oct")]
    members = {"kty": kind}
    for name in names:
        value = jwk.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
            raise KeyFault(f"the JWK has no sane {name!r}", "a text (RFC 7518, 6)")
        if name != "crv":
            try:
                decode_segment(value)
            except TokenRefused as exc:
                raise KeyFault(f"{name!r} of the JWK is no base64url", "RFC 7515, 2") from exc
        members[name] = value
    return members


def _load_members(members: dict[str, str], algorithm: str) -> AsymmetricKey:
    import jwt
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key: AsymmetricKey = jwt.PyJWK(members, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, UnsupportedAlgorithm):
        # NOTE: PyJWT's messages may hold the whole JWK, and so may whatever shows a cause.
        raise KeyFault("the JWK cannot be read", "a key (RFC 7518, 6)") from None
    return key
