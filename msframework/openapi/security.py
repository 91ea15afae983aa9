"""Security of the document: schemes and requirements, in the words of each version.

Runs at start-up. Version 3.1 says all of it. An older one keeps every requirement and each of its
alternatives, since an operation that lost them would look open: a scheme that it has no word for
is told by the nearest that it has, and scopes where only OAuth 2 may have some go to `x-security`.

Sources: "Security Scheme Object" and "Security Requirement Object" of the OpenAPI Specification
3.1.0 (4.8.27, 4.8.30), 3.0.3 and 2.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from msframework.access.refusal import scope_challenges
from msframework.conf.settings import Settings
from msframework.openapi.literal import read_literal
from msframework.operation import Operation
from msframework.problem import Problem
from msframework.types import UNSET, JSONObject

_FLOWS: Final = {
    "implicit": "implicit",
    "password": "password",
    "clientCredentials": "application",
    "authorizationCode": "accessCode",
}
_SCOPED_30: Final = ("oauth2", "openIdConnect")
_SCOPED_20: Final = ("oauth2",)


def build_schemes(operations: Iterable[Operation], settings: Settings) -> JSONObject:
    """Return the Security Scheme Objects by name.

    They are those of the authenticators that *operations* ask for, and beside them all of
    `SECURITY_SCHEMES`, which a gateway or a provided value enforces.
    """
    found: dict[str, Mapping[str, object]] = {}
    for operation in operations:
        asked = {name for need in operation.security for name in need}
        for authenticator in operation.access.authenticators:
            if authenticator.name in asked:
                found.setdefault(authenticator.name, authenticator.scheme)
    literals = {
        name: read_literal(scheme)
        for name, scheme in (found | dict(settings.openapi.security_schemes)).items()
    }
    return {name: literal for name, literal in literals.items() if literal is not UNSET}


def build_requirements(operation: Operation) -> list[JSONObject]:
    """Return the alternatives of *operation*; none where nothing asks for credentials."""
    if not any(operation.security):
        return []
    return [{name: list(scopes) for name, scopes in need.items()} for need in operation.security]


def read_challenge(operation: Operation) -> str:
    """Return the `WWW-Authenticate` of a caller without credentials (RFC 9110, 11.6.1)."""
    told = (each.challenge for each in operation.access.authenticators)
    return ", ".join(dict.fromkeys(filter(None, told)))


def read_scope_challenge(operation: Operation) -> str:
    """Return the `WWW-Authenticate` of a caller whose token lacks scopes (RFC 6750, 3.1)."""
    return ", ".join(dict.fromkeys(scope_challenges(operation.access).values()))


def scheme_problems(operations: Iterable[Operation], settings: Settings) -> Iterator[str]:
    """Yield a message for each scheme that is asked for and that nothing declares."""
    declared = settings.openapi.security_schemes
    known = ", ".join(sorted(declared)) or "none"
    for operation in operations:
        own = {each.name for each in operation.access.authenticators}
        for name in dict.fromkeys(name for need in operation.security for name in need):
            if name in declared or name in own:
                continue
            values = (provision.value for provision in operation.provisions)
            where = next((value.where for value in values if value.security == name), "")
            says = "it" if where else "@doc.security"
            found = (
                f"{says} names the scheme {name!r}, which is not in SECURITY_SCHEMES (there: "
                f"{known})"
            )
            advice = "Add it there, or correct the name."
            yield Problem(where or operation.where, found, advice=advice)


# Version 3.0: no `mutualTLS`, and scopes only where OAuth 2 is.


def scheme_30(scheme: JSONObject) -> JSONObject:
    """Return a security scheme in the words of 3.0."""
    if scheme.get("type") != "mutualTLS":
        return scheme
    text = "A certificate of the client's, which TLS carries and no header does."
    # NOTE: no tool has this scheme, so none makes up a header; it only keeps the place closed.
    return _described(scheme, {"type": "http", "scheme": "mutualTLS"}, text)


def requirements_30(operation: JSONObject, schemes: JSONObject) -> JSONObject:
    """Return `security` of *operation* in the words of 3.0, and `x-security` where it says less."""
    return _requirements(operation, schemes, _SCOPED_30)


# Version 2.0: basic, keys in a header or the query, and OAuth 2 with one flow.


def scheme_20(scheme: JSONObject) -> JSONObject:
    """Return a security scheme of 3.0 in the words of 2.0."""
    return _SCHEMES.get(str(scheme.get("x-type", scheme.get("type"))), _authorization)(scheme)


def requirements_20(operation: JSONObject, schemes: JSONObject) -> JSONObject:
    """Return `security` of *operation* in the words of 2.0, and `x-security` where it says less."""
    return _requirements(operation, schemes, _SCOPED_20)


def _requirements(
    operation: JSONObject, schemes: JSONObject, scoped: tuple[str, ...]
) -> JSONObject:
    if "security" not in operation:
        return {}
    found: list[JSONObject] = []
    for need in operation["security"]:
        kept = {
            name: scopes if schemes.get(name, {}).get("type") in scoped else []
            for name, scopes in need.items()
        }
        if kept not in found:
            found.append(kept)
    whole = operation.get("x-security", operation["security"])
    return {"security": found, **({} if whole == found else {"x-security": whole})}


def _described(scheme: JSONObject, found: JSONObject, text: str = "") -> JSONObject:
    """Return *found* with the description and the extensions of *scheme*, and *text* behind."""
    texts = [part for part in (scheme.get("description", ""), text) if part]
    kept = {word: value for word, value in scheme.items() if word.startswith("x-")}
    if text:
        kept.setdefault("x-type", scheme.get("type"))
    return {**found, **({"description": " ".join(texts)} if texts else {}), **kept}


def _http(scheme: JSONObject) -> JSONObject:
    name = str(scheme.get("scheme"))
    if name.lower() == "basic":
        return _described(scheme, {"type": "basic"})
    return _authorization(scheme)


def _authorization(scheme: JSONObject) -> JSONObject:
    """Return the key in `Authorization` that stands for any credentials there."""
    word = str(scheme.get("scheme", "bearer")).capitalize()
    text = f"Write `{word}`, a space, and the credentials."
    return _described(scheme, {"type": "apiKey", "in": "header", "name": "Authorization"}, text)


def _api_key(scheme: JSONObject) -> JSONObject:
    name = scheme.get("name")
    if scheme.get("in") == "cookie":
        found = {"type": "apiKey", "in": "header", "name": "Cookie"}
        return _described(scheme, found, f"The cookie `{name}`: write `{name}=` and the key.")
    return _described(scheme, {"type": "apiKey", "in": scheme.get("in"), "name": name})


def _certificate(scheme: JSONObject) -> JSONObject:
    # NOTE: the header in which a proxy hands the certificate on (RFC 9440) is the nearest word.
    return _described(scheme, {"type": "apiKey", "in": "header", "name": "Client-Cert"})


def _oauth(scheme: JSONObject) -> JSONObject:
    for name, flow in scheme.get("flows", {}).items():
        if name in _FLOWS:
            urls = {key: flow[key] for key in ("authorizationUrl", "tokenUrl") if key in flow}
            scopes = dict(flow.get("scopes", {}))
            found = {"type": "oauth2", "flow": _FLOWS[name], **urls, "scopes": scopes}
            return _described(scheme, found)
    return _authorization(scheme)


_SCHEMES: Final[dict[str, Callable[[JSONObject], JSONObject]]] = {
    "http": _http,
    "apiKey": _api_key,
    "oauth2": _oauth,
    "mutualTLS": _certificate,
}
