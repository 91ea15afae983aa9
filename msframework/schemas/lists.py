"""Lists and JSON values in one text: of a query, a form, a header or a cookie. Runs per request."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError, fields, validate

from msframework.exceptions import MalformedJSON
from msframework.schemas.storable import why_not_storable
from msframework.schemas.strict import Whole
from msframework.strict_json import parse
from msframework.types import Field

MOST_ITEMS: Final = 100
DEEPEST: Final = 16


class CommaList(fields.List[Any]):
    """A list whose items stand in one text with commas between, as in `?id=1,2`.

    In OpenAPI's words it has the style `form` and is not exploded. A name that is given several
    times has one item in each, which then may hold commas.

    Args:
        item: the field of the items.
        most: how many items there may be.
        delimiter: the character between them.
    """

    def __init__(
        self,
        item: Field | type[Field],
        *,
        most: int = MOST_ITEMS,
        delimiter: str = ",",
        **kwargs: Any,
    ) -> None:
        given = kwargs.pop("validate", ())
        checks = [given] if callable(given) else list(given)
        super().__init__(item, validate=[validate.Length(max=most), *checks], **kwargs)
        self.most, self.delimiter = most, delimiter

    def _deserialize(self, value: Any, attr: str | None, data: Whole, **kwargs: Any) -> list[Any]:
        texts = [value] if isinstance(value, str) else value
        if isinstance(texts, list) and len(texts) == 1 and isinstance(texts[0], str):
            # NOTE: one piece more than there may be is enough to refuse the rest.
            texts = texts[0].split(self.delimiter, self.most)
        if isinstance(texts, list) and len(texts) > self.most:
            raise ValidationError(f"Longer than maximum length {self.most}.")
        return super()._deserialize(texts, attr, data, **kwargs)


class JSONText(fields.Field[Any]):
    """A JSON value that is written as a text, such as `?data={"colour":"red"}`.

    In OpenAPI's words its content is `application/json`.
    """

    default_error_messages = {"invalid": "Not a valid JSON value."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Whole, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        try:
            found = parse(value.encode(), max_depth=DEEPEST)
        except (MalformedJSON, UnicodeEncodeError) as exc:
            raise self.make_error("invalid") from exc
        message = why_not_storable(found)
        if message is not None:
            raise ValidationError(message)
        return found
