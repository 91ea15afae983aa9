"""The expression that a change of type needs where nobody has given one. Runs at start-up."""

from __future__ import annotations

import re
from typing import Final

from msframework.migrations.conversions import conversion

_JSON: Final = ("json", "jsonb")
_PARTS: Final = re.compile(r"([^([]+?)\s*(?:\(.*?\))?\s*((?:\[\])*)\Z")


def cast_between(value: str, old: str, new: str) -> str | None:
    """Return the expression that turns *value* of the type *old* into the type *new*.

    `None` where PostgreSQL casts by itself on assignment, which refuses what does not fit, while
    an explicit cast would cut it off. Where no conversion is known, the text of a value is read as
    one of the new type, which fails for what is none.
    """
    known = conversion(old, new)
    if known.effect != "unknown":
        return None if known.using is None else known.using.format(column=value)
    one, one_array = _parts(old)
    two, two_array = _parts(new)
    if one_array != two_array or "bytea" in (one, two):
        return f"{value}::{new}"
    if one in _JSON and not one_array:
        return f"({value} #>> '{{}}')::{new}"
    return f"{value}::text{one_array}::{new}"


def is_first_list(old: str, new: str) -> bool:
    """Say whether values become lists of one value each."""
    return not _parts(old)[1] and bool(_parts(new)[1])


def _parts(text: str) -> tuple[str, str]:
    match = _PARTS.match(text.strip().lower())
    return (match[1], match[2]) if match else (text, "")
