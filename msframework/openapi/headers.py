"""The headers of answers, as the document shows them. Runs at start-up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msframework.exceptions import Unauthorized
from msframework.types import JSONObject

_TEXT: Final[JSONObject] = {"type": "string"}
_KNOWN: Final[dict[str, tuple[str, JSONObject]]] = {
    "Accept": ("What the service reads here.", _TEXT),
    "Accept-Encoding": ("The encodings of bodies that it reads.", _TEXT),
    "Allow": ("The methods that the path has.", _TEXT),
    "Link": ("Other pages: first, prev, next and last, as far as known (RFC 8288).", _TEXT),
    "Location": ("Where the new resource is.", {"type": "string", "format": "uri-reference"}),
    "RateLimit": ("What is left of each limit, and for how many seconds.", _TEXT),
    "RateLimit-Policy": ("The limits, and their times in seconds.", _TEXT),
    "Retry-After": ("How many seconds to wait.", _TEXT),
    "WWW-Authenticate": ("How to bring credentials.", _TEXT),
    "X-Request-ID": ("The id of the request, in logs and in calls of other services.", _TEXT),
    "X-Trace-ID": ("The id of the trace.", _TEXT),
}
# The headers of a failure by its status, whoever raises it (RFC 9110, RFC 6585).
_OF_STATUS: Final[dict[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    415: ("Accept", "Accept-Encoding"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}

# Those of successes and of a 429, where an operation has rate limits.
OF_RATES: Final = ("RateLimit-Policy", "RateLimit")


def describe_headers(headers: Mapping[str, str]) -> JSONObject:
    """Return *headers*, texts by name, as an answer holds them; known ones are components."""
    found: JSONObject = {}
    for name, text in headers.items():
        known = next((word for word in _KNOWN if word.lower() == name.lower()), None)
        if known is not None and not text:
            found[known] = {"$ref": f"#/components/headers/{known}"}
        else:
            schema = _TEXT if known is None else _KNOWN[known][1]
            found[known or name] = {
                **({"description": text} if text else {}),
                "schema": dict(schema),
            }
    return found


def failure_headers(status: int, own: Iterable[str]) -> JSONObject:
    """Return the headers of failures with *status*, whose exceptions name *own*."""
    return describe_headers(dict.fromkeys((*_OF_STATUS.get(status, ()), *own), ""))


def describe_challenge(status: int, challenge: str) -> JSONObject:
    """Return the header of a 401 or 403 with *challenge* (RFC 9110, 11.6.1; RFC 6750, 3.1)."""
    text, schema = _KNOWN["WWW-Authenticate"]
    if status != Unauthorized.status_code:
        text = "The scopes that a token needs, where it lacks some."
    return {"WWW-Authenticate": {"description": text, "schema": dict(schema), "example": challenge}}


def _answers_in(paths: JSONObject) -> Iterator[JSONObject]:
    for item in paths.values():
        for operation in item.values():
            yield from operation["responses"].values()


def add_common(paths: JSONObject, *, traced: bool) -> None:
    """Give every answer of *paths* the headers that all answers have."""
    names = ("X-Request-ID", "X-Trace-ID") if traced else ("X-Request-ID",)
    common = describe_headers(dict.fromkeys(names, ""))
    for answer in _answers_in(paths):
        answer["headers"] = {**common, **answer.get("headers", {})}


def used_headers(paths: JSONObject) -> dict[str, JSONObject]:
    """Return the components that the answers of *paths* refer to, by name."""
    used = {
        name
        for answer in _answers_in(paths)
        for name, header in answer.get("headers", {}).items()
        if "$ref" in header
    }
    return {
        name: {"description": text, "schema": dict(schema)}
        for name, (text, schema) in _KNOWN.items()
        if name in used
    }
