"""Rows to JSON without Python in the way: msgspec checks their types and writes them.

A schema whose fields are all plain columns gets a Struct class. Rows that hold what such columns
hold become structs and then bytes; anything odd sends the whole call to the schema's usual dump,
which writes the same bytes. `read_records` runs at start-up, `Records` per request.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable
from typing import Any, Final, NoReturn

import msgspec
from asyncpg import Record
from marshmallow import Schema, fields, missing
from msgspec import convert

from msframework.schemas.emit import Column, emit_prepare
from msframework.schemas.known import AnyField, field_base, is_usual
from msframework.schemas.reference import Reference

_KINDS: Final[dict[type[AnyField], tuple[str, Any]]] = {
    fields.Integer: ("int", int),
    fields.String: ("str", str),
    fields.Boolean: ("bool", bool),
    fields.Float: ("float", float),
    fields.Decimal: ("decimal", decimal.Decimal),
    fields.UUID: ("uuid", uuid.UUID),
    fields.DateTime: ("datetime", dt.datetime),
    fields.Date: ("date", dt.date),
    fields.Time: ("time", dt.time),
}
# NOTE: what is listed as built in is taken as it is; msgspec would read strings as well.
_BUILT_IN: Final = (decimal.Decimal, uuid.UUID, dt.datetime, dt.date, dt.time)


Write = Callable[[Any], bytes | None]


class Records:
    """Turns the rows of one schema into JSON; `None` when something in them is odd."""

    __slots__ = ("one", "several")

    def __init__(
        self, struct: Any, prepare: Callable[[Any], None], encode: Callable[[Any], bytes]
    ) -> None:
        self.one: Write = _write_one(struct, prepare, encode)
        self.several: Write = _write_several(list[struct], prepare, encode)

    def write(self, obj: Any, many: bool) -> bytes | None:
        """Return the JSON of a row, or of a list of rows."""
        return self.several(obj) if many else self.one(obj)


def _write_one(
    struct: Any, prepare: Callable[[Any], None], encode: Callable[[Any], bytes]
) -> Write:
    def write(obj: Any) -> bytes | None:
        if obj.__class__ is Record:
            obj = dict(obj)
        elif obj.__class__ is not dict:
            return None
        try:
            row = convert(obj, struct, builtin_types=_BUILT_IN)
            prepare((row,))
            return encode(row)
        except _ODD:
            return None

    return write


def _write_several(
    structs: Any, prepare: Callable[[Any], None], encode: Callable[[Any], bytes]
) -> Write:
    def write(obj: Any) -> bytes | None:
        if obj.__class__ is not list and obj.__class__ is not tuple:
            return None
        kinds = set(map(type, obj))
        if kinds == _RECORD:
            obj = [dict(row) for row in obj]
        elif kinds != _DICT:
            return None
        try:
            rows = convert(obj, structs, builtin_types=_BUILT_IN)
            prepare(rows)
            return encode(rows)
        except _ODD:
            return None

    return write


_DICT: Final = {dict}
_RECORD: Final = {Record}


class Odd(Exception):
    """A value that msgspec would write otherwise than marshmallow."""


def odd() -> NoReturn:
    """Give up the structs: the schema's usual dump takes the rows."""
    raise Odd


_ODD: Final = (Odd, msgspec.ValidationError, UnicodeEncodeError)


_NAMES: Final = {"Decimal": decimal.Decimal, "Raw": msgspec.Raw, "UTC": dt.UTC, "odd": odd}


def read_records(schema: Schema, owner: str) -> Records | None:
    """Return what writes the rows of *schema*, or `None` when a field of it is no plain column."""
    members, columns = [], []
    for number, (name, field) in enumerate(schema.dump_fields.items()):
        found = _kind(field)
        attribute = name if field.attribute is None else field.attribute
        key = name if field.data_key is None else field.data_key
        if found is None or key != attribute or "." in key or field.dump_default is not missing:
            return None
        kind, column_type = found
        member = f"c{number}"
        members.append((member, column_type | None, msgspec.field(name=key)))
        columns.append(Column(member, kind))
    if not members:
        return None
    # PERF: structs without garbage collection, since they hold no containers
    # (benchmarks/schemas.py, row dump).
    struct = msgspec.defstruct(owner, members, gc=False)
    encode = msgspec.json.Encoder().encode
    prepare = emit_prepare(owner, columns, {**_NAMES, "encode": encode}).build()
    return Records(struct, prepare, encode)


def _kind(field: Any) -> tuple[str, Any] | None:
    base = field_base(field)
    if base is not None and issubclass(base, Reference):
        return _kind(field.id_field)
    if base is None or not is_usual(field):
        return None
    if issubclass(base, fields.Decimal) and not field.as_string:
        return None
    return next((kind for known, kind in _KINDS.items() if issubclass(base, known)), None)
