"""Query strings and `application/x-www-form-urlencoded` bodies (WHATWG URL, 5.1). Runs per request.

An empty value is a value, and a name without `=` has the empty one; empty pairs are none.
"""

from __future__ import annotations

from typing import Final

from msframework.conf.settings import ServerSettings
from msframework.exceptions import BadRequest, PayloadTooLarge
from msframework.inputs.percent import decode

TextPairs = list[tuple[str, str]]
LONGEST_NAME: Final = 4096


def parse_pairs(text: str, label: str) -> TextPairs:
    """Return the names and values of *text*, in their order.

    Args:
        label: the name of the text in messages: "the query string".

    Raises:
        BadRequest: an escape is incomplete, or the bytes are no UTF-8.
    """
    pairs = []
    for piece in text.replace("+", " ").split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((decode(name, label), decode(value, label)))
    return pairs


def group_pairs(pairs: TextPairs) -> dict[str, list[str]]:
    """Return the values of each name, in their order."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def parse_query(query: str, limits: ServerSettings) -> TextPairs:
    """Return the parameters of the query string *query*.

    Args:
        limits: the settings of the server.

    Raises:
        BadRequest: it is malformed, or has more parameters than `MAX_FIELDS`.
    """
    if query.count("&") >= limits.max_fields:
        raise BadRequest(f"the query string has more than {limits.max_fields} parameters")
    return parse_pairs(query, "the query string")


def parse_form(body: bytes, limits: ServerSettings) -> dict[str, list[str]]:
    """Return the fields of an urlencoded *body*.

    Args:
        limits: the settings of the server.

    Raises:
        BadRequest: it is malformed.
        PayloadTooLarge: it has more fields than `MAX_FIELDS`, or one beyond `MAX_FIELD_SIZE`.
    """
    if body.count(b"&") >= limits.max_fields:
        raise PayloadTooLarge(f"the form has more than {limits.max_fields} fields")
    for piece in body.split(b"&"):
        name, _, value = piece.partition(b"=")
        if len(name) > LONGEST_NAME:
            raise PayloadTooLarge(f"a field's name is longer than {LONGEST_NAME} bytes")
        if len(value) > limits.max_field_size:
            raise PayloadTooLarge(f"a field is larger than {limits.max_field_size} bytes")
    try:
        text = body.decode()
    except UnicodeDecodeError as exc:
        raise BadRequest(f"the form is no UTF-8 (at byte {exc.start})") from exc
    return group_pairs(parse_pairs(text, "the form"))
