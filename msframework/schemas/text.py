"""Writes structs of rows as JSON, and mends what msgspec writes otherwise than marshmallow.

`Text` is built at start-up; it writes per request.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import msgspec

from msframework.schemas.emit import (
    Column,
    emit_find_odd,
    emit_prepare,
    emit_spell,
    emit_values,
)

_OFFSET: Final = b"+00:00"


class Odd(Exception):
    """A value that msgspec would write otherwise than marshmallow."""


def odd() -> NoReturn:
    """Give up the structs: the schema's usual dump takes the rows."""
    raise Odd


_NAMES: Final = {"Decimal": decimal.Decimal, "Raw": msgspec.Raw, "UTC": dt.UTC, "odd": odd}


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

    def __init__(self, owner: str, columns: Sequence[Column], keys: Sequence[str]) -> None:
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
        ends = [re.escape(b'",%b:' % encode(key)) for key in keys[1:]] + [b'"}']
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
