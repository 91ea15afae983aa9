"""Rows to JSON without Python in the way: msgspec checks their types and writes them.

A schema whose fields are all plain columns gets a Struct class. Rows that hold what such columns
hold become structs and then bytes, and `Text` mends what msgspec writes otherwise; anything odd
sends the whole call to the schema's usual dump, which writes the same bytes. `read_records` runs at
start-up, `Records` per request.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, NoReturn

import msgspec
from asyncpg import Record
from marshmallow import Schema, fields, missing
from msgspec import convert

from msframework.schemas.emit import (
    Column,
    emit_find_odd,
    emit_prepare,
    emit_spell,
    emit_values,
)
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
Columns = Sequence[Sequence[Any]]
_DICT: Final = {dict}
_RECORD: Final = {Record}


class Odd(Exception):
    """A value that msgspec would write otherwise than marshmallow."""


def odd() -> NoReturn:
    """Give up the structs: the schema's usual dump takes the rows."""
    raise Odd


_ODD: Final = (Odd, msgspec.ValidationError, UnicodeEncodeError)
_NAMES: Final = {"Decimal": decimal.Decimal, "Raw": msgspec.Raw, "UTC": dt.UTC, "odd": odd}


class Records:
    """Turns the rows of one schema into JSON; `None` when something in them is odd."""

    __slots__ = (
        "_exact",
        "_get",
        "_keys",
        "_names",
        "_nullable",
        "_pick",
        "_struct",
        "_structs",
        "_text",
        "one",
        "sources",
    )

    def __init__(self, struct: Any, names: Sequence[str], types: Sequence[Any], text: Text) -> None:
        self._struct, self._structs, self._text = struct, list[struct], text
        # NOTE: with a single name an itemgetter returns a bare value, hence the branch.
        get, first = itemgetter(*names), names[0]
        self._names, self._get = names, get if len(names) > 1 else lambda row: (row[first],)
        self._exact = tuple[tuple(list[kind] for kind in types)]  # type: ignore[misc, valid-type]
        self._nullable = tuple[tuple(list[kind | None] for kind in types)]  # type: ignore[misc, valid-type]
        self._keys: tuple[str, ...] = ()
        self._pick: Callable[[Any], Any] | None = None
        self.sources = text.sources
        self.one: Write = _write_one(struct, text)

    def several(self, rows: Any) -> bytes | None:
        """Write a list or tuple of dicts, or of Records."""
        if rows.__class__ is not list and rows.__class__ is not tuple:
            return None
        kinds = set(map(type, rows))
        try:
            if kinds == _RECORD:
                return self._write_columns(list(zip(*map(self._get, rows), strict=True)))
            if kinds != _DICT:
                return None if rows else b"[]"
            return self._text.write(convert(rows, self._structs, builtin_types=_BUILT_IN))
        except _ODD:
            return None
        except KeyError:  # a Record without one of the columns
            return None

    def table(self, records: list[Any]) -> bytes | None:
        """Write the Records that one statement gave: all of them have the same columns.

        PERF: whole columns are got, checked and put into structs, and no name is looked up in a
        row (benchmarks/schemas.py, row dump 100 Records).
        """
        if not records:
            return b"[]"
        keys = tuple(records[0].keys())
        if keys != self._keys:
            self._keys, self._pick = keys, self._read_columns(keys)
        if self._pick is None:
            return None
        try:
            return self._write_columns(self._pick(list(zip(*records, strict=True))))
        except _ODD:
            return None

    def _read_columns(self, keys: tuple[str, ...]) -> Callable[[Any], Any] | None:
        """Return what puts columns under *keys* in the schema's order; `None` if one is not there.

        Of columns with the same name, the last counts, as in a dict of the row.
        """
        places = {key: place for place, key in enumerate(keys)}
        if not places.keys() >= set(self._names):
            return None
        wanted = [places[name] for name in self._names]
        if wanted == list(range(len(keys))):
            return list
        return lambda columns: [columns[place] for place in wanted]

    def _write_columns(self, columns: Columns) -> bytes | None:
        try:
            checked = convert(columns, self._exact, builtin_types=_BUILT_IN)
        except msgspec.ValidationError:
            # PERF: types that allow null are checked more slowly, and few columns hold one.
            checked = convert(columns, self._nullable, builtin_types=_BUILT_IN)
        return self._text.write(list(map(self._struct, *checked)))


