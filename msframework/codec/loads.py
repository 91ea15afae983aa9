"""How each kind of field is loaded: one function a field, put together at start-up.

Such a unit takes a value, the data around it and what is partial; it returns the loaded value,
`missing`, or a `Bad` with marshmallow's own messages. Only odd values reach marshmallow's code.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Final

from marshmallow import ValidationError, fields, missing
from marshmallow.utils import is_aware, is_collection, is_sequence_but_not_string

from msframework.codec.bounds import count_messages
from msframework.codec.errors import Bad, copy_containers
from msframework.codec.exact import EXACT, Inexact
from msframework.codec.known import AnyField, field_base, is_usual, validator_base, why_unknown
from msframework.codec.plan import Nesting, Plan
from msframework.codec.validators import Rule, read_rules, run_checks
from msframework.schemas.columns import Ticks
from msframework.schemas.reference import Reference
from msframework.schemas.strict import (
    StrictDecimal,
    StrictInteger,
    StrictTime,
    StrictUUID,
    ZonedDateTime,
    has_no_zone,
    has_small_exponent,
    is_in_utc,
    read_decimal,
    read_uuid,
)

Options = Mapping[str, Any]
Unit = Callable[[Any, Any, Options], Any]
_EXACT: Final[dict[type[AnyField], type]] = {fields.Integer: int, fields.String: str}


def compile_unit(field: AnyField, key: str | None, compiler: Nesting) -> Unit:
    """Return the function that loads a value as `field.deserialize` would.

    Args:
        key: the name under which the value stands in its data; `None` inside a list and the like.
        compiler: compiles what is nested, and is told what marshmallow must do.
    """
    reason = why_unknown(field)
    if reason is None and (field.pre_load or field.post_load):
        reason = "pre_load and post_load call the user's code"
    base = field_base(field)
    if reason is None and base is not None:
        core = _core(field, base, key, compiler)
        if core is not None:
            return _checked(field, base, core)
        reason = "its nested schema cannot be compiled"
    compiler.note_load(field, reason or "unknown")
    return _by_marshmallow(field, key)


def _by_marshmallow(field: AnyField, key: str | None) -> Unit:
    def load(value: Any, data: Any, options: Options) -> Any:
        try:
            if key is None:
                return field.deserialize(value, **options)
            return field.deserialize(value, key, data, **options)
        except ValidationError as exc:
            return Bad(copy_containers(exc.messages), exc.valid_data)

    return load


def _refusal(field: AnyField, name: str) -> Callable[[], Bad]:
    """Return the function that refuses with the field's message *name*."""
    message = field.error_messages.get(name)
    if isinstance(message, str) and "{" not in message and "}" not in message:
        return lambda: Bad([message])
    return lambda: Bad(copy_containers(field.make_error(name).messages))


def _checked(field: AnyField, base: type[AnyField], core: Unit) -> Unit:
    """Return *core* with what comes before it (absent, null) and after it (validators)."""
    required = field.required and not issubclass(base, fields.Constant)
    allow_none = field.allow_none
    is_absent, is_null = _refusal(field, "required"), _refusal(field, "null")
    default = field.load_default
    make = default if callable(default) else None
    checks = tuple(rule.check for rule in read_rules(field.validators))

    def load(value: Any, data: Any, options: Options) -> Any:
        if value is missing:
            if required:
                return is_absent()
            return default if make is None else make()
        if value is None:
            return None if allow_none else is_null()
        found = core(value, data, options)
        if checks and found.__class__ is not Bad:
            messages = run_checks(checks, found)
            if messages is not None:
                return Bad(messages)
        return found

    return load


def _core(field: Any, base: type[AnyField], key: str | None, compiler: Nesting) -> Unit | None:
    """Return the function for values that are there; `None` when marshmallow must do it."""
    if issubclass(base, fields.Nested):
        return _load_nested(field, base, compiler)
    if issubclass(base, fields.List):
        return _load_list(field, compile_unit(field.inner, None, compiler), compiler.most)
    if issubclass(base, fields.Tuple):
        parts = tuple(compile_unit(inner, None, compiler) for inner in field.tuple_fields)
        return _load_tuple(field, parts)
    if issubclass(base, fields.Mapping) and (field.key_field or field.value_field):
        key_unit, value_unit = (
            None if inner is None else compile_unit(inner, None, compiler)
            for inner in (field.key_field, field.value_field)
        )
        return _load_mapping(field, key_unit, value_unit, compiler.most)
    if issubclass(base, Reference):
        return compile_unit(field.id_field, key, compiler)
    load = _load_scalar(field, base, key)
    return _exactly(field, base, load) if compiler.exact and issubclass(base, EXACT) else load


