"""The JSON form of values that only PostgreSQL has: ranges, bit strings, paths. Runs per request.

A range is written as PostgreSQL writes it (`[1,5)`, `empty`), bits as digits, a path as its points.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Final

from asyncpg import BitString, Path, Polygon, Range

_PLAIN: Final = re.compile(r"[^\s,()\[\]\"\\]+").fullmatch


def write_range(value: Range) -> str:
    """Return *value* as PostgreSQL writes it, with ISO 8601 for moments."""
    if value.isempty:
        return "empty"
    before, after = "[" if value.lower_inc else "(", "]" if value.upper_inc else ")"
    return f"{before}{_write_bound(value.lower)},{_write_bound(value.upper)}{after}"


def _write_bound(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    if _PLAIN(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write_bits(value: BitString) -> str:
    return str(value.as_string()).replace(" ", "")


def _write_path(value: Path) -> list[list[float]]:
    return [list(point) for point in value.points]


WRITERS: Final[dict[type, Callable[[Any], object]]] = {
    Range: write_range,
    BitString: _write_bits,
    Path: _write_path,
    Polygon: _write_path,
}
