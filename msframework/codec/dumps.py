"""The dumping of each kind of field: one function a field, put together at start-up.

Such a unit has the arguments and the result of `field._serialize`; for JSON, a value that orjson
writes as that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import fields
from marshmallow.utils import pluck
from orjson import Fragment

from msframework.codec.facts import FieldFacts, read_inner
from msframework.codec.plan import Nesting
from msframework.schemas.reference import IDS, Reference
from msframework.strict_json import dumps
from msframework.types import Field

DumpUnit = Callable[[Any, object, object], object]


def compile_unit(facts: FieldFacts, compiler: Nesting, json: bool) -> DumpUnit:
    """Return the function that dumps a value as `field._serialize` would.

    Args:
        json: whether the result goes straight to orjson, which writes dates and UUIDs itself.
    """
    field, base, reason = facts.field, facts.base, facts.reason
    if base is None or _is_open(field, base):
        compiler.note_open()
    if reason is None and base is not None:
        unit = _compose(field, base, compiler, json)
        if unit is not None:
            return unit
        reason = "its nested schema cannot be compiled"
    compiler.note_dump(field, reason or "unknown")
    serialize: DumpUnit = field._serialize
    return serialize


def _is_open(field: Any, base: type[Field]) -> bool:
    """Tell whether *field* may pass on a value of whatever type, times of day among them."""
    if issubclass(base, fields.Mapping):
        return field.value_field is None
    return issubclass(base, (fields.Raw, fields.Enum, fields.Constant))


def dump_boolean(value: object, attr: object, obj: object) -> object:
    """Return true, false or null as it is, and any other value as written JSON."""
    if value is None or value is True or value is False:
        return value
    try:
        return Fragment(dumps(value))
    except TypeError:  # whoever writes the whole says so, once all values are got
        return value


def _compose(field: Any, base: type[Field], compiler: Nesting, json: bool) -> DumpUnit | None:
    if issubclass(base, Reference):
        return _dump_reference(field, compiler, json)
    if issubclass(base, fields.Nested):
        return _dump_nested(field, base, compiler, json)
    if issubclass(base, fields.List):
        inner = compile_unit(read_inner(field.inner), compiler, json)
        return lambda value, attr, obj: (
            None if value is None else [inner(item, attr, obj) for item in value]
        )
    if issubclass(base, fields.Tuple):
        inners = map(read_inner, field.tuple_fields)
        parts = tuple(compile_unit(inner, compiler, json) for inner in inners)
        return lambda value, attr, obj: (
            None
            if value is None
            else tuple(part(item, attr, obj) for part, item in zip(parts, value, strict=True))
        )
    if issubclass(base, fields.Mapping) and (field.key_field or field.value_field):
        return _dump_mapping(field, compiler, json)
    if json and issubclass(base, fields.Boolean):
        return dump_boolean
    serialize: DumpUnit = field._serialize
    return serialize


def _dump_nested(field: Any, base: type[Field], compiler: Nesting, json: bool) -> DumpUnit | None:
    plan = compiler.nested(field, load=False)
    if plan is None:
        return None
    many = bool(plan.schema.many or field.many)
    dump = plan.dump_values if json else plan.dump
    if not issubclass(base, fields.Pluck):
        return lambda value, attr, obj: None if value is None else dump(value, many)
    key, is_list = field._field_data_key, field.many

    def unit(value: object, attr: object, obj: object) -> object:
        if value is None:
            return None
        found = dump(value, many)
        return pluck(found, key=key) if is_list else found[key]

    return unit


def _dump_reference(field: Reference, compiler: Nesting, json: bool) -> DumpUnit | None:
    plan = compiler.plan_of(lambda: field.schema)
    if plan is None:
        return None
    dump = plan.dump_values if json else plan.dump
    many = bool(plan.schema.many)
    id_unit = compile_unit(read_inner(field.id_field), compiler, json)

    def unit(value: object, attr: object, obj: object) -> object:
        if value is None:
            return None
        return id_unit(value, attr, obj) if isinstance(value, IDS) else dump(value, many)

    return unit


def _dump_mapping(field: Any, compiler: Nesting, json: bool) -> DumpUnit:
    make = field.mapping_type
    # NOTE: keys stay as marshmallow writes them, since orjson must see strings.
    dump_key, dump_value = (
        None if inner is None else compile_unit(read_inner(inner), compiler, written)
        for inner, written in ((field.key_field, False), (field.value_field, json))
    )

    def unit(value: Any, attr: object, obj: object) -> object:
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