def _load_scalar(field: Any, base: type[AnyField], key: str | None) -> Unit:
    convert = field._deserialize

    def load(value: Any, data: Any, options: Options) -> Any:
        try:
            return convert(value, key, data, **options)
        except ValidationError as exc:
            return Bad(copy_containers(exc.messages), exc.valid_data)

    exact = next((kind for known, kind in _EXACT.items() if issubclass(base, known)), None)
    if exact is None:
        return load

    def load_exact(value: Any, data: Any, options: Options) -> Any:
        return value if value.__class__ is exact else load(value, data, options)

    return load_exact


def _exactly(field: Any, base: type[AnyField], load: Unit) -> Unit:
    """Return *load* for the bodies of requests, whose numbers can be read again with all digits."""
    if issubclass(base, StrictInteger):

        def load_integer(value: Any, data: Any, options: Options) -> Any:
            if value.__class__ is float and value.is_integer():
                raise Inexact
            return load(value, data, options)

        return load_integer
    as_it_is = issubclass(base, StrictDecimal) and field.places is None

    def load_decimal(value: Any, data: Any, options: Options) -> Any:
        if value.__class__ is float:
            raise Inexact
        if as_it_is and value.__class__ is decimal.Decimal and has_small_exponent(value):
            return value
        if as_it_is and value.__class__ is int:
            return decimal.Decimal(value)
        return load(value, data, options)

    return load_decimal


def _load_nested(field: Any, base: type[AnyField], compiler: Nesting) -> Unit | None:
    plan = compiler.nested(field, load=True)
    if plan is None:
        return None
    many = bool(plan.schema.many or field.many)
    unknown = field.unknown

    def load(value: Any, data: Any, options: Options) -> Any:
        if many and not is_collection(value):
            kind = value.__class__.__name__
            return Bad(copy_containers(field.make_error("type", input=value, type=kind).messages))
        return plan.load(value, options.get("partial"), unknown)

    return _load_pluck(field, plan, load) if issubclass(base, fields.Pluck) else load


def _load_pluck(field: Any, plan: Plan, nested: Unit) -> Unit:
    key, many, load_plan = field._field_data_key, field.many, plan.load
    is_list = bool(plan.schema.many or many)
    unknown = field.unknown

    def load(value: Any, data: Any, options: Options) -> Any:
        if is_list and not is_collection(value):
            return nested(value, data, options)
        whole = [{key: item} for item in value] if many else {key: value}
        return load_plan(whole, options.get("partial"), unknown)

    return load


def _load_list(field: Any, inner: Unit, most: int | None) -> Unit:
    def load(value: Any, data: Any, options: Options) -> Any:
        if value.__class__ is not list and not is_collection(value):
            return Bad(copy_containers(field.make_error("invalid").messages))
        result, errors, left = [], {}, most
        for index, item in enumerate(value):
            found = inner(item, None, options)
            if found.__class__ is not Bad:
                result.append(found)
                continue
            if found.valid is not None:
                result.append(found.valid)
            errors[index] = found.messages
            if left is not None and (left := left - count_messages(found.messages, left)) < 0:
                break
        return Bad(errors, result) if errors else result

    return load


def _load_tuple(field: Any, parts: tuple[Unit, ...]) -> Unit:
    def load(value: Any, data: Any, options: Options) -> Any:
        if not is_sequence_but_not_string(value):
            return Bad(copy_containers(field.make_error("invalid").messages))
        try:
            field.validate_length(value)
        except ValidationError as exc:
            return Bad(copy_containers(exc.messages))
        result, errors = [], {}
        for index, (part, item) in enumerate(zip(parts, value, strict=True)):
            found = part(item, None, options)
            if found.__class__ is not Bad:
                result.append(found)
                continue
            if found.valid is not None:
                result.append(found.valid)
            errors[index] = found.messages
        return Bad(errors, result) if errors else tuple(result)

    return load


def _load_mapping(
    field: Any, load_key: Unit | None, load_value: Unit | None, most: int | None
) -> Unit:
    def load(value: Any, data: Any, options: Options) -> Any:
        if not isinstance(value, Mapping):
            return Bad(copy_containers(field.make_error("invalid").messages))
        errors: dict[Any, dict[str, Any]] = defaultdict(dict)
        keys = {}
        for key in value:
            found = key if load_key is None else load_key(key, None, options)
            if found.__class__ is Bad:
                errors[key]["key"] = found.messages
                if most is not None and len(errors) > most:
                    break
            else:
                keys[key] = found
        result, left = field.mapping_type(), most
        for key, item in value.items():
            found = item if load_value is None else load_value(item, None, options)
            if found.__class__ is Bad:
                errors[key]["value"] = found.messages
                if left is not None and (left := left - count_messages(found.messages, left)) < 0:
                    break
                found = found.valid
                if found is None:
                    continue
            if key in keys:
                result[keys[key]] = found
        return Bad(dict(errors), result) if errors else result

    return load


