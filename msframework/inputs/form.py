"""Forms in both of their encodings. Runs per request."""

from __future__ import annotations

from typing import Any, Final

from msframework.inputs.media import read_content_type
from msframework.inputs.multipart import Values, parse_multipart
from msframework.inputs.urlencoded import parse_form

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
FORMS: Final = f"{URLENCODED}, {MULTIPART}"


def read_form(request: Any) -> tuple[Values, Values]:
    """Return the fields and the files of *request*; there are none where its body is no form.

    Raises:
        BadRequest: the form is malformed.
        PayloadTooLarge: it is beyond `MAX_FIELDS` or `MAX_FIELD_SIZE`.
    """
    media_type = read_content_type(request.headers)
    limits = request.app.settings.server
    if media_type is None:
        return {}, {}
    if media_type.name == MULTIPART:
        return parse_multipart(request.body, media_type.params.get("boundary"), limits)
    if media_type.name == URLENCODED:
        return parse_form(request.body, limits), {}
    return {}, {}
