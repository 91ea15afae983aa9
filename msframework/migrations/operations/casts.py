"""The cast that a change of type needs. Runs at start-up."""

from __future__ import annotations

import re
from typing import Final

_NUMBERS: Final = frozenset(
    ("smallint", "integer", "bigint", "numeric", "real", "double precision")
)
_TEXTS: Final = frozenset(("text", "varchar", "char"))
_TIMES: Final = frozenset(("date", "timestamp", "timestamptz"))
_OTHER_NAMES: Final = """
    boolean uuid json jsonb bytea inet cidr macaddr time timetz interval money xml bit varbit
    tsvector tsquery point oid hstore int4range int8range numrange tsrange tstzrange daterange"""
_BUILT_IN: Final = _NUMBERS | _TEXTS | _TIMES | frozenset(_OTHER_NAMES.split())
_PARTS: Final = re.compile(r"([^([]+?)\s*(?:\(.*?\))?\s*((?:\[\])*)\Z")


def cast_between(value: str, old: str, new: str) -> str | None:
    """Return the expression that turns *value* of the type *old* into the type *new*.

    `None` where PostgreSQL casts by itself on assignment, which refuses what does not fit, while
    an explicit cast would cut it off.
    """
    one, one_array = _parts(old)
    two, two_array = _parts(new)
    if one_array == two_array:
        if one == two or two in _TEXTS:
            return None
        if any({one, two} <= group for group in (_NUMBERS, _TIMES)):
            return None
        if one == "boolean" and two in _NUMBERS - {"integer"}:
            return f"{value}::integer{one_array}::{new}"
        if two == "boolean" and one in _NUMBERS - {"integer"} and not one_array:
            return f"{value} <> 0"
        if one not in _BUILT_IN and two not in _BUILT_IN:  # of one enumerated type to another
            return f"{value}::text{one_array}::{new}"
    return f"{value}::{new}"


def _parts(text: str) -> tuple[str, str]:
    match = _PARTS.match(text.strip().lower())
    return (match[1], match[2]) if match else (text, "")
