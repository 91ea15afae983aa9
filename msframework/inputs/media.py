"""Media types as requests declare them (RFC 9110, 8.3). Runs per request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from multidict import CIMultiDict
from sanic.request import Request as SanicRequest

from msframework.exceptions import BadRequest, UnsupportedMediaType
from msframework.headers import TOKEN

_PARAM: Final = rf'({TOKEN})=({TOKEN}|"(?:[^"\\]|\\.)*")'
_MEDIA_TYPE: Final = re.compile(
    rf"({TOKEN}/{TOKEN})[ \t]*((?:;[ \t]*(?:{_PARAM}[ \t]*)?)*)"
).fullmatch
_find_params: Final = re.compile(_PARAM).findall
_ESCAPED: Final = re.compile(r"\\(.)")
JSON: Final = "application/json"
UTF8: Final = frozenset(("utf-8", "utf8", "us-ascii", "ascii"))


class MediaType(NamedTuple):
    """A media type in small letters, and its parameters."""

    name: str
    params: Mapping[str, str]


def parse_media_type(text: str) -> MediaType | None:
    """Return the media type that *text* says; `None` when it is none, or says a parameter twice."""
    found = _MEDIA_TYPE(text)
    if found is None:
        return None
    params: dict[str, str] = {}
    for name, value in _find_params(found[2]):
        if name.lower() in params:
            return None
        params[name.lower()] = _ESCAPED.sub(r"\1", value[1:-1]) if value[0] == '"' else value
    return MediaType(found[1].lower(), params)


def read_content_type(headers: CIMultiDict[str]) -> MediaType | None:
    """Return the media type that *headers* declare, `None` where they declare none.

    Raises:
        BadRequest: they declare two, or its parameters are broken.
        UnsupportedMediaType: it is no media type at all.
    """
    given = sorted(set(headers.getall("content-type", ())))
    if not given:
        return None
    if len(given) > 1:
        raise BadRequest("Content-Type is given twice, with different values")
    found = parse_media_type(given[0])
    if found is None:
        if parse_media_type(given[0].partition(";")[0]) is None:
            raise UnsupportedMediaType("the Content-Type of the body is no media type")
        raise BadRequest("the parameters of the body's Content-Type are broken")
    return found


def require_media_type(request: SanicRequest[Any, Any], wanted: str, accept: str) -> MediaType:
    """Return the media type of a request's body.

    Args:
        wanted: the media types that the endpoint reads, for the messages.
        accept: the media types that it reads, for the answer's `Accept`.

    Raises:
        BadRequest: there is neither a type nor a body, or the type is broken.
        UnsupportedMediaType: there is a body without a type, or one of another charset.
    """
    found = read_content_type(request.headers)
    if found is None:
        if not request.body:
            raise BadRequest(f"there is no body, but this endpoint reads {wanted}")
        raise unsupported(f"the body has no Content-Type, but this endpoint reads {wanted}", accept)
    require_utf8(found, accept)
    return found


def require_utf8(media_type: MediaType, accept: str) -> None:
    """Refuse a body that says it is no UTF-8.

    Raises:
        UnsupportedMediaType: it does.
    """
    charset = media_type.params.get("charset", "utf-8").lower()
    if charset not in UTF8:
        raise unsupported(f"the body is in the charset {charset!r}; send UTF-8", accept)


def unsupported(error: str, accept: str) -> UnsupportedMediaType:
    """Return the 415 that names the media types of the endpoint."""
    return UnsupportedMediaType(error, headers={"Accept": accept})
