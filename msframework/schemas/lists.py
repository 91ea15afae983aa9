"""Lists and JSON values in one text: of a query, a form, a header or a cookie. Runs per request."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from marshmallow import Schema, ValidationError, fields, validate

from msframework.exceptions import MalformedJSON
from msframework.schemas.storable import why_not_storable
from msframework.schemas.strict import Whole
from msframework.strict_json import parse
from msframework.types import Field

MOST_ITEMS: Final = 100
_MOST_WRONG: Final = 5
# The styles of OpenAPI for lists in one text of a query, by what stands between the items.
STYLES: Final[Mapping[str, str]] = {",": "form", " ": "spaceDelimited", "|": "pipeDelimited"}
DEEPEST: Final = 16


class CommaList(fields.List[Any]):
    """A list whose items stand in one text with commas between, as in `?id=1,2`.

    In OpenAPI's words it has the style `form` and is not exploded. A name that is given several
    times has one item in each, which then may hold commas. It is read up to the fifth wrong item,
    as a message may be a hundred times as long as its item.

    Args:
        item: the field of the items.
        most: how many items there may be.
        delimiter: the character between them.
    """

    most_wrong: ClassVar[int] = _MOST_WRONG

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
        if not isinstance(texts, (list, tuple)):
            return super()._deserialize(texts, attr, data, **kwargs)
        read, wrong = [], {}
        for index, text in enumerate(texts):
            try:
                read.append(self.inner.deserialize(text, **kwargs))
            except ValidationError as exc:
                wrong[index] = exc.messages
                if len(wrong) >= self.most_wrong:
                    break
        if wrong:
            raise ValidationError(wrong)
        return read


class JSONText(fields.Field[Any]):
    """A JSON value that is written as a text, such as `?data={"colour":"red"}`.

    In OpenAPI's words its content is `application/json`.

    Args:
        inner: the field that reads the value; any value is taken without one.
    """

    default_error_messages = {"invalid": "Not a valid JSON value."}  # noqa: RUF012
    is_json = True

    def __init__(self, inner: Field | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = fields.Raw() if inner is None else inner

    def _bind_to_schema(self, field_name: str, parent: Schema | Field) -> None:
        super()._bind_to_schema(field_name, parent)
        self.inner = copy.deepcopy(self.inner)
        self.inner._bind_to_schema(field_name, self)

    def _serialize(self, value: object, attr: str | None, obj: object, **kwargs: Any) -> Any:
        return self.inner._serialize(value, attr, obj, **kwargs)

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
        if found is None:
            if not self.allow_none:
                raise self.make_error("null")
            return None
        return self.inner.deserialize(found, attr, data)
