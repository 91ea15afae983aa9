"""JWK Sets (RFC 7517, 5) from a URL, which are untrusted text. Read while a service runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from msframework.access.keys import JWTKey
from msframework.conf.url import http_fault
from msframework.exceptions import ImproperlyConfigured, MalformedJSON
from msframework.problem import Problem
from msframework.strict_json import parse

MAX_SIZE: Final = 512 * 1024
MAX_KEYS: Final = 100
# What public keys consist of. Anything else, parts of private keys first of all, is not read.
_MEMBERS: Final = ("kty", "kid", "alg", "use", "key_ops", "n", "e", "crv", "x", "y")
logger = logging.getLogger("msframework.credentials")


def read_keys(body: bytes, known: Mapping[bytes, JWTKey]) -> dict[bytes, JWTKey]:
    """Return the keys of the JWK Set *body*, each by the text of its members.

    Keys that cannot be used are left out (RFC 7517, 5), secrets among them; of several with one
    `kid`, all but the first.

    Args:
        known: the keys that were read before; they stay the same objects.

    Raises:
        MalformedJSON: it is no JWK Set, or has more than `MAX_KEYS`.
    """
    document = parse(body)
    jwks = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(jwks, list):
        raise MalformedJSON("there is no list of keys")
    if len(jwks) > MAX_KEYS:
        raise MalformedJSON(f"there are more than {MAX_KEYS} keys")
    found: dict[bytes, JWTKey] = {}
    kids: set[str] = set()
    for position, jwk in enumerate(jwks):
        read = _read_key(jwk, known, position)
        if read is None or read[1].kid in kids:
            continue
        text, key = read
        found[text] = key
        if key.kid is not None:
            kids.add(key.kid)
    return found


def _read_key(
    jwk: object, known: Mapping[bytes, JWTKey], position: int
) -> tuple[bytes, JWTKey] | None:
    """Return *jwk* as a text and as a key; `None` where it is none that verifies tokens."""
    if not isinstance(jwk, dict) or jwk.get("kty") == "oct":
        return None
    members: dict[str, Any] = {name: jwk[name] for name in _MEMBERS if name in jwk}
    try:
        text = orjson.dumps(members, option=orjson.OPT_SORT_KEYS)
        return text, known.get(text) or JWTKey(members)
    except ImproperlyConfigured as exc:
        logger.debug("key %d of the JWK Set is left out: %s", position, exc)
    except TypeError:  # text that is no Unicode
        logger.debug("key %d of the JWK Set is left out", position)
    return None


def check_address(url: str) -> None:
    """Refuse a *url* that keys must not be fetched from.

    Raises:
        ImproperlyConfigured: it is no URL, has a password, or has no TLS.
    """
    expected = "an https:// address"
    fault = http_fault(url and url.partition("?")[0])
    if fault is not None:
        raise ImproperlyConfigured(Problem("JWKS", f"the address is {fault}", expected))
    parts = urlsplit(url)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        found = f"{shorten(url)!r} has no TLS, so that anybody on the way can put in a key"
        raise ImproperlyConfigured(
            Problem("JWKS", found, f"{expected}, or http:// of the loopback")
        )


def shorten(url: str) -> str:
    """Return *url* without its query, as messages show it."""
    return url.partition("?")[0].partition("#")[0]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