def _write_one(struct: Any, text: Text) -> Write:
    prepare, encode = text.prepare, text.encode

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


class Text:
    """Writes structs as JSON, and mends in the bytes what marshmallow writes otherwise.

    PERF: nothing is done for each value that can be done for all (benchmarks/schemas.py, rows dump
    100). msgspec ends moments in UTC with Z, isoformat with +00:00; as many Z in the bytes as there
    are such moments are theirs, else a Z is one when it ends a string before the key of the next
    field. A decimal in scientific notation has an E in it.
    """

    __slots__ = (
        "_find_decimals",
        "_find_odd",
        "_find_zones",
        "_mend",
        "_spell",
        "encode",
        "prepare",
        "sources",
    )

    def __init__(self, owner: str, columns: Sequence[Column], names: Sequence[str]) -> None:
        self.encode = encode = msgspec.json.Encoder().encode
        self.sources = (
            emit_prepare(owner, columns, {**_NAMES, "encode": encode}),
            emit_spell(owner, columns),
            emit_find_odd(owner, columns),
            emit_values("decimal", "{v}", owner, columns),
            emit_values("datetime", "{v}.tzinfo", owner, columns),
        )
        functions = [source.build() for source in self.sources]
        self.prepare, self._spell, self._find_odd, self._find_decimals, self._find_zones = functions
        ends = [re.escape(b'",%b:' % encode(name)) for name in names[1:]] + [b'"}']
        moments = [end for end, one in zip(ends, columns, strict=True) if one.kind == "datetime"]
        self._mend = re.compile(b"Z(?=%b)" % b"|".join(moments)).sub if moments else None

    def write(self, rows: list[Any]) -> bytes | None:
        """Return the JSON of *rows*, which are structs; `None` when something in them is odd.

        Raises:
            UnicodeEncodeError: something in them is odd.
        """
        if self._find_odd(rows):
            return None
        written = self.encode(rows)
        if b"E" in written and "E" in "".join(map(str, self._find_decimals(rows))):
            self._spell(rows)
            written = self.encode(rows)
        if self._mend is None:
            return written
        zones = self._find_zones(rows)
        moments = zones.count(dt.UTC)
        if moments != len(zones) and moments + zones.count(None) != len(zones):
            return None
        size = len(written) + moments * (len(_OFFSET) - len(b"Z"))
        mended = written.replace(b"Z", _OFFSET)
        if len(mended) != size:
            mended = self._mend(_OFFSET, written)
        return mended if len(mended) == size else None


_OFFSET: Final = b"+00:00"


def read_records(schema: Schema, owner: str) -> Records | None:
    """Return what writes the rows of *schema*, or `None` when a field of it is no plain column."""
    members, columns, names, types = [], [], [], []
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
        names.append(key)
        types.append(column_type)
    if not members:
        return None
    try:
        # PERF: structs without garbage collection, since they hold no containers
        # (benchmarks/schemas.py, row dump).
        struct = msgspec.defstruct(owner, members, gc=False)
    except ValueError:  # a key that JSON must escape
        return None
    return Records(struct, names, types, Text(owner, columns, names))


def _kind(field: Any) -> tuple[str, Any] | None:
    base = field_base(field)
    if base is not None and issubclass(base, Reference):
        return _kind(field.id_field)
    if base is None or not is_usual(field):
        return None
    if issubclass(base, fields.Decimal) and not field.as_string:
        return None
    return next((kind for known, kind in _KINDS.items() if issubclass(base, known)), None)
