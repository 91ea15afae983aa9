"""Signed tokens in their compact form (RFC 7515, 7.1), read strictly. Runs per request.

Nothing read here is trusted: the signature is verified afterwards, with the key and the algorithm
that the service has for it.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as MalformedBase64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from msframework.exceptions import MalformedJSON
from msframework.strict_json import parse

# Of arrays and objects within each other; real tokens need four or so.
MAX_DEPTH: Final = 16
# How much of what a token says a line of the log shows.
_SHOWN: Final = 200
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)").fullmatch
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]*").fullmatch


class TokenRefused(Exception):
    """A token that is not accepted; the reason is for the service's own log.

    Attributes:
        has_expired: whether it was right but for its time, which the caller is told.
    """

    def __init__(self, reason: str, *, has_expired: bool = False) -> None:
        self.has_expired = has_expired
        super().__init__(reason)


def show(*texts: str | None) -> str:
    """Return *texts* of a token as a line of the log has them: on one line, and not too long."""
    shown = " or ".join(ascii(text) for text in texts[:4]) or "nothing"
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class SignedToken:
    """The parts of a token whose signature is yet to be verified.

    Attributes:
        algorithm: the `alg` of its header.
        kid: the `kid` of its header; `None` for none.
        type: the `typ` of its header, in lower case and without `application/`.
        signed: the bytes that were signed.
        payload: the claims, undecoded.
        signature: the signature.
    """

    algorithm: str
    kid: str | None
    type: str | None
    signed: bytes
    payload: bytes
    signature: bytes


def decode_segment(text: str) -> bytes:
    """Return the bytes of *text* in base64url (RFC 7515, 2): no padding, one form for each value.

    Raises:
        TokenRefused: it is not in that form.
    """
    if _SEGMENT(text) is None:
        raise TokenRefused("base64url has other characters")
    try:
        value = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except MalformedBase64 as exc:
        raise TokenRefused("base64url of an impossible length") from exc
    # NOTE: bits that stand for nothing could otherwise be anything, and each token would have
    # several forms, each with a digest of its own.
    if encode_segment(value) != text:
        raise TokenRefused("base64url with unused bits set")
    return value


def encode_segment(value: bytes) -> str:
    """Return *value* in base64url without padding."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def read_object(text: bytes, part: str) -> Mapping[str, Any]:
    """Return the JSON object *text*, in which no member stands twice (RFC 7519, 4).

    Raises:
        TokenRefused: it is no strict JSON, or no object.
    """
    try:
        value = parse(text, max_depth=MAX_DEPTH)
    except MalformedJSON as exc:
        raise TokenRefused(f"the {part} is no strict JSON") from exc
    if type(value) is not dict:
        raise TokenRefused(f"the {part} is no object")
    return value


def read_token(token: str) -> SignedToken:
    """Return the parts of *token*.

    Raises:
        TokenRefused: it is malformed, encrypted, nested, or asks for an extension (RFC 7515,
            4.1.11; RFC 7797, 3).
    """
    found = _COMPACT(token)
    if found is None:
        raise TokenRefused("no compact serialization of a signed token")
    head, body, signature = found.groups()
    header = read_object(decode_segment(head), "header")
    for name in ("crit", "enc", "zip"):
        if name in header:
            raise TokenRefused(f"the header has {name}")
    if header.get("b64", True) is not True:
        raise TokenRefused("the header has b64")
    for name in ("alg", "kid", "typ", "cty"):
        if name in header and type(header[name]) is not str:
            raise TokenRefused(f"{name} is no text")
    if "alg" not in header:
        raise TokenRefused("the header has no alg")
    if _media_type(header.get("cty")) == "jwt":
        raise TokenRefused("a token within a token")
    return SignedToken(
        algorithm=header["alg"],
        kid=header.get("kid"),
        type=_media_type(header.get("typ")),
        signed=f"{head}.{body}".encode(),
        payload=decode_segment(body),
        signature=decode_segment(signature),
    )


def _media_type(name: str | None) -> str | None:
    """Return the media type *name* in the form that is compared (RFC 7515, 4.1.9)."""
    return None if name is None else name.lower().removeprefix("application/")
