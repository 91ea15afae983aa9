"""`MutualTLS`: authenticates callers by their client certificate (RFC 8446, 4.4.2).

Made at start-up; `authenticate` runs per request, and reads the certificate that the handshake has
verified.
"""

from __future__ import annotations

import ssl
import time
from asyncio import BaseTransport
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal

from msframework.access.authenticator import Authenticator
from msframework.access.challenge import build_challenge
from msframework.access.source import FindPrincipal, PrincipalSource
from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured, Unauthorized
from msframework.principal import Principal
from msframework.problem import Problem
from msframework.serving.request import Request

# What `getpeercert` calls the names of a certificate's subjectAltName (RFC 5280, 4.2.1.6).
_KINDS: Final = {"dns": "DNS", "uri": "URI", "email": "email"}
_CACHED: Final = 1024


class MutualTLS(Authenticator):
    """Authenticates callers by the client certificate of their connection.

    The server verifies certificates with `TLS_CLIENT_CA`. A header in which a proxy forwards one is
    never trusted, as any client can send it.

    Args:
        names: the accepted names, with or without a mapping to their scopes; without this and
            *find*, every certificate of the CA is accepted.
        by: the part of a certificate that names the caller: `cn`, the common name of its subject,
            or `dns`, `uri` (a SPIFFE ID, for instance) or `email` of its alternative names.
        find: `find(name) -> Principal | None`, a function or coroutine function, in place of
            *names*; it may also take `request`.
        realm: the realm of the challenge (RFC 9110, 11.5).

    Raises:
        ImproperlyConfigured: an argument is wrong.
    """

    def __init__(
        self,
        names: Mapping[str, Collection[str]] | Collection[str] | None = None,
        *,
        by: Literal["cn", "dns", "uri", "email"] = "cn",
        find: FindPrincipal | None = None,
        realm: str = "api",
    ) -> None:
        problems = [*_find_problems(names, by, find)]
        if problems:
            raise ImproperlyConfigured.of(problems)
        self.scheme = {"type": "mutualTLS"}
        # NOTE: a 401 must have a challenge (RFC 9110, 15.5.2), and no scheme is registered for TLS.
        self.challenge = build_challenge("MutualTLS", realm=realm)
        self._kind: Final = by
        self._scopes: Final = None if names is None else _read_names(names)
        self._source: Final = (
            None if find is None else PrincipalSource(find, "MutualTLS: find", ("name",))
        )

    def check(self, settings: Settings) -> Iterator[Problem]:
        """Yield a problem where the server asks no client for a certificate.

        With `DEBUG` it is none: in development nobody is authenticated then.
        """
        if settings.tls.client_ca is None and not settings.debug:
            yield Problem(
                f"the authenticator {self.name!r}",
                "it knows callers by their certificates, and TLS_CLIENT_CA is not set",
                "the CA certificates that they are verified with",
                "Set it together with TLS_CERT and TLS_KEY. Behind a proxy that ends TLS nobody "
                "has a certificate; use another authenticator there.",
            )

    async def authenticate(self, request: Request) -> Principal | None:
        """Return the caller that the certificate names; `None` without TLS or a certificate.

        Raises:
            Unauthorized: it has no accepted name, or several, or has expired since the handshake.
        """
        transport: BaseTransport | None = request.transport
        certificate = None if transport is None else transport.get_extra_info("peercert")
        if not certificate:  # it is empty where it was not verified
            return None
        if _end_of(certificate["notAfter"]) <= time.time():
            raise Unauthorized("the certificate has expired")
        name = self._choose(certificate)
        if self._source is not None:
            found = await self._source.find(request, name)
            if found is None:
                raise Unauthorized("the certificate is of nobody known here")
            return found
        scopes = frozenset() if self._scopes is None else self._scopes[name]
        return Principal(name, scopes, MappingProxyType(certificate), self.name)

    def _choose(self, certificate: Mapping[str, Any]) -> str:
        """Return the one accepted name in *certificate*.

        Raises:
            Unauthorized: there is none, or there are several.
        """
        names = {*_names_in(certificate, self._kind)}
        if self._scopes is not None:
            names &= self._scopes.keys()
        if len(names) != 1:
            raise Unauthorized("the certificate is of nobody known here")
        return names.pop()


def _names_in(certificate: Mapping[str, Any], kind: str) -> Iterator[str]:
    """Yield the names of one *kind* in the result of `getpeercert`."""
    if kind == "cn":
        for part in certificate.get("subject", ()):
            yield from (value for name, value in part if name == "commonName" and value)
    else:
        wanted = _KINDS[kind]
        for name, value in certificate.get("subjectAltName", ()):
            if name == wanted and value:
                yield value


@lru_cache(_CACHED)
def _end_of(text: str) -> float:
    """Return the end of a certificate in seconds since 1970."""
    return float(ssl.cert_time_to_seconds(text))


def _read_names(
    names: Mapping[str, Collection[str]] | Collection[str],
) -> dict[str, frozenset[str]]:
    if isinstance(names, Mapping):
        return {name: frozenset(scopes) for name, scopes in names.items()}
    return dict.fromkeys(names, frozenset())


def _find_problems(names: Any, by: Any, find: Any) -> Iterator[Problem]:
    if by != "cn" and by not in _KINDS:
        yield Problem("MutualTLS", f"by is {by!r}", "'cn', 'dns', 'uri' or 'email'")
    if names is not None and find is not None:
        advice = "Have the function return None for callers that it does not know."
        yield Problem("MutualTLS", "names and find are both given", "one of them", advice)
    if names is None:
        return
    if isinstance(names, str) or not isinstance(names, Collection):
        advice = 'Write {"orders": ("invoices:read",)}, or ("orders", "billing").'
        found = f"names is an object of {type(names).__name__}"
        yield Problem("MutualTLS", found, "a dict of scopes by name, or names", advice)
        return
    listed = names.items() if isinstance(names, Mapping) else ((name, ()) for name in names)
    for name, scopes in listed:
        if not isinstance(name, str) or not name:
            yield Problem("MutualTLS", f"names has {name!r}", "texts that are not empty")
        is_listed = isinstance(scopes, Collection) and not isinstance(scopes, str)
        if not is_listed or not all(isinstance(scope, str) and scope for scope in scopes):
            advice = 'Put a comma behind a single one: ("invoices:read",).'
            found = f"names[{name!r}] is {scopes!r}"
            yield Problem("MutualTLS", found, "a tuple of scopes", advice)
