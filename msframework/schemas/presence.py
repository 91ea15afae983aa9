"""Which members every answer of a schema has. Runs at start-up."""

from __future__ import annotations

from marshmallow import Schema, fields, missing
from marshmallow.utils import is_collection

from msframework.types import Field

_MADE = (fields.Nested, fields.Method, fields.Function)


def is_always_answered(schema: Schema, name: str, field: Field) -> bool:
    """Whether every right answer of *schema* has its *field*.

    It has all required fields, those with a default, constants, and every column of the model: rows
    are answered whole, and a schema for a part of them says so with `only` or `fields`. Objects
    that a handler puts in the place of keys may be left out, and so may what is `partial`.
    """
    if field.dump_default is not missing or isinstance(field, fields.Constant):
        return True
    partial = schema.partial
    if name in partial if is_collection(partial) else partial:
        return False
    if field.required:
        return True
    model = getattr(schema.opts, "model", None)
    if model is None or isinstance(field, _MADE):
        return False
    kept = name if field.attribute is None else field.attribute
    return kept in model._meta.combined
