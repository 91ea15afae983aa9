"""The loading of each kind of field: one function a field, put together at start-up.

Such a unit takes a value, the data around it and options; it returns the loaded value,
`missing`, or a `Rejected` with marshmallow's own messages. Only odd values reach marshmallow's
code.
"""

from __future__ import annotations

import decimal
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from marshmallow import ValidationError, fields, missing
from marshmallow.utils import is_collection, is_sequence_but_not_string

from msframework.codec.bounds import count_messages
from msframework.codec.errors import InexactNumber, Loaded, Messages, Rejected, copy_containers
from msframework.codec.exact import EXACT
from msframework.codec.facts import FieldFacts, read_inner
from msframework.codec.plan import Nesting, SchemaPlan
from msframework.codec.validators import run_checks
from msframework.schemas.reference import Reference
from msframework.schemas.strict import StrictDecimal, StrictInteger, has_small_exponent
from msframework.types import Field, JSONValue

LoadOptions = Mapping[str, Any]
LoadUnit = Callable[[JSONValue, JSONValue, LoadOptions], Loaded]
# The class of the values that a field takes as they are.
TAKEN_AS_IS: Final[dict[type[Field], type]] = {fields.Integer: int, fields.String: str}


def compile_unit(facts: FieldFacts, compiler: Nesting) -> LoadUnit:
    """Return the function that loads a value as `field.deserialize` would.

    Args:
        compiler: compiles nested schemas, and is told of fields that marshmallow must load.
    """
    reason = facts.reason
    if reason is None and facts.has_hooks:
        reason = "pre_load and post_load call the user's code"
    if reason is None and facts.base is not None:
        core = _core(facts, facts.base, compiler)
        if core is not None:
            return _checked(facts, facts.base, core)
        reason = "its nested schema cannot be compiled"
    compiler.note_load(facts.field, reason or "unknown")
    return _by_marshmallow(facts.field, facts.key)