def read_exact(field: Any) -> tuple[type, tuple[Rule, ...]] | None:
    """Return the class whose values *field* takes as they are, and the rules that they must pass.

    `None` when there is no such class, or when other things happen to a value.
    """
    base = field_base(field)
    if base is None or field.pre_load or field.post_load:
        return None
    kind = next((kind for known, kind in _EXACT.items() if issubclass(base, known)), None)
    return None if kind is None else (kind, read_rules(field.validators))


@dataclass(frozen=True, slots=True)
class Fast:
    """The usual case of one field: `test` over `v`, and what is then taken, `v` itself or `w`."""

    test: str
    taken: str = "v"
    names: dict[str, Any] = dataclass_field(default_factory=dict)


def read_fast(field: Any, suffix: str) -> Fast | None:
    """Return the usual case of *field*, or `None` when every value needs the unit.

    Args:
        suffix: what the names in it end with.
    """
    base = field_base(field)
    if base is None or field.pre_load or field.post_load:
        return None
    if issubclass(base, fields.Boolean):
        usual = True in field.truthy and False in field.falsy and False not in field.truthy
        return Fast("v is True or v is False") if usual and not field.validators else None
    kind = next((kind for known, kind in _TESTED.items() if issubclass(base, known)), None)
    if kind is None:
        return _read_converted(field, base, suffix)
    parts = [f"v.__class__ is {kind.__name__}"]
    names: dict[str, Any] = {}
    if kind is float:
        if field.allow_nan:
            return None
        # NOTE: beyond, it may be an integer that lost digits; and NaN is no usual value.
        parts.append("-1e18 < v < 1e18")
    for number, rule in enumerate(read_rules(field.validators)):
        if not rule.inline or kind not in rule.types:
            return None
        given = {name: f"{name}{suffix}_{number}" for name, _ in rule.names}
        parts.append(rule.inline.format(v="v", **given))
        names |= {given[name]: value for name, value in rule.names}
    return Fast(" and ".join(parts), "v", names)


def _read_converted(field: Any, base: type[AnyField], suffix: str) -> Fast | None:
    """Return the usual case of a field that reads its value out of a string."""
    convert, is_good = next(
        (pair for known, pair in _CONVERTED.items() if issubclass(base, known)), (None, None)
    )
    known = all(validator_base(validator) is not None for validator in field.validators)
    if convert is None or is_good is None or not known or not is_usual(field):
        return None
    checks = tuple(rule.check for rule in read_rules(field.validators))
    only = checks[0] if len(checks) == 1 else None

    def read(value: str) -> Any:
        try:
            found = convert(value)
        except (ValueError, decimal.InvalidOperation):
            return None
        if not is_good(found):
            return None
        if only is not None:
            return found if only(found) is None else None
        return found if not checks or run_checks(checks, found) is None else None

    name = f"read{suffix}"
    return Fast(f"v.__class__ is str and (w := {name}(v)) is not None", "w", {name: read})


def _always(value: Any) -> bool:
    return True


def _is_naive(value: dt.datetime) -> bool:
    return not is_aware(value)


_TESTED: Final[dict[type[AnyField], type]] = {**_EXACT, fields.Float: float}
_Reading = tuple[Callable[[str], Any] | None, Callable[[Any], bool] | None]
_CONVERTED: Final[dict[type[AnyField], _Reading]] = {
    StrictDecimal: (read_decimal, _always),
    fields.Decimal: (decimal.Decimal, decimal.Decimal.is_finite),
    StrictUUID: (read_uuid, _always),
    fields.UUID: (uuid.UUID, _always),
    ZonedDateTime: (dt.datetime.fromisoformat, is_in_utc),
    Ticks: (None, None),
    fields.NaiveDateTime: (dt.datetime.fromisoformat, _is_naive),
    fields.AwareDateTime: (dt.datetime.fromisoformat, is_aware),
    fields.DateTime: (dt.datetime.fromisoformat, _always),
    fields.Date: (dt.date.fromisoformat, _always),
    StrictTime: (dt.time.fromisoformat, has_no_zone),
    fields.Time: (dt.time.fromisoformat, _always),
}
