"""Whatever may describe data becomes a Schema: `as_schema`. Runs at start-up."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from marshmallow import Schema

from msframework.schemas.description import Describer
from msframework.schemas.model import ModelSchema


def as_schema(
    thing: object,
    *,
    where: str,
    for_load: bool,
    sensitive: Collection[str] | None = None,
    for_texts: bool = False,
) -> Schema:
    """Return the Schema instance that *thing* describes.

    Args:
        thing: a Schema class or instance, a peewee model, a dict such as `{"id": int}`, an API
            class, or a list with one of these (which gives `many=True`).
        where: the place that asks for it, for the error message.
        for_load: whether it reads input: the members of a dict or API class are required then.
        sensitive: columns that a model's schema loads, but must not dump; as for `ModelSchema.of`.
        for_texts: whether it reads a location that has no null, so that `X | None` may be absent.

    Raises:
        TypeError: *thing* is none of these; the text says what to pass.
    """
    models = partial(ModelSchema.of, sensitive=sensitive)
    return Describer(where, for_load, models, for_texts=for_texts).schema(thing)
