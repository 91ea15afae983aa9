"""How each kind of field is dumped: a unit for any value, and a term for the usual one.

Both are put together at start-up. A unit takes what `field._serialize` takes; a term is the
expression that `emit` writes into the function of a whole schema.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from asyncpg.pgproto.pgproto import UUID as PgUUID
from marshmallow import fields, missing
from marshmallow.utils import pluck
from orjson import Fragment

from msframework.codec.known import AnyField, field_base, is_usual, why_unknown
from msframework.codec.plan import Nesting
from msframework.schemas.reference import IDS, Reference
from msframework.schemas.strict import ZonedDateTime
from msframework.strict_json import dumps

Unit = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Term:
    """`good if test else other` over `{v}`, a value that may be None or odd, but not absent.

    Args:
        names: what the names in it stand for.
        pure: a passed-through value, for which `test` only asks whether it is there.
    """

    test: str
    good: str
    other: str
    names: dict[str, Any] = field(default_factory=dict)
    pure: bool = False

    def write(self, v: str, may_be_absent: bool) -> str:
        """Return the expression for the variable *v*."""
        if self.pure and not may_be_absent:
            return v
        good, test, other = (part.replace("{v}", v) for part in (self.good, self.test, self.other))
        return f"{good} if {test} else {other}"


class Absent(Exception):
    """A record lacks a value: the usual path gives way to the one for any object."""


def absent() -> Any:
    """Give up the usual path."""
    raise Absent


def compile_unit(field: Any, compiler: Nesting, json: bool) -> Unit:
    """Return the function that dumps a value as `field._serialize` would.

    Args:
        json: whether the result goes straight to orjson, which writes dates and UUIDs itself.
    """
    reason = why_unknown(field)
    base = field_base(field)
    if base is None or _is_open(field, base):
        compiler.note_open()
    if reason is None and base is not None:
        unit = _compose(field, base, compiler, json)
        if unit is not None:
            return unit
        reason = "its nested schema cannot be compiled"
    compiler.note_dump(field, reason or "unknown")
    serialize: Unit = field._serialize
    return serialize


def _is_open(field: Any, base: type[AnyField]) -> bool:
    """Tell whether *field* may pass on a value of whatever type, times of day among them."""
    if issubclass(base, fields.Mapping):
        return field.value_field is None
    return issubclass(base, (fields.Raw, fields.Enum, fields.Constant))


def _dump_boolean(value: Any, attr: Any, obj: Any) -> Any:
    """Return what stands where a boolean should, written already."""
    if value is None or value is True or value is False:
        return value
    try:
        return Fragment(dumps(value))
    except TypeError:  # whoever writes the whole says so, once all values are got
        return value


def _compose(field: Any, base: type[AnyField], compiler: Nesting, json: bool) -> Unit | None:
    if issubclass(base, Reference):
        return _dump_reference(field, compiler, json)
    if issubclass(base, fields.Nested):
        return _dump_nested(field, base, compiler, json)
    if issubclass(base, fields.List):
        inner = compile_unit(field.inner, compiler, json)
        return lambda value, attr, obj: (
            None if value is None else [inner(item, attr, obj) for item in value]
        )
    if issubclass(base, fields.Tuple):
        parts = tuple(compile_unit(inner, compiler, json) for inner in field.tuple_fields)
        return lambda value, attr, obj: (
            None
            if value is None
            else tuple(part(item, attr, obj) for part, item in zip(parts, value, strict=True))
        )
    if issubclass(base, fields.Mapping) and (field.key_field or field.value_field):
        return _dump_mapping(field, compiler, json)
    if json and issubclass(base, fields.Boolean):
        return _dump_boolean
    serialize: Unit = field._serialize
    return serialize


def _dump_nested(field: Any, base: type[AnyField], compiler: Nesting, json: bool) -> Unit | None:
    plan = compiler.nested(field, load=False)
    if plan is None:
        return None
    many = bool(plan.schema.many or field.many)
    dump = plan.dump_values if json else plan.dump
    if not issubclass(base, fields.Pluck):
        return lambda value, attr, obj: None if value is None else dump(value, many)
    key, is_list = field._field_data_key, field.many

    def unit(value: Any, attr: Any, obj: Any) -> Any:
        if value is None:
            return None
        found = dump(value, many)
        return pluck(found, key=key) if is_list else found[key]

    return unit


def _dump_reference(field: Reference, compiler: Nesting, json: bool) -> Unit | None:
    plan = compiler.plan_of(lambda: field.schema)
    if plan is None:
        return None
    dump = plan.dump_values if json else plan.dump
    many = bool(plan.schema.many)
    id_unit = compile_unit(field.id_field, compiler, json)

    def unit(value: Any, attr: Any, obj: Any) -> Any:
        if value is None:
            return None
        return id_unit(value, attr, obj) if isinstance(value, IDS) else dump(value, many)

    return unit


def _dump_mapping(field: Any, compiler: Nesting, json: bool) -> Unit:
    make = field.mapping_type
    # NOTE: keys stay as marshmallow writes them, since orjson must see strings.
    dump_key = None if field.key_field is None else compile_unit(field.key_field, compiler, False)
    value_field = field.value_field
    dump_value = None if value_field is None else compile_unit(value_field, compiler, json)

    def unit(value: Any, attr: Any, obj: Any) -> Any:
        if value is None:
            return None
        if dump_key is None:
            keys = {key: key for key in value}
        else:
            keys = {key: dump_key(key, None, None) for key in value}
        result = make()
        for key, item in value.items():
            if dump_value is not None:
                result[keys[key]] = dump_value(item, None, None)
            elif key in keys:
                result[keys[key]] = item
        return result

    return unit


def read_term(field: Any, attr: str, name: str, unit: Unit, json: bool) -> Term:
    """Return the term for the values of *field*, which stands under *attr* in its schema.

    Args:
        name: the name in the term for *unit*, which takes the odd values.
    """

    def guarded(value: Any, attr: Any, obj: Any) -> Any:
        if value is missing:
            raise Absent
        return unit(value, attr, obj)

    base = field_base(field)
    assert base is not None
    slow = f"{name}({{v}}, {attr!r}, obj)"
    if issubclass(base, fields.List):
        inner = field_base(field.inner)
        if inner is not None and not issubclass(inner, _COMPOSED):
            one = _scalar_term(field.inner, inner, f"{name}i({{v}}, {attr!r}, obj)", json)
            plain = _dump_boolean if json and issubclass(inner, fields.Boolean) else None
            names = {name: guarded, f"{name}i": plain or field.inner._serialize}
            return Term(
                "{v}.__class__ is list", f"[{one.write('e', False)} for e in {{v}}]", slow, names
            )
    term = _scalar_term(field, base, slow, json)
    return Term(term.test, term.good, term.other, {name: guarded}, term.pure)


def _scalar_term(field: Any, base: type[AnyField], slow: str, json: bool) -> Term:
    if issubclass(base, fields.Raw) or (issubclass(base, fields.Boolean) and not json):
        return Term("{v} is not missing", "{v}", "absent()", {}, True)
    if issubclass(base, _COMPOSED):
        # NOTE: also for None, since a nested schema that cannot be found must be missed.
        return Term("{v} is missing", "absent()", slow)
    if issubclass(base, fields.Decimal) and is_usual(field):
        good = 'format({v}, "f")' if field.as_string else "{v}"
        return Term("{v}.__class__ is Decimal", good, slow)
    for known, parts in (*(_JSON_TERMS.items() if json else ()), *_TERMS.items()):
        if issubclass(base, known) and is_usual(field):
            return Term(*(part.replace("{slow}", slow) for part in parts))
    return Term("{v} is None", "None", slow)


_COMPOSED: Final = (fields.Nested, fields.List, fields.Tuple, fields.Mapping, Reference)
_TERMS: Final[dict[type[AnyField], tuple[str, str, str]]] = {
    fields.Integer: ("{v}.__class__ is int or {v} is None", "{v}", "{slow}"),
    fields.Float: ("{v}.__class__ is float or {v} is None", "{v}", "{slow}"),
    fields.String: ("{v}.__class__ is str or {v} is None", "{v}", "{slow}"),
}
_MOMENT: Final = "{v}.__class__ is datetime and ({v}.tzinfo is UTC or {v}.tzinfo is None)"
_JSON_TERMS: Final[dict[type[AnyField], tuple[str, str, str]]] = {
    fields.UUID: (
        "{v}.__class__ is PgUUID",
        "str({v})",
        "({v} if {v}.__class__ is UUID else {slow})",
    ),
    fields.Boolean: ("{v} is True or {v} is False or {v} is None", "{v}", "{slow}"),
    ZonedDateTime: ("{v}.__class__ is datetime and {v}.tzinfo is UTC", "{v}", "{slow}"),
    fields.DateTime: (_MOMENT, "{v}", "{slow}"),
    fields.Date: ("{v}.__class__ is date", "{v}", "{slow}"),
}
# What the terms name, whichever of them a schema needs.
NAMES: Final[dict[str, Any]] = {
    "Absent": Absent,
    "Decimal": decimal.Decimal,
    "PgUUID": PgUUID,
    "UTC": dt.UTC,
    "UUID": uuid.UUID,
    "absent": absent,
    "date": dt.date,
    "datetime": dt.datetime,
    "missing": missing,
}
