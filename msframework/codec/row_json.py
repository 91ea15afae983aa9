"""The JSON of rows, as msgspec writes it, with marshmallow's form where that differs.

`RowJSON` is built at start-up; it writes per request.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from asyncpg import Record
from asyncpg.pgproto.pgproto import UUID as PgUUID

from msframework.codec.errors import UnusualValue, give_up
from msframework.codec.row_source import (
    RowColumn,
    emit_find_odd,
    emit_spell,
    emit_values,
    emit_write_one,
)
from msframework.types import Namespace

_OFFSET: Final = b"+00:00"
_MOMENTS: Final = frozenset(("datetime", "zoned"))


def as_float(value: Any) -> float:
    """Return a whole number as the float that a field makes of it; everything else is odd."""
    return float(value) if value.__class__ is int and -1e16 < value < 1e16 else give_up()


def as_naive(value: Any) -> object:
    """Return *value* if it is a moment without a zone; everything else is odd."""
    return value if value.__class__ is dt.datetime and value.tzinfo is None else give_up()


# A KeyError is a row without one of the columns.
NOT_USUAL: Final = (UnusualValue, KeyError, msgspec.ValidationError, UnicodeEncodeError)
_NAMES: Final[Namespace] = {
    "Decimal": decimal.Decimal,
    "PgUUID": PgUUID,
    "Raw": msgspec.Raw,
    "UTC": dt.UTC,
    "UUID": uuid.UUID,
    "as_float": as_float,
    "as_naive": as_naive,
    "date": dt.date,
    "datetime": dt.datetime,
    "expected": NOT_USUAL,
    "odd": give_up,
    "records": frozenset((dict, Record)),
    "time": dt.time,
}


class RowJSON:
    """Writes one row, or the structs of many, and mends their bytes where marshmallow's differ.

    PERF: nothing is done for each value that can be done for all (benchmarks/schemas.py, rows dump
    100). msgspec ends moments in UTC with Z, isoformat with +00:00; as many Z in the bytes as there
    are such moments are theirs, else a Z is one when it ends a string before the key of the next
    field. A decimal in scientific notation has an E in it.
    """

    __slots__ = (
        "_find_decimals",
        "_find_sure_zones",
        "_find_zones",
        "_mend",
        "_spell",
        "encode",
        "find_odd",
        "find_odd_texts",
        "sources",
        "write_one",
    )

    def __init__(
        self, owner: str, columns: Sequence[RowColumn], struct: type[msgspec.Struct]
    ) -> None:
        self.encode = encode = msgspec.json.Encoder().encode
        self.sources = (
            emit_write_one(owner, columns, {**_NAMES, "encode": encode, "struct": struct}),
            emit_spell(owner, columns),
            emit_find_odd(owner, columns, dict(_NAMES)),
            emit_find_odd(owner, [one for one in columns if one.kind != "uuid"], dict(_NAMES)),
            emit_values("decimal", "{v}", owner, columns),
            emit_values("datetime", "{v}.tzinfo", owner, columns),
            emit_values("zoned", "{v}.tzinfo", owner, columns),
        )
        functions = [source.build() for source in self.sources]
        self.write_one, self._spell, self.find_odd, self.find_odd_texts = functions[:4]
        self._find_decimals, self._find_zones, self._find_sure_zones = functions[4:]
        ends = [re.escape(b'",%b:' % encode(one.key)) for one in columns[1:]] + [b'"}']
        moments = [end for end, one in zip(ends, columns, strict=True) if one.kind in _MOMENTS]
        self._mend = re.compile(b"Z(?=%b)" % b"|".join(moments)).sub if moments else None

    def write(self, rows: list[object], find_odd: Callable[[list[object]], object]) -> bytes | None:
        """Return the JSON of *rows*, which are structs; `None` when something in them is odd.

        Args:
            find_odd: one of ours: `find_odd_texts` for structs whose UUIDs and decimals are texts.

        Raises:
            UnicodeEncodeError: something in them is odd.
        """
        if find_odd(rows):
            return None
        written = self.encode(rows)
        if b"E" in written and "E" in "".join(map(str, self._find_decimals(rows))):
            self._spell(rows)
            written = self.encode(rows)
        if self._mend is None:
            return written
        zones, sure_zones = self._find_zones(rows), self._find_sure_zones(rows)
        moments, sure = zones.count(dt.UTC), sure_zones.count(dt.UTC)
        if sure != len(sure_zones) or (
            moments != len(zones) and moments + zones.count(None) != len(zones)
        ):
            return None
        moments += sure
        size = len(written) + moments * (len(_OFFSET) - len(b"Z"))
        mended = written.replace(b"Z", _OFFSET)
        if len(mended) != size:
            mended = self._mend(_OFFSET, written)
        return mended if len(mended) == size else None
