"""Rows to JSON without Python in the way: msgspec checks their types and writes them.

A schema whose fields are all plain columns gets a Struct class. Rows with the values of such
columns become structs and then bytes, and `RowJSON` mends the forms in which msgspec differs;
anything odd sends the whole call to the schema's usual dump, which writes the same bytes.
`read_row_writer` runs at start-up, `StructWriter` per request.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

import msgspec
from asyncpg import Record
from marshmallow import fields
from msgspec import convert

from msframework._tested import supports
from msframework.codec.engine import RowWriter
from msframework.codec.facts import FieldFacts, read_inner
from msframework.codec.known import is_usual
from msframework.codec.row_json import NOT_USUAL, RowJSON
from msframework.codec.row_source import RowColumn
from msframework.schemas.reference import Reference
from msframework.schemas.strict import ZonedDateTime
from msframework.table import Table, Texts
from msframework.types import Field

_KINDS: Final[dict[type[Field], tuple[str, type]]] = {
    fields.Integer: ("int", int),
    fields.String: ("str", str),
    fields.Boolean: ("bool", bool),
    fields.Float: ("float", float),
    fields.Decimal: ("decimal", decimal.Decimal),
    fields.UUID: ("uuid", uuid.UUID),
    ZonedDateTime: ("zoned", dt.datetime),
    fields.DateTime: ("datetime", dt.datetime),
    fields.Date: ("date", dt.date),
    fields.Time: ("time", dt.time),
}
# The types that the database may send as texts.
_TEXTUAL: Final = frozenset((decimal.Decimal, uuid.UUID))
_MOST_TEXTS: Final = 64
# NOTE: values of built-in types are taken as they are; msgspec would read strings as well.
_BUILT_IN: Final = (decimal.Decimal, uuid.UUID, dt.datetime, dt.date, dt.time)


Columns = Sequence[Sequence[object]]
_DICT: Final = {dict}
_ROWS: Final = {dict, Record}


class StructWriter:
    """A `RowWriter` whose rows become structs of msgspec."""

    __slots__ = (
        "_as_texts",
        "_exact",
        "_fitting",
        "_get",
        "_json",
        "_keys",
        "_names",
        "_nullable",
        "_pick",
        "_struct",
        "_structs",
        "_texts",
        "sources",
        "write_one",
    )

    def __init__(self, owner: str, columns: Sequence[RowColumn], struct: Any) -> None:
        self._struct, self._json = struct, RowJSON(owner, columns, struct)
        names = [column.attribute for column in columns]
        # msgspec reads a dict under the keys that it writes.
        is_alike = names == [column.key for column in columns]
        self._structs = list[struct] if is_alike else None
        # NOTE: with a single name an itemgetter returns a bare value, hence the branch.
        get, first = itemgetter(*names), names[0]
        self._names, self._get = names, get if len(names) > 1 else lambda row: (row[first],)
        self._exact, self._nullable = _lists_of([column.type for column in columns])
        # The columns that the database may send as texts, and the types of all if it does.
        self._texts = {
            column.attribute: column.type for column in columns if column.type in _TEXTUAL
        }
        self._as_texts = _lists_of(
            [str if column.type in _TEXTUAL else column.type for column in columns]
        )
        self._fitting: dict[Texts, bool] = {}
        self._keys: tuple[str, ...] = ()
        self._pick: Callable[[Columns], Columns] | None = None
        self.sources = self._json.sources
        self.write_one: Callable[[object], bytes | None] = self._json.write_one

    def write_many(self, rows: Any) -> bytes | None:
        """Write a list or tuple of dicts, or of Records."""
        if rows.__class__ is not list and rows.__class__ is not tuple:
            return None
        kinds = set(map(type, rows))
        try:
            if kinds == _DICT and self._structs is not None:
                structs = convert(rows, self._structs, builtin_types=_BUILT_IN)
                return self._json.write(structs, self._json.find_odd)
            if kinds <= _ROWS:
                columns = list(zip(*map(self._get, rows), strict=True))
                return self._write_columns(columns) if columns else b"[]"
            return None
        except NOT_USUAL:
            return None

    def write_table(self, table: Table) -> bytes | None:
        """Write the rows that one statement gave: all of them have the same columns.

        PERF: whole columns are got, checked and put into structs, and no name is looked up in a
        row (benchmarks/schemas.py, row dump 100 Records).
        """
        records, texts, _ = table
        if texts and not self._fits(texts):
            return None
        if not records:
            return b"[]"
        keys = tuple(records[0].keys())
        if keys != self._keys:
            self._keys, self._pick = keys, self._read_columns(keys)
        if self._pick is None:
            return None
        try:
            columns = self._pick(list(zip(*records, strict=True)))
            return self._write_texts(columns) if texts else self._write_columns(columns)
        except NOT_USUAL:
            return None

    def _fits(self, texts: Texts) -> bool:
        """Tell whether *texts* are those of decimals and UUIDs, and whether they are all of these.

        The text of a numeric is marshmallow's form of its Decimal, `format(…, "f")`, and that
        of a uuid is its `str`; fields of other kinds make something else of the values.
        """
        fits = self._fitting.get(texts)
        if fits is None:
            held = {name: made for name, made in texts if name in self._names}
            fits = held.keys() == self._texts.keys() and all(
                issubclass(made, self._texts[name]) and self._names.count(name) == 1
                for name, made in held.items()
            )
            if len(self._fitting) < _MOST_TEXTS:
                self._fitting[texts] = fits
        return fits

    def _read_columns(self, keys: tuple[str, ...]) -> Callable[[Columns], Columns] | None:
        """Return the function that puts columns under *keys* in the schema's order.

        `None` when a column of the schema is not there. Of columns with the same name, the last
        counts, as in a dict of the row.
        """
        places = {key: place for place, key in enumerate(keys)}
        if not places.keys() >= set(self._names):
            return None
        wanted = [places[name] for name in self._names]
        if wanted == list(range(len(keys))):
            return list
        return lambda columns: [columns[place] for place in wanted]

    def _write_columns(self, columns: Columns) -> bytes | None:
        checked = _check(columns, self._exact, self._nullable)
        return self._json.write(list(map(self._struct, *checked)), self._json.find_odd)

    def _write_texts(self, columns: Columns) -> bytes | None:
        checked = _check(columns, *self._as_texts)
        return self._json.write(list(map(self._struct, *checked)), self._json.find_odd_texts)


def _check(columns: Columns, exact: object, nullable: object) -> Any:
    """Return *columns* if they hold values of their types.

    Raises:
        msgspec.ValidationError: they don't.
    """
    try:
        return convert(columns, exact, builtin_types=_BUILT_IN)
    except msgspec.ValidationError:
        # PERF: types that allow null are checked more slowly, and few columns hold one.
        return convert(columns, nullable, builtin_types=_BUILT_IN)


def _lists_of(types: Sequence[type]) -> tuple[object, object]:
    """Return the types of columns that hold *types*, without and with null."""
    exact = tuple[tuple(list[kind] for kind in types)]  # type: ignore[misc, valid-type]
    nullable = tuple[tuple(list[kind | None] for kind in types)]  # type: ignore[misc, valid-type]
    return exact, nullable


def read_row_writer(dumped: Sequence[FieldFacts], owner: str) -> RowWriter | None:
    """Return the writer of the rows of a schema, or `None` when a field of it is no plain column.

    Args:
        dumped: the fields that the schema dumps.
        owner: the name of its class.
    """
    if not supports("msgspec", "writing rows without objects"):
        return None
    columns = []
    for number, facts in enumerate(dumped):
        found = _kind(facts)
        if found is None or "." in facts.attribute:
            return None
        columns.append(RowColumn(f"c{number}", facts.key or "", facts.attribute, *found))
    if not columns:
        return None
    members = [
        (column.member, column.type | None, msgspec.field(name=column.key)) for column in columns
    ]
    try:
        # PERF: structs without garbage collection, since they hold no containers
        # (benchmarks/schemas.py, row dump).
        struct = msgspec.defstruct(owner, members, gc=False)
    except ValueError:  # a key that JSON must escape
        return None
    return StructWriter(owner, columns, struct)


def _kind(facts: FieldFacts) -> tuple[str, type] | None:
    """Return the kind of the column, a key of `row_source._ONE`, and the class of its values."""
    field, base = facts.field, facts.base
    if base is not None and issubclass(base, Reference):
        return _kind(read_inner(field.id_field))
    if base is None or not is_usual(field):
        return None
    if issubclass(base, fields.Decimal) and not field.as_string:
        return None
    return next((kind for known, kind in _KINDS.items() if issubclass(base, known)), None)
