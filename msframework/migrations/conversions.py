"""Conversions between column types, safe and lossy. Runs when a migration is made.

A conversion is safe if PostgreSQL converts every value, or fails with nothing changed. It is lossy
if values are rounded, cut or merged without an error; such a one needs an answer (`--using`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Effect = Literal["kept", "checked", "lossy", "unknown"]

_PARTS: Final = re.compile(r"(?P<base>[^(\[]+?)\s*(?:\((?P<size>[\d, ]+)\))?(?P<array>(?:\[\])*)\Z")
_INTEGERS: Final = ("smallint", "integer", "bigint")
_FLOATS: Final = ("real", "double precision")
_TEXTS: Final = ("text", "varchar", "citext")
_TIMES: Final = ("timestamp", "timestamptz")


@dataclass(frozen=True, slots=True)
class Conversion:
    """The conversion of values from one type to another.

    Args:
        effect: `kept` (no value changes), `checked` (a value that does not fit fails the
            migration), `lossy` (values change without an error), `unknown` (PostgreSQL has no
            conversion: the expression has to be given).
        using: the expression that converts, with `{column}` in it; `None` for PostgreSQL's own.
    """

    effect: Effect
    using: str | None = None


@dataclass(frozen=True, slots=True)
class _Type:
    base: str
    size: tuple[int, ...]
    dimensions: int


def conversion(old: str, new: str) -> Conversion:
    """Return the conversion from the type *old* to *new*, both in canonical spelling."""
    one, other = _read(old), _read(new)
    if one == other:
        return Conversion("kept")
    if one.dimensions != other.dimensions:
        if not one.dimensions and other.dimensions == 1:
            inner = conversion(old, new.removesuffix("[]"))
            if inner.effect == "kept":
                return Conversion("kept", f"ARRAY[{{column}}]::{new}")
        if one.dimensions and other.base == "jsonb" and not other.dimensions:
            return Conversion("kept", "to_jsonb({column})")
        return Conversion("unknown")
    if one.dimensions:
        return _of_arrays(one, other, new)
    if one.base == other.base:
        return _of_sizes(one, other)
    return _of_bases(one, other, new)


def are_akin(old: str, new: str) -> bool:
    """Say whether a column of one type may be one of the other under a new name."""
    one, other = _read(old), _read(new)
    if one.dimensions != other.dimensions:
        return False
    kinds = (_INTEGERS, (*_TEXTS, "char"), (*_FLOATS, "numeric"), _TIMES)
    return one.base == other.base or any({one.base, other.base} <= set(kind) for kind in kinds)


def _read(text: str) -> _Type:
    match = _PARTS.match(text)
    if match is None:
        return _Type(text, (), 0)
    size = tuple(int(part) for part in (match["size"] or "").split(",") if part.strip())
    return _Type(match["base"], size, match["array"].count("["))


def _of_arrays(one: _Type, other: _Type, new: str) -> Conversion:
    inner = conversion(_text(one), _text(other))
    if inner.effect == "unknown":
        return inner
    return Conversion(inner.effect, None if inner.using is None else f"{{column}}::{new}")


def _text(kind: _Type) -> str:
    return f"{kind.base}({', '.join(map(str, kind.size))})" if kind.size else kind.base


def _of_sizes(one: _Type, other: _Type) -> Conversion:
    """Return the conversion between two sizes of one type, which an assignment checks."""
    if one.base == "numeric":
        return _of_numerics(one.size, other.size)
    if one.base in ("timestamp", "timestamptz", "time", "timetz", "interval"):
        digits = other.size[0] if other.size else 6
        return Conversion("kept" if digits >= (one.size[0] if one.size else 6) else "lossy")
    if one.base == "vector":
        return Conversion("checked")
    grows = not other.size or bool(one.size and other.size >= one.size)
    return Conversion("kept" if grows else "checked")


def _of_numerics(one: tuple[int, ...], other: tuple[int, ...]) -> Conversion:
    if not other:
        return Conversion("kept")
    scale = other[1] if len(other) > 1 else 0
    before = (one[1] if len(one) > 1 else 0) if one else None
    if before is None or scale < before:
        return Conversion("lossy")  # digits behind the point are rounded
    wide_enough = bool(one) and other[0] - scale >= one[0] - before
    return Conversion("kept" if wide_enough else "checked")


def _of_bases(one: _Type, other: _Type, new: str) -> Conversion:
    cast = f"{{column}}::{new}"
    pair = (one.base, other.base)
    if pair in _PAIRS:
        effect, using = _PAIRS[pair]
        return Conversion(effect, using)
    if other.base in _TEXTS or other.base == "char":
        return _to_text(one, other)
    if one.base in _TEXTS or one.base == "char":
        return Conversion("unknown" if other.base == "bytea" else "checked", cast)
    if one.base in _INTEGERS and other.base in _INTEGERS:
        grows = _INTEGERS.index(other.base) > _INTEGERS.index(one.base)
        return Conversion("kept" if grows else "checked")
    if one.base in _INTEGERS and other.base == "numeric":
        return Conversion("checked" if other.size else "kept")
    if one.base in (*_INTEGERS, "numeric") and other.base in _FLOATS:
        exact = one.base in ("smallint", "integer") and other.base == "double precision"
        return Conversion("kept" if exact else "lossy")
    if one.base in (*_FLOATS, "numeric") and other.base in _INTEGERS:
        whole = one.base == "numeric" and one.size[1:] in ((), (0,)) and bool(one.size)
        return Conversion("checked" if whole else "lossy")
    if one.base in _FLOATS and other.base == "numeric":
        return Conversion("lossy")
    return Conversion("unknown")


def _to_text(one: _Type, other: _Type) -> Conversion:
    """Return the conversion to a text type, whose size PostgreSQL checks on assignment."""
    if one.base == "bytea":
        return Conversion("unknown")
    if one.base == "char" or (one.base in _TEXTS and other.base == "char"):
        return Conversion("lossy")  # spaces at the end go
    if one.base in _TEXTS:
        return Conversion("checked" if other.size else "kept")
    if not other.size:
        return Conversion("kept")
    return Conversion("checked", "{column}::text")


_UTC: Final = "{column} AT TIME ZONE 'UTC'"
_PAIRS: Final[dict[tuple[str, str], tuple[Effect, str | None]]] = {
    ("real", "double precision"): ("kept", None),
    ("double precision", "real"): ("lossy", None),
    ("timestamp", "timestamptz"): ("kept", _UTC),
    ("timestamptz", "timestamp"): ("kept", _UTC),
    ("date", "timestamp"): ("kept", None),
    ("date", "timestamptz"): ("kept", "{column}::timestamp AT TIME ZONE 'UTC'"),
    ("timestamp", "date"): ("lossy", None),
    ("timestamptz", "date"): ("lossy", "({column} AT TIME ZONE 'UTC')::date"),
    ("timestamp", "time"): ("lossy", None),
    ("timestamptz", "time"): ("lossy", "({column} AT TIME ZONE 'UTC')::time"),
    ("time", "interval"): ("kept", None),
    ("interval", "time"): ("lossy", None),
    ("boolean", "smallint"): ("kept", "{column}::integer::smallint"),
    ("boolean", "integer"): ("kept", "{column}::integer"),
    ("boolean", "bigint"): ("kept", "{column}::integer::bigint"),
    ("smallint", "boolean"): ("lossy", "{column} <> 0"),
    ("integer", "boolean"): ("lossy", "{column} <> 0"),
    ("bigint", "boolean"): ("lossy", "{column} <> 0"),
    ("json", "jsonb"): ("lossy", "{column}::jsonb"),
    ("jsonb", "json"): ("kept", "{column}::json"),
    ("hstore", "jsonb"): ("kept", "hstore_to_jsonb({column})"),
    ("uuid", "bytea"): ("kept", "decode(replace({column}::text, '-', ''), 'hex')"),
    ("bytea", "uuid"): ("checked", "encode({column}, 'hex')::uuid"),
    ("inet", "cidr"): ("checked", "{column}::cidr"),
    ("cidr", "inet"): ("kept", None),
    ("xml", "text"): ("kept", "{column}::text"),
    ("smallint", "bytea"): ("unknown", None),
    ("integer", "bytea"): ("unknown", None),
    ("bigint", "bytea"): ("unknown", None),
}
