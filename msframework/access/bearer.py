"""`JWTBearer`: authenticates callers by a signed token (RFC 7519, RFC 6750).

Made at start-up; `authenticate` runs per request.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from time import time
from typing import Any, Final, TypeAlias

from msframework.access.authenticator import Authenticator
from msframework.access.claims import ClaimRules, TokenClaims
from msframework.access.credentials import read_authorization
from msframework.access.jwks import JWKS
from msframework.access.jws import SignedToken, TokenRefused, read_token, show
from msframework.access.keys import JWTKey, KeyMaterial, KeyRing
from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured, Unauthorized
from msframework.principal import Principal
from msframework.problem import Problem
from msframework.serving.request import Request
from msframework.types import UNSET, Unset

Names: TypeAlias = str | Iterable[str]
# What a caller is told; which of the rules a token broke is nobody's business.
INVALID: Final = "the token is not valid"
EXPIRED: Final = "the token has expired"
logger = logging.getLogger("msframework.credentials")


class JWTBearer(Authenticator):
    """Authenticates callers by a JWT that one of these keys signed; its `sub` is the caller's id.

    The algorithm belongs to the key. Of several keys, the `kid` of the token selects one; a token
    without `kid` is verified with the key without one, or with the only key of its algorithm. One
    key is selected, and no other is tried.

    A header whose token was verified is known by its digest, until the token expires.

    Args:
        key: the one key: a PEM text, a secret, a path, a JWK as a dict, or a `JWTKey`.
        algorithm: the algorithm of `key`; see `JWTKey`.
        keys: several keys, by their `kid`, or `JWTKey`s that have one.
        jwks: the URL of a JWK Set (RFC 7517, 5), or a `JWKS`.
        audience: the `aud` of this service, or several; `None` accepts any.
        issuer: the `iss` of the issuer of the tokens, or several; `None` accepts any.
        leeway: the seconds by which clocks may differ.
        require_exp: whether a token without `exp` is refused.
        subject: the claim with the caller's id.
        scopes: the claim with the scopes, a text with spaces (RFC 8693, 4.2) or a list.
        typ: the `typ` that tokens must have: `"at+jwt"` (RFC 9068, 2.1) distinguishes access tokens
            from others of the same issuer; `None` for any.
        cache: how many verified tokens are cached.
        clock: returns the seconds since 1970.

    Raises:
        ImproperlyConfigured: a key is weak or unreadable, or an argument is missing or wrong.
    """

    scheme: Mapping[str, Any] = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    challenge = "Bearer"
    refusal = 'Bearer error="invalid_token"'
    header = "authorization"

    def __init__(
        self,
        key: KeyMaterial | JWTKey | None = None,
        algorithm: str | None = None,
        *,
        keys: Mapping[str, KeyMaterial | JWTKey] | Iterable[JWTKey] | None = None,
        jwks: str | JWKS | None = None,
        audience: Names | Unset | None = UNSET,
        issuer: Names | Unset | None = UNSET,
        leeway: float = 30,
        require_exp: bool = True,
        subject: str = "sub",
        scopes: str = "scope",
        typ: str | None = None,
        cache: int = 1024,
        clock: Callable[[], float] = time,
    ) -> None:
        _check_options(key, keys, jwks, leeway=leeway, cache=cache)
        self._jwks = JWKS(jwks) if isinstance(jwks, str) else jwks
        self._ring = KeyRing(_read_keys(key, algorithm, keys))
        self._rules = ClaimRules(
            audiences=_read_names("audience", audience),
            issuers=_read_names("issuer", issuer),
            leeway=leeway,
            requires_exp=require_exp,
            subject=subject,
            scopes=scopes,
        )
        self._typ = None if typ is None else typ.lower().removeprefix("application/")
        self._clock = clock
        self._size = cache
        self._generation = 0
        self._level = logging.DEBUG
        # PERF: a known token costs a tenth of a new one, or less (benchmarks/access.py).
        self._verified: dict[bytes, tuple[TokenClaims, Principal]] = {}

    def check(self, settings: Settings) -> Iterable[Problem]:
        """Return nothing; with `DEBUG` the log says of each token why it is refused."""
        if settings.debug:
            self._level = logging.INFO
        return ()

    async def authenticate(self, request: Request) -> Principal | None:
        """Return the caller whose token *request* has; `None` where it has no bearer token.

        Raises:
            Unauthorized: the token, or the header, is wrong.
            ServiceUnavailable: no keys could be fetched yet.
        """
        value = request.fields.get("authorization")
        if value is None:
            return None
        if self._jwks is not None:
            self._follow(self._jwks)
        now = self._clock()
        # PERF: the header as it is, before anything of it is read; BLAKE2 as it is Python's own,
        # while SHA-256 goes through OpenSSL (benchmarks/access.py).
        digest = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        known = self._verified.get(digest)
        if known is not None and not request.repeats:
            if known[0].earliest <= now < known[0].latest:
                return known[1]
            del self._verified[digest]
        found = read_authorization(request)
        if found is None or found[0] != "bearer":
            return None
        try:
            claims = await self._verify(found[1], now)
        except TokenRefused as exc:
            logger.log(self._level, "a token was refused: %s", exc)
            raise Unauthorized(EXPIRED if exc.has_expired else INVALID) from exc
        principal = self.make_principal(claims.subject, claims.scopes, claims.claims)
        self._keep(digest, claims, principal)
        return principal

    def make_principal(
        self, id: str, scopes: frozenset[str], claims: Mapping[str, Any]
    ) -> Principal:
        """Return the principal of a verified token; override it to return a derived class.

        The result is cached, and shared by further requests with the same token.
        """
        return Principal(id, scopes, claims, self.name)

    async def start(self) -> None:
        """Begin to fetch the keys, where `jwks` was given."""
        if self._jwks is not None:
            await self._jwks.start()

    async def stop(self) -> None:
        """Fetch no more keys."""
        if self._jwks is not None:
            await self._jwks.stop()

    async def _verify(self, token: str, now: float) -> TokenClaims:
        """Return the claims of *token*, which is valid at *now*.

        Raises:
            TokenRefused: it is not valid, or not for this service.
        """
        signed = read_token(token)
        if self._typ is not None and signed.type != self._typ:
            raise TokenRefused(f"typ is {show(signed.type)}, expected {show(self._typ)}")
        await self._check_signature(signed)
        claims = self._rules.read(signed.payload)
        claims.check_time(now)
        return claims

    async def _check_signature(self, signed: SignedToken) -> None:
        key = self._ring.find(signed) if self._jwks is None else await self._jwks.find(signed)
        if key is None:
            raise TokenRefused(f"no key for alg {show(signed.algorithm)}, kid {show(signed.kid)}")
        if not key.verifies(signed):
            raise TokenRefused("another key signed it, or it was changed")

    def _follow(self, jwks: JWKS) -> None:
        """Forget the cached tokens if the keys of *jwks* have changed."""
        jwks.touch()
        if jwks.generation != self._generation:
            self._verified.clear()
            self._generation = jwks.generation

    def _keep(self, digest: bytes, claims: TokenClaims, principal: Principal) -> None:
        if self._size == 0:
            return
        if self._jwks is not None:
            self._follow(self._jwks)  # this token itself may have waited for new keys
        if len(self._verified) >= self._size:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = claims, principal

    def __repr__(self) -> str:
        keys = self._jwks if self._jwks is not None else list(self._ring.keys)
        return f"{type(self).__name__}({self.name!r}, keys={keys!r})"


def _check_options(key: object, keys: object, jwks: object, *, leeway: float, cache: int) -> None:
    """Refuse arguments that exclude each other, or are out of range."""
    said = [
        name for name, value in (("key", key), ("keys", keys), ("jwks", jwks)) if value is not None
    ]
    problems = []
    if len(said) != 1:
        problems.append(
            Problem(
                "JWTBearer",
                f"got {' and '.join(said) or 'no key'}",
                "one of key=, keys= and jwks=",
                "Tokens of two issuers need two authenticators."
                if said
                else "If it comes from the environment, its variable is not set.",
            )
        )
    if not 0 <= leeway < math.inf:
        problems.append(Problem("JWTBearer", f"leeway={leeway!r}", "seconds, 0 or more"))
    if cache < 0:
        problems.append(Problem("JWTBearer", f"cache={cache!r}", "a number of tokens, 0 or more"))
    if problems:
        raise ImproperlyConfigured.of(problems)


def _read_keys(
    key: KeyMaterial | JWTKey | None,
    algorithm: str | None,
    keys: Mapping[str, KeyMaterial | JWTKey] | Iterable[JWTKey] | None,
) -> list[JWTKey]:
    """Return the keys that were given in any of the three forms."""
    if key is not None:
        return [key if isinstance(key, JWTKey) else JWTKey(key, algorithm)]
    if keys is None:
        return []
    found = []
    if isinstance(keys, Mapping):
        for kid, given in keys.items():
            found.append(given.named(kid) if isinstance(given, JWTKey) else JWTKey(given, kid=kid))
    else:
        found.extend(keys)
    if not found or not all(isinstance(each, JWTKey) for each in found):
        raise ImproperlyConfigured(
            Problem("JWTBearer", "keys= has no JWTKey", "JWTKeys, or a dict of keys by their kid")
        )
    kinds = {each.is_secret for each in found}
    if len(kinds) > 1:
        raise ImproperlyConfigured(
            Problem(
                "JWTBearer",
                "keys= mixes secrets and public keys",
                "keys of one sort",
                "Make one authenticator for each sort.",
            )
        )
    names = [each.kid or each.algorithm for each in found]
    if len(set(names)) < len(names):
        problem = "keys= has several keys of one kid, or several without"
        raise ImproperlyConfigured(Problem("JWTBearer", problem, "a kid for each"))
    return found


def _read_names(option: str, names: Names | Unset | None) -> frozenset[str] | None:
    """Return the *names* that a claim may have; `None` where it may have any."""
    if names is None:
        return None
    found = (
        frozenset()
        if isinstance(names, Unset)
        else frozenset((names,) if isinstance(names, str) else names)
    )
    if not found or "" in found:
        raise ImproperlyConfigured(
            Problem(
                "JWTBearer",
                f"{option} is not said" if names is UNSET else f"{option}={names!r}",
                "a text, or several",
                f"Write {option}=None to take tokens with any.",
            )
        )
    return found
