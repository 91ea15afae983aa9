"""The conversion of path parameters to the values of their columns.

`read_path_values` runs at start-up, `PathValue` per request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import peewee
from marshmallow import ValidationError
from playhouse import fields as extra
from playhouse import postgres_ext

from msframework.collection.bulk import as_stored
from msframework.collection.declaration import Bound, Collection
from msframework.collection.statements import missing_row
from msframework.exceptions import ImproperlyConfigured
from msframework.models.key import referenced_field
from msframework.operation import path_params
from msframework.schemas.model import derive_field
from msframework.schemas.strict import reading_text
from msframework.types import Field

# The columns that take the values of each kind of parameter as they are.
_FITTING: Final[Mapping[str, tuple[type, ...]]] = {
    "int": (peewee.IntegerField, peewee.AutoField, peewee.DecimalField, peewee.FloatField),
    "float": (peewee.DecimalField, peewee.FloatField),
    "uuid": (peewee.UUIDField,),
    "ymd": (peewee.DateField,),
}
_TEXTS: Final = (peewee.CharField, peewee.TextField)
# NOTE: peewee cuts off what is too long for a FixedCharField, so that another row would be found.
_NO_TEXTS: Final = (extra.EnumFieldMixin, peewee.FixedCharField, postgres_ext.TSVectorField)


class PathValue:
    """A path parameter whose column takes values of another type than its kind gives.

    Args:
        noun: what a row is called.
        column: the column.
        field: the field that reads the column's values from text.
    """

    __slots__ = ("_column", "_field", "_noun")

    def __init__(self, noun: str, column: peewee.Field, field: Field) -> None:
        self._noun, self._column, self._field = noun, column, field

    def read(self, value: object) -> object:
        """Return *value* as the column takes it.

        Raises:
            NotFound: no row can have it.
        """
        try:
            return as_stored(self._column, self._field.deserialize(str(value)))
        except (ValidationError, ValueError, OverflowError) as exc:
            raise missing_row(self._noun, value) from exc

    def show(self, value: Any) -> str:
        """Return the text of a *value* of the column."""
        return str(self._field.serialize("value", {"value": value}))


def read_path_values(
    collection: Collection, bounds: Iterable[Bound], *, creates: bool = False
) -> dict[str, PathValue]:
    """Return the parameters that have to be converted for their columns, by name.

    Args:
        creates: whether they become values of new rows, for which a text may be too long.
    """
    paths = collection.paths
    kinds = {
        param.name: param.kind
        for path in (paths.list, paths.item or "")
        for param in path_params(paths.prefix + path)
    }
    found = {}
    for each in bounds:
        fits = _fits(kinds.get(each.name, ""), each.field)
        if fits and creates:
            fits = getattr(referenced_field(each.field), "max_length", None) is None
        field = None if fits else _field_of(each.field)
        if field is not None:
            found[each.name] = PathValue(collection.noun.one, each.field, field)
    return found


def _fits(kind: str, column: peewee.Field) -> bool:
    field, fitting = referenced_field(column), _FITTING.get(kind)
    if fitting is not None:
        return isinstance(field, fitting)
    return isinstance(field, _TEXTS) and not isinstance(field, _NO_TEXTS)


def _field_of(column: peewee.Field) -> Field | None:
    """Return the field that reads the values of *column* from text, if its type has one."""
    try:
        found: Field = reading_text(derive_field(column, column.column_name, column.model.__name__))
    except ImproperlyConfigured:
        return None
    return found
