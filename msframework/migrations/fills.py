"""Values of existing rows for new columns: the models' defaults, as SQL or as functions.

Runs when a migration is made.
"""

from __future__ import annotations

import datetime
import enum
import functools
import importlib
import json
from collections.abc import Callable, Iterable

import peewee
import playhouse.fields

from msframework.migrations.renames import Fill
from msframework.models import JSONField

# Makers of an empty value, which is the same for each row.
_EMPTY = (dict, list, set, tuple, str, int, float, bool, bytes)
_WRITTEN_AS_TEXT = (peewee.UUIDField, peewee.DateTimeField, peewee.DateField)
# The defaults of `TimestampField`, which stores seconds.
_NOW = (datetime.datetime.now, peewee.TimestampField(utc=True).default)
_CONVERTING = (
    peewee.TimestampField,
    peewee.IPField,
    peewee.BigBitField,
    playhouse.fields.CompressedField,
    playhouse.fields.PickleField,
)


def model_fills(
    models: Iterable[type[peewee.Model]], table_name: Callable[[type[peewee.Model]], str]
) -> dict[tuple[str, str], Fill]:
    """Return the value of existing rows for each column with a default, by table and column.

    A function that cannot be imported, such as a lambda, gives no value, nor does one whose values
    the field converts.
    """
    return {
        (table_name(model), field.column_name): fill
        for model in models
        for field in model._meta.sorted_fields
        if (fill := fill_of(field)) is not None
    }


def fill_of(field: peewee.Field) -> Fill:
    """Return the default of *field* as SQL, or as the function that makes it for each row."""
    default = field.default
    if default is None:
        return None
    if not callable(default):
        return as_sql(field, default)
    if default in _EMPTY:
        return as_sql(field, default())
    target = field.rel_field if isinstance(field, peewee.ForeignKeyField) else field
    if isinstance(target, peewee.TimestampField) and default in _NOW:
        return f"floor(extract(epoch FROM now()) * {target.resolution})::bigint"
    return default if has_name(default) and not _converts(target) else None


def _converts(field: peewee.Field) -> bool:
    """Say whether *field* stores something else than what psycopg makes of a Python value."""
    if isinstance(field, _CONVERTING):
        return True
    owner = next(each for each in type(field).__mro__ if "db_value" in vars(each))
    return not owner.__module__.startswith(("peewee", "playhouse"))


def has_name(function: object) -> bool:
    """Say whether a migration can import *function* from its module."""
    if isinstance(function, functools.partial):
        return False
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type):  # a class method, such as datetime.now
        module = owner.__module__
    if not module or "<" in name:
        return False
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found == function


def as_sql(field: peewee.Field, value: object) -> str:
    """Return *value* as a constant of SQL for the column of *field*."""
    if isinstance(field, peewee.ForeignKeyField):
        field = field.rel_field
    if isinstance(field, (JSONField, peewee.JSONField)) or field.field_type in ("JSON", "JSONB"):
        value = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, enum.Enum):
        value = value.value
    elif isinstance(value, (set, tuple)):
        value = list(value)
    elif isinstance(field, _WRITTEN_AS_TEXT) and not _converts(field):
        value = str(value)
    else:
        value = field.db_value(value)  # type: ignore[no-untyped-call]
    if isinstance(value, (datetime.date, datetime.time)):
        value = str(value)
    return constant_of(value)


def constant_of(value: object) -> str:
    """Return *value* as psycopg writes it into SQL."""
    from psycopg.sql import Literal

    return Literal(value).as_string(None).strip()
