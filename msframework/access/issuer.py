"""`JWTIssuer`: issues tokens for log-ins, for other services and for tests.

Made at start-up; `issue` runs per request.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import timedelta
from time import time
from typing import Any, Final
from uuid import UUID

from msframework.access.bearer import JWTBearer
from msframework.access.jws import encode_segment
from msframework.access.keys import JWTKey, KeyMaterial
from msframework.exceptions import ImproperlyConfigured
from msframework.problem import Problem
from msframework.strict_json import dumps

# RFC 7519, 4.1, and the scopes: what `issue` writes itself.
_OWN: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope"})


class JWTIssuer:
    """Issues tokens that its `bearer()` accepts.

    Args:
        key: a private key, a secret, or a `JWTKey`.
        algorithm: the algorithm of `key`; see `JWTKey`.
        kid: the name of the key; by default the thumbprint of a private one (RFC 7638).
        issuer: the `iss` of its tokens, by convention its URL.
        audience: the `aud` of its tokens, one or several.
        lifetime: how long a token is valid, as a timedelta or in seconds.
        typ: the `typ` of its tokens; `at+jwt`, an access token (RFC 9068, 2.1), by default.
        retired: keys that no longer sign, but whose tokens are still accepted.
        clock: returns the seconds since 1970.

    Raises:
        ImproperlyConfigured: the key is weak, unreadable or public, or something is missing.
    """

    def __init__(
        self,
        key: KeyMaterial | JWTKey,
        algorithm: str | None = None,
        *,
        kid: str | None = None,
        issuer: str,
        audience: str | Iterable[str],
        lifetime: float | timedelta = timedelta(minutes=15),
        typ: str = "at+jwt",
        retired: Iterable[JWTKey] = (),
        clock: Callable[[], float] = time,
    ) -> None:
        own = key if isinstance(key, JWTKey) else JWTKey(key, algorithm, kid=kid)
        self._key = _name(own, kid)
        if not own.can_sign:
            found = f"{own!r} is a public key"
            raise ImproperlyConfigured(Problem("JWTIssuer", found, "a private key or a secret"))
        self._retired = tuple(_name(each) for each in retired)
        self._issuer, self._typ, self._clock = issuer, typ, clock
        self._audience = [audience] if isinstance(audience, str) else list(audience)
        self._lifetime = _seconds(lifetime)
        if self._lifetime <= 0:
            found = f"lifetime={lifetime!r}"
            raise ImproperlyConfigured(Problem("JWTIssuer", found, "a time above 0"))
        self.bearer()  # refuses what is left
        head = {"alg": own.algorithm, "typ": typ}
        if self._key.kid is not None:
            head["kid"] = self._key.kid
        self._head = encode_segment(dumps(head))

    def issue(
        self,
        subject: str | int | UUID,
        scopes: Iterable[str] = (),
        *,
        lifetime: float | timedelta | None = None,
        **claims: object,
    ) -> str:
        """Return a new token for *subject*.

        Args:
            subject: its `sub`, which is the id of the `Principal`; a number becomes a text.
            scopes: its scopes.
            lifetime: how long it is valid; as the issuer says when `None`.
            claims: its other claims.

        Raises:
            TypeError: a claim cannot be written as JSON, or *scopes* is one text.
            ValueError: a claim is one that the issuer sets, or a scope has a space in it.
        """
        if not _OWN.isdisjoint(claims):
            raise ValueError(f"the issuer writes {', '.join(sorted(_OWN & claims.keys()))} itself")
        now = int(self._clock())
        payload: dict[str, object] = {
            "iss": self._issuer,
            "sub": _read_subject(subject),
            "aud": self._audience[0] if len(self._audience) == 1 else self._audience,
            "iat": now,
            "exp": now + int(self._lifetime if lifetime is None else _seconds(lifetime)),
            "jti": secrets.token_urlsafe(16),
        }
        if scopes:
            payload["scope"] = _join_scopes(scopes)
        signed = f"{self._head}.{encode_segment(dumps(payload | claims))}"
        return f"{signed}.{encode_segment(self._key.sign(signed.encode()))}"

    def bearer(self, **options: Any) -> JWTBearer:
        """Return the authenticator of these tokens; *options* are those of `JWTBearer`."""
        defaults: dict[str, Any] = {
            "audience": self._audience,
            "issuer": self._issuer,
            "typ": self._typ,
            "clock": self._clock,
        }
        return JWTBearer(keys=(self._key, *self._retired), **defaults | options)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the JWK Set (RFC 7517, 5) of the public keys; it has no secrets."""
        found = (key.public_jwk() for key in (self._key, *self._retired))
        return {"keys": [jwk for jwk in found if jwk is not None]}

    def __repr__(self) -> str:
        return f"JWTIssuer({self._issuer!r}, key={self._key!r})"


def _name(key: JWTKey, kid: str | None = None) -> JWTKey:
    """Return *key* with the `kid` that its tokens carry."""
    kid = kid or key.kid or key.thumbprint()
    return key if kid is None else key.named(kid)


def _seconds(lifetime: float | timedelta) -> float:
    return lifetime.total_seconds() if isinstance(lifetime, timedelta) else lifetime


def _read_subject(subject: str | int | UUID) -> str:
    """Return *subject* as a text."""
    if isinstance(subject, bool) or not isinstance(subject, str | int | UUID):
        raise TypeError(f"the subject is a {type(subject).__name__}; expected a text or a number")
    text = str(subject)
    if not text or not text.isprintable():
        raise ValueError("the subject is empty, or not printable")
    return text


def _join_scopes(scopes: Iterable[str]) -> str:
    """Return *scopes* as one text (RFC 6749, 3.3)."""
    if isinstance(scopes, str):
        raise TypeError(f"scopes={scopes!r} is one text; expected several, as ({scopes!r},)")
    found = list(scopes)
    if not all(scope and " " not in scope for scope in found):
        raise ValueError(f"scopes={found!r}: a scope is empty, or has a space in it")
    return " ".join(found)
