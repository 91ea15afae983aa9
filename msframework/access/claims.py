"""The claims of a token whose signature was verified (RFC 7519, 4). Runs per request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import orjson

from msframework.access.jws import TokenRefused, read_object, show

_ABSENT: Final = object()
Moment: TypeAlias = int | float


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims of a token, and when it is valid.

    Attributes:
        subject: the id of the caller.
        scopes: its scopes.
        claims: all claims, read-only: objects are mappings and arrays are tuples.
        earliest: the first moment at which it is valid, in seconds since 1970.
        latest: the moment from which it is not.
    """

    subject: str
    scopes: frozenset[str]
    claims: Mapping[str, Any]
    earliest: Moment
    latest: Moment

    def check_time(self, now: float) -> None:
        """Refuse the token unless it is valid at *now*.

        Raises:
            TokenRefused: it is not valid yet, or has expired.
        """
        if now < self.earliest:
            raise TokenRefused("it holds later: nbf or iat is in the future")
        if now >= self.latest:
            raise TokenRefused("it has expired", has_expired=True)


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """The rules for the claims of a token.

    Attributes:
        audiences: the values of which `aud` must have one; with `None` it may be absent, too.
        issuers: the values of which `iss` must be one; likewise.
        leeway: the seconds by which clocks may differ.
        requires_exp: whether `exp` must be there.
        subject: the name of the claim with the id of the caller.
        scopes: the name of the claim with the scopes, a text with spaces (RFC 8693, 4.2) or a list.
    """

    audiences: frozenset[str] | None
    issuers: frozenset[str] | None
    leeway: float
    requires_exp: bool
    subject: str
    scopes: str

    def read(self, payload: bytes) -> TokenClaims:
        """Return the claims of *payload*, without checking the time.

        Raises:
            TokenRefused: they are malformed, or not for this service.
        """
        claims = read_object(payload, "payload")
        try:
            orjson.dumps(claims)
        except TypeError as exc:  # orjson's word for a lone surrogate
            raise TokenRefused("text that is no Unicode") from exc
        if type(claims.get("jti", "")) is not str:
            raise TokenRefused("jti is no text")
        self._check_issuer(claims.get("iss", _ABSENT))
        self._check_audience(claims.get("aud", _ABSENT))
        ends = _read_moment(claims, "exp", math.inf)
        if ends == math.inf and self.requires_exp:  # JSON has no infinity
            raise TokenRefused("there is no exp")
        begins = max(_read_moment(claims, name, -math.inf) for name in ("nbf", "iat"))
        return TokenClaims(
            subject=self._read_subject(claims),
            scopes=self._read_scopes(claims),
            claims=_freeze(claims),
            earliest=begins - self.leeway,
            latest=ends + self.leeway,
        )

    def _check_issuer(self, issuer: object) -> None:
        if issuer is _ABSENT and self.issuers is None:
            return
        if type(issuer) is not str:
            raise TokenRefused("iss is absent, or no text")
        if self.issuers is not None and issuer not in self.issuers:
            raise TokenRefused(f"iss is {show(issuer)}, expected {show(*sorted(self.issuers))}")

    def _check_audience(self, audience: object) -> None:
        if audience is _ABSENT and self.audiences is None:
            return
        found = audience if type(audience) is list else [audience]
        if not all(type(each) is str for each in found):
            raise TokenRefused("aud is absent, or neither text nor a list of texts")
        if self.audiences is not None and self.audiences.isdisjoint(found):
            raise TokenRefused(f"aud is {show(*found)}, expected {show(*sorted(self.audiences))}")

    def _read_subject(self, claims: Mapping[str, Any]) -> str:
        subject = claims.get(self.subject)
        # NOTE: it goes into logs, and into PostgreSQL, which takes no NUL.
        if type(subject) is not str or not subject or not subject.isprintable():
            raise TokenRefused(f"{self.subject} is absent, or no printable text")
        return subject

    def _read_scopes(self, claims: Mapping[str, Any]) -> frozenset[str]:
        scopes = claims.get(self.scopes, ())
        if type(scopes) is str:
            scopes = scopes.split(" ")
        elif type(scopes) is not list and scopes != ():
            raise TokenRefused(f"{self.scopes} is neither text nor a list")
        if not all(type(scope) is str for scope in scopes):
            raise TokenRefused(f"{self.scopes} has something that is no text")
        return frozenset(filter(None, scopes))


def _read_moment(claims: Mapping[str, Any], name: str, absent: float) -> Moment:
    """Return the claim *name*, seconds since 1970 (RFC 7519, 2)."""
    value = claims.get(name, absent)
    # NOTE: `True` is an int of Python; the reader of JSON lets no infinity and no NaN through.
    if type(value) is not int and type(value) is not float:
        raise TokenRefused(f"{name} is no number")
    return value


def _freeze(value: Any) -> Any:
    """Return *value* as a read-only copy, which is shared by further requests."""
    if type(value) is dict:
        return MappingProxyType({name: _freeze(inner) for name, inner in value.items()})
    if type(value) is list:
        return tuple(map(_freeze, value))
    return value
