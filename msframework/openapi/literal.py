"""Values of declarations as JSON, where a document may quote them. Runs at start-up."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from uuid import UUID

from msframework.types import UNSET, JSONValue

_AS_TEXT = (Decimal, UUID)
_AS_ISO = (dt.date, dt.time)


def read_literal(value: object) -> JSONValue:
    """Return the JSON value of *value*; `UNSET` for one that JSON cannot hold.

    Decimals and UUIDs become texts, dates and times ISO 8601, enum members their values; a class,
    a function or a NaN (and whatever contains one) is `UNSET`.
    """
    if isinstance(value, Enum):
        return read_literal(value.value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else UNSET
    if isinstance(value, _AS_TEXT):
        return str(value)
    if isinstance(value, _AS_ISO):
        return value.isoformat()
    if isinstance(value, Mapping):
        pairs = {str(key): read_literal(item) for key, item in value.items()}
        return UNSET if UNSET in pairs.values() else pairs
    if isinstance(value, (Sequence, Set)) and not isinstance(value, (bytes, bytearray)):
        items = [read_literal(item) for item in value]
        return UNSET if UNSET in items else items
    return UNSET


def read_literals(values: Iterable[object]) -> list[JSONValue]:
    """Return those of *values* that JSON can hold, each once, in their order."""
    found: list[JSONValue] = []
    for value in values:
        literal = read_literal(value)
        if literal is not UNSET and not any(_same(literal, other) for other in found):
            found.append(literal)
    return found


def _same(one: object, other: object) -> bool:
    # NOTE: in Python True == 1; in JSON they are two values.
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)
