"""Keys that sign or verify tokens: each is for one algorithm, and strong enough for it.

Made at start-up, those of an address (`jwks.py`) also while a service runs; they verify and sign
per request.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from copy import copy
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeAlias

from msframework.access.algorithms import (
    ALGORITHMS,
    AsymmetricKey,
    KeyFault,
    check_secret,
    check_strength,
    default_algorithm,
    describe_key,
)
from msframework.access.jws import SignedToken, encode_segment
from msframework.access.key_material import load_jwk, load_pem, read_file, refuse_public
from msframework.exceptions import ImproperlyConfigured
from msframework.problem import Problem

KeyMaterial: TypeAlias = "str | bytes | Path | Mapping[str, Any] | AsymmetricKey"
# The members of which a thumbprint is made (RFC 7638, 3.2; RFC 8037, 2).
_MEMBERS: Final = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}
_MEMBERS_OKP: Final = ("crv", "kty", "x")


class JWTKey:
    """A key that verifies tokens, and signs them where it is private or a secret.

    Args:
        material: a PEM text, a secret, the path of a file with either, a JWK as a dict, or a key
            of the library cryptography.
        algorithm: its algorithm; by default that of the JWK, that of the curve, or RS256. Required
            for a secret.
        kid: its id, which tokens carry; by default that of the JWK.

    Attributes:
        algorithm: the algorithm that it is for, and no other.
        kid: its id; `None` for none.
        can_sign: whether it is private, or a secret.
        is_secret: whether it is a secret: who can verify tokens can then also make them.

    Raises:
        ImproperlyConfigured: it cannot be read, is for another algorithm, or is too weak.
    """

    __slots__ = ("_engine", "_signing", "_verifying", "algorithm", "can_sign", "is_secret", "kid")

    def __init__(
        self, material: KeyMaterial, algorithm: str | None = None, *, kid: str | None = None
    ) -> None:
        where = "JWTKey" if kid is None else f"JWTKey {kid!r}"
        library = import_jwt(where)
        name: object = kid
        if isinstance(material, Mapping) and kid is None:
            name = material.get("kid")
        try:
            if name is not None and (not isinstance(name, str) or not name):
                raise KeyFault("kid is no text", "the key's name")
            if algorithm is not None and algorithm not in ALGORITHMS:
                raise KeyFault(f"algorithm={algorithm!r} is unknown", ", ".join(ALGORITHMS))
            key, self.algorithm = _read(material, algorithm)
        except KeyFault as exc:
            problem = Problem(where, exc.found, exc.expected, exc.advice)
            raise ImproperlyConfigured(problem) from exc
        self.kid = name
        self._engine = library.get_algorithm_by_name(self.algorithm)
        self.is_secret = isinstance(key, bytes)
        public = None if self.is_secret else getattr(key, "public_key", None)
        self.can_sign = self.is_secret or public is not None
        self._signing = key if self.can_sign else None
        self._verifying = key if public is None else public()

    @classmethod
    def generate(cls, algorithm: str = "HS256", *, kid: str | None = None) -> JWTKey:
        """Return a new random key of the least size that *algorithm* allows."""
        return cls(_generate(algorithm), algorithm, kid=kid)

    def named(self, kid: str) -> JWTKey:
        """Return this key with another *kid*."""
        key = copy(self)
        key.kid = kid
        return key

    def verifies(self, token: SignedToken) -> bool:
        """Tell whether this key made the signature of *token*, with its own algorithm."""
        return token.algorithm == self.algorithm and bool(
            self._engine.verify(token.signed, self._verifying, token.signature)
        )

    def sign(self, signed: bytes) -> bytes:
        """Return the signature over *signed*.

        Raises:
            TypeError: the key is public.
        """
        if not self.can_sign:
            raise TypeError(f"{self!r} is a public key, which cannot sign")
        signature: bytes = self._engine.sign(signed, self._signing)
        return signature

    def public_jwk(self) -> dict[str, Any] | None:
        """Return the public key as a JWK (RFC 7517, 4); `None` for a secret."""
        members = self._members()
        if members is None:
            return None
        facts = {"alg": self.algorithm, "use": "sig"}
        return members | facts | ({} if self.kid is None else {"kid": self.kid})

    def thumbprint(self) -> str | None:
        """Return the SHA-256 of the public key (RFC 7638, 3); `None` for a secret."""
        members = self._members()
        if members is None:
            return None
        text = json.dumps(members, sort_keys=True, separators=(",", ":"))
        return encode_segment(sha256(text.encode()).digest())

    def _members(self) -> dict[str, Any] | None:
        if isinstance(self._verifying, bytes):
            return None
        jwk = self._engine.to_jwk(self._verifying, as_dict=True)
        return {name: jwk[name] for name in _MEMBERS.get(jwk["kty"], _MEMBERS_OKP)}

    def __repr__(self) -> str:
        return f"JWTKey({self.algorithm!r}, kid={self.kid!r})"


class KeyRing:
    """The keys of one authenticator, by `kid`, and by algorithm for a token without `kid`."""

    __slots__ = ("_all", "_by_kid", "_nameless", "keys")

    def __init__(self, keys: Iterable[JWTKey]) -> None:
        self.keys = tuple(keys)
        self._by_kid: dict[str, JWTKey] = {}
        for key in self.keys:
            if key.kid is not None:
                self._by_kid.setdefault(key.kid, key)
        self._all = _by_algorithm(self.keys)
        self._nameless = _by_algorithm(key for key in self.keys if key.kid is None)

    def find(self, token: SignedToken) -> JWTKey | None:
        """Return the one key for *token*; no other is tried.

        For a token without `kid`, or with an unknown one, that is the key without `kid`; for one
        without `kid` else the only key of its algorithm.
        """
        named = None if token.kid is None else self._by_kid.get(token.kid)
        if named is not None:
            return named if named.algorithm == token.algorithm else None
        nameless = self._nameless.get(token.algorithm)
        if nameless is None and token.kid is None:
            return self._all.get(token.algorithm)
        return nameless


def _by_algorithm(keys: Iterable[JWTKey]) -> dict[str, JWTKey | None]:
    """Return *keys* by their algorithm, with `None` where several have one."""
    found: dict[str, JWTKey | None] = {}
    for key in keys:
        found[key.algorithm] = None if key.algorithm in found else key
    return found


def import_jwt(where: str) -> Any:
    """Return PyJWT, which is imported when the first key is made.

    Raises:
        ImproperlyConfigured: it is not installed, or cryptography is not.
    """
    try:
        import cryptography  # noqa: F401 - PyJWT does without, for secrets alone
        import jwt
    except ImportError as exc:
        raise ImproperlyConfigured(
            f"{where} needs PyJWT and cryptography, which are not installed: "
            "`pip install 'msframework[access]'`."
        ) from exc
    return jwt


def _read(material: KeyMaterial, algorithm: str | None) -> tuple[AsymmetricKey | bytes, str]:
    """Return the key of *material* and its algorithm."""
    given: object = material  # of settings that nobody checks the types of
    if given is None or given in ("", b""):
        found = "the key is None" if given is None else "the key is empty"
        advice = "If it comes from the environment, its variable is not set, or empty."
        raise KeyFault(found, "a secret, a PEM text, a Path, a JWK or a JWTKey", advice)
    if isinstance(material, Path):
        material = read_file(material)
    if isinstance(material, str):
        material = material.encode()
    key: AsymmetricKey | bytes
    if isinstance(material, Mapping):
        key, algorithm = load_jwk(material, algorithm)
    elif isinstance(material, bytes) and algorithm is not None and algorithm[:2] == "HS":
        key = material
    else:
        key = load_pem(material) if isinstance(material, bytes) else material
        algorithm = algorithm or default_algorithm(*describe_key(key))
        if algorithm is None:
            raise KeyFault(f"the key is a {type(key).__name__}", "one that signs tokens")
    if isinstance(key, bytes):
        refuse_public(key)
        check_secret(key, algorithm)
    else:
        check_strength(key, algorithm)
    return key, algorithm


def _generate(algorithm: str) -> KeyMaterial:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm not in ALGORITHMS:
        raise ImproperlyConfigured(
            f"JWTKey.generate: {algorithm!r} is unknown; expected one of {', '.join(ALGORITHMS)}."
        )
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    if algorithm in curves:
        return ec.generate_private_key(curves[algorithm])
    if ALGORITHMS[algorithm].kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return secrets.token_bytes(ALGORITHMS[algorithm].size)
