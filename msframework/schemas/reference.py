"""`Reference`: an id of another service's object, or the object itself. Runs per request."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import uuid
from typing import Any, Final

from marshmallow import Schema, fields

from msframework.schemas.description import Describer
from msframework.schemas.strict import StrictInteger, Whole
from msframework.types import Field, SchemaSource

IDS: Final = (str, int, float, bytes, uuid.UUID, decimal.Decimal, dt.date, dt.time)


class Reference(fields.Field[Any]):
    """Loads an id; dumps an id, or the object that the handler put in its place.

    Args:
        target: the description of the object: an API class, a Schema class or instance, or a dict
            such as `{"id": int}`.
        id_field: the field that reads and writes the id; an integer when left out.
        kwargs: as for every field of marshmallow; validators see the loaded id.
    """

    def __init__(self, target: SchemaSource, id_field: Field | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target = target
        self.id_field: Field = id_field if id_field is not None else StrictInteger()
        self._schema: Schema | None = None

    @property
    def schema(self) -> Schema:
        """The schema of the object, made when it is first needed."""
        if self._schema is None:
            describer = Describer(f"Reference {self.name}", for_load=False)
            self._schema = describer.schema(self.target)
        return self._schema

    def _bind_to_schema(self, field_name: str, parent: Schema | Field) -> None:
        super()._bind_to_schema(field_name, parent)
        self.id_field = copy.copy(self.id_field)
        self.id_field._bind_to_schema(field_name, self)

    def _serialize(self, value: object, attr: str | None, obj: object, **kwargs: object) -> object:
        if value is None:
            return None
        if isinstance(value, IDS):
            return self.id_field._serialize(value, attr, obj, **kwargs)
        return self.schema.dump(value)

    def _deserialize(
        self, value: object, attr: str | None, data: Whole, **kwargs: object
    ) -> object:
        return self.id_field.deserialize(value, attr, data, **kwargs)
