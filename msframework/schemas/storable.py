"""Text that PostgreSQL can hold: no NUL, no lone surrogate. Runs per request, as a validator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from marshmallow import ValidationError, fields
from marshmallow.validate import Validator

from msframework.types import Field

NUL: Final = "Null characters are not allowed."
SURROGATE: Final = "Not a valid utf-8 string."


class Storable(Validator):
    """Refuses text with NUL or lone surrogates, in strings and in whatever holds strings."""

    def __call__(self, value: object) -> object:
        message = why_not_storable(value)
        if message is not None:
            raise ValidationError(message)
        return value


def why_not_storable(value: object) -> str | None:
    """Return why PostgreSQL cannot hold the text in *value*, or `None` when it can."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "\0" in item:
                return NUL
            if not item.isascii() and not _is_encodable(item):
                return SURROGATE
        elif isinstance(item, Mapping):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple, set, frozenset)):
            waiting.extend(item)
    return None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


STORABLE: Final = Storable()
_TEXTUAL: Final = (fields.String, fields.Raw, fields.Mapping)


def guard(field: Field) -> None:
    """Add `STORABLE` to *field*, and to the fields within it, where text comes in."""
    if isinstance(field, fields.List):
        guard(field.inner)
    elif isinstance(field, fields.Tuple):
        for inner in field.tuple_fields:
            guard(inner)
    elif isinstance(field, fields.Mapping) and (field.key_field or field.value_field):
        for part in (field.key_field, field.value_field):
            if part is not None:
                guard(part)
    elif isinstance(field, _TEXTUAL) and STORABLE not in field.validators:
        # NOTE: marshmallow copies fields shallowly for each schema, so the list is not ours.
        field.validators = [*field.validators, STORABLE]