def _by_marshmallow(field: Field, key: str | None) -> LoadUnit:
    def load(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
        try:
            if key is None:
                return field.deserialize(value, **options)
            return field.deserialize(value, key, data, **options)
        except ValidationError as exc:
            return Rejected(copy_containers(exc.messages), exc.valid_data)

    return load


def _refusal(field: Field, name: str) -> Callable[[], Rejected]:
    """Return the function that refuses with the field's message *name*."""
    message = field.error_messages.get(name)
    if isinstance(message, str) and "{" not in message and "}" not in message:
        return lambda: Rejected([message])
    return lambda: Rejected(copy_containers(field.make_error(name).messages))


def _checked(facts: FieldFacts, base: type[Field], core: LoadUnit) -> LoadUnit:
    """Return *core* with the steps before it (absent, null) and after it (validators)."""
    field = facts.field
    required = field.required and not issubclass(base, fields.Constant)
    allow_none = field.allow_none
    is_absent, is_null = _refusal(field, "required"), _refusal(field, "null")
    default = field.load_default
    make = default if callable(default) else None
    checks = tuple(rule.check for rule in facts.rules)

    def load(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
        if value is missing:
            if required:
                return is_absent()
            return default if make is None else make()
        if value is None:
            return None if allow_none else is_null()
        found = core(value, data, options)
        if checks and found.__class__ is not Rejected:
            messages = run_checks(checks, found)
            if messages is not None:
                return Rejected(messages)
        return found

    return load


def _core(facts: FieldFacts, base: type[Field], compiler: Nesting) -> LoadUnit | None:
    """Return the function for values that are there; `None` when marshmallow must do it."""
    field, key = facts.field, facts.key
    if issubclass(base, fields.Nested):
        return _load_nested(field, base, compiler)
    if issubclass(base, fields.List):
        return _load_list(field, compile_unit(read_inner(field.inner), compiler), compiler.most)
    if issubclass(base, fields.Tuple):
        parts = tuple(compile_unit(read_inner(inner), compiler) for inner in field.tuple_fields)
        return _load_tuple(field, parts)
    if issubclass(base, fields.Mapping) and (field.key_field or field.value_field):
        key_unit, value_unit = (
            None if inner is None else compile_unit(read_inner(inner), compiler)
            for inner in (field.key_field, field.value_field)
        )
        return _load_mapping(field, key_unit, value_unit, compiler.most)
    if issubclass(base, Reference):
        return compile_unit(read_inner(field.id_field, key), compiler)
    load = _load_scalar(field, base, key)
    return _exactly(field, base, load) if compiler.exact and issubclass(base, EXACT) else load


def _load_scalar(field: Field, base: type[Field], key: str | None) -> LoadUnit:
    convert = field._deserialize

    def load(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
        try:
            return convert(value, key, data, **options)
        except ValidationError as exc:
            return Rejected(copy_containers(exc.messages), exc.valid_data)

    exact = next((kind for known, kind in TAKEN_AS_IS.items() if issubclass(base, known)), None)
    if exact is None:
        return load

    def load_exact(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
        return value if value.__class__ is exact else load(value, data, options)

    return load_exact


def _exactly(field: Any, base: type[Field], load: LoadUnit) -> LoadUnit:
    """Return *load* for the bodies of requests, whose numbers can be read again with all digits."""
    if issubclass(base, StrictInteger):

        def load_integer(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
            if value.__class__ is float and value.is_integer():
                raise InexactNumber
            return load(value, data, options)

        return load_integer
    as_it_is = issubclass(base, StrictDecimal) and field.places is None

    def load_decimal(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
        if value.__class__ is float:
            raise InexactNumber
        if as_it_is and value.__class__ is decimal.Decimal and has_small_exponent(value):
            return value
        if as_it_is and value.__class__ is int:
            return decimal.Decimal(value)
        return load(value, data, options)

    return load_decimal


def _load_nested(field: Any, base: type[Field], compiler: Nesting) -> LoadUnit | None:
    plan = compiler.nested(field, load=True)
    if plan is None:
        return None
    many = bool(plan.schema.many or field.many)
    unknown = field.unknown

    def load(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
        if many and not is_collection(value):
            kind = value.__class__.__name__
            error = field.make_error("type", input=value, type=kind)
            return Rejected(copy_containers(error.messages))
        return plan.load_nested(value, options.get("partial"), unknown)

    return _load_pluck(field, plan, load) if issubclass(base, fields.Pluck) else load


def _load_pluck(field: fields.Pluck, plan: SchemaPlan, nested: LoadUnit) -> LoadUnit:
    key, many, load_plan = field._field_data_key, field.many, plan.load_nested
    is_list = bool(plan.schema.many or many)
    unknown = field.unknown

    def load(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
        if is_list and not is_collection(value):
            return nested(value, data, options)
        whole = [{key: item} for item in value] if many else {key: value}
        return load_plan(whole, options.get("partial"), unknown)

    return load


def _load_list(field: Field, inner: LoadUnit, most: int | None) -> LoadUnit:
    def load(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
        if value.__class__ is not list and not is_collection(value):
            return Rejected(copy_containers(field.make_error("invalid").messages))
        result, errors, left = [], {}, most
        for index, item in enumerate(value):
            found = inner(item, None, options)
            if found.__class__ is not Rejected:
                result.append(found)
                continue
            if found.valid is not None:
                result.append(found.valid)
            errors[index] = found.messages
            if left is not None and (left := left - count_messages(found.messages, left)) < 0:
                break
        return Rejected(errors, result) if errors else result

    return load


def _load_tuple(field: fields.Tuple, parts: tuple[LoadUnit, ...]) -> LoadUnit:
    def load(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
        if not is_sequence_but_not_string(value):
            return Rejected(copy_containers(field.make_error("invalid").messages))
        try:
            field.validate_length(value)
        except ValidationError as exc:
            return Rejected(copy_containers(exc.messages))
        result, errors = [], {}
        for index, (part, item) in enumerate(zip(parts, value, strict=True)):
            found = part(item, None, options)
            if found.__class__ is not Rejected:
                result.append(found)
                continue
            if found.valid is not None:
                result.append(found.valid)
            errors[index] = found.messages
        return Rejected(errors, result) if errors else tuple(result)

    return load


def _load_mapping(
    field: Any, load_key: LoadUnit | None, load_value: LoadUnit | None, most: int | None
) -> LoadUnit:
    def load(value: JSONValue, data: JSONValue, options: LoadOptions) -> Loaded:
        if not isinstance(value, Mapping):
            return Rejected(copy_containers(field.make_error("invalid").messages))
        errors: dict[object, dict[str, Messages]] = defaultdict(dict)
        keys = {}
        for key in value:
            found = key if load_key is None else load_key(key, None, options)
            if found.__class__ is Rejected:
                errors[key]["key"] = found.messages
                if most is not None and len(errors) > most:
                    break
            else:
                keys[key] = found
        result, left = field.mapping_type(), most
        for key, item in value.items():
            found = item if load_value is None else load_value(item, None, options)
            if found.__class__ is Rejected:
                errors[key]["value"] = found.messages
                if left is not None and (left := left - count_messages(found.messages, left)) < 0:
                    break
                found = found.valid
                if found is None:
                    continue
            if key in keys:
                result[keys[key]] = found
        return Rejected(dict(errors), result) if errors else result

    return load
