"""Forms in both of their encodings. Runs per request."""

from __future__ import annotations

from typing import Any, Final

from sanic.request import Request as SanicRequest

from msframework.inputs.media import read_content_type, require_utf8
from msframework.inputs.multipart import FormValues, parse_multipart
from msframework.inputs.urlencoded import parse_form

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
FORMS: Final = f"{URLENCODED}, {MULTIPART}"


def read_form(request: SanicRequest[Any, Any]) -> tuple[FormValues, FormValues]:
    """Return the fields and the files of *request*; there are none where its body is no form.

    Raises:
        BadRequest: the form is malformed.
        UnsupportedMediaType: it is in another charset than UTF-8.
        PayloadTooLarge: it is beyond `MAX_FIELDS` or `MAX_FIELD_SIZE`.
    """
    media_type = read_content_type(request.headers)
    limits = request.app.settings.server
    if media_type is None or media_type.name not in (MULTIPART, URLENCODED):
        return {}, {}
    require_utf8(media_type, FORMS)
    if media_type.name == MULTIPART:
        return parse_multipart(request.body, media_type.params.get("boundary"), limits)
    return parse_form(request.body, limits), {}
