"""The usual case of each kind of field, in line in the load of its schema.

`read_load` runs at start-up, its parts run per request.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Final

from marshmallow import fields, missing
from marshmallow.utils import is_aware, is_collection, set_value

from msframework.codec.emit import FieldLoad
from msframework.codec.errors import SUSPICION, LoadErrors, Rejected, note
from msframework.codec.facts import FieldFacts
from msframework.codec.known import is_usual, validator_base
from msframework.codec.loads import TAKEN_AS_IS, LoadOptions, LoadUnit
from msframework.codec.validators import Rule, run_checks
from msframework.schemas.columns import Ticks
from msframework.schemas.strict import (
    StrictDecimal,
    StrictTime,
    StrictUUID,
    ZonedDateTime,
    has_no_zone,
    is_in_utc,
    read_decimal,
    read_uuid,
)
from msframework.strict_json import SUSPECT
from msframework.types import Field, JSONValue, Namespace

_NOTHING: Final[LoadOptions] = {}


def read_load(facts: FieldFacts, number: int, unit: LoadUnit, *, alone: bool) -> FieldLoad:
    """Return the part of one field in the load of its schema.

    Args:
        number: its place in the schema, with which the names of the part end.
        unit: loads a value that is not usual.
        alone: whether no other messages can stand under its key.
    """
    key, target, step = facts.key or "", facts.target, f"load_{number}"
    run = _step(facts.name, key, target, unit)
    if "." in target:
        return FieldLoad(key, target, step, "", "v", {step: run})
    kind = _kind_as_is(facts)
    if kind is not None:
        run = _exact_step(key, target, run, kind, facts.rules, alone=alone)
    term = _read_term(facts, f"_{number}") or LoadTerm("")
    return FieldLoad(key, target, step, term.test, term.taken, {**term.names, step: run})


def _kind_as_is(facts: FieldFacts) -> type | None:
    """Return the class whose values the field takes as they are, but for its rules.

    `None` when there is no such class, or when other things happen to a value.
    """
    base = facts.base
    if base is None or facts.has_hooks:
        return None
    return next((kind for known, kind in TAKEN_AS_IS.items() if issubclass(base, known)), None)


LoadStep = Callable[[JSONValue, JSONValue, dict[str, object], LoadErrors, object], None]


def _step(name: str, key: str, target: str, unit: LoadUnit) -> LoadStep:
    """Return the function for the values of one field that are not taken as they are."""
    dotted, prefix = "." in target, f"{name}."

    def load(
        value: JSONValue, data: JSONValue, out: dict[str, object], errors: LoadErrors, partial: Any
    ) -> None:
        if value.__class__ in SUSPECT:
            errors[SUSPICION] = True
        options = _NOTHING
        if partial is not None:
            some = is_collection(partial)
            if value is missing and (partial is True or (some and name in partial)):
                return
            if some:
                partial = [item[len(prefix) :] for item in partial if item.startswith(prefix)]
            options = {"partial": partial}
        found = unit(value, data, options)
        if found.__class__ is Rejected:
            note(errors, key, found.messages)
            found = found.valid or missing
        if found is missing:
            return
        if dotted:
            set_value(out, target, found)
        else:
            out[target] = found

    return load


def _exact_step(
    key: str, target: str, otherwise: LoadStep, kind: type, rules: tuple[Rule, ...], *, alone: bool
) -> LoadStep:
    """Return the same for a field that takes values of *kind* as they are.

    Args:
        alone: whether no other messages can stand under *key*.

    PERF: a wrong value costs one call, and one more for each of several checks
    (benchmarks/schemas.py, row load errors).
    """
    checks = tuple(rule.check for rule in rules)
    message = _only_message(rules, kind) if alone else None

    def load(
        value: object, data: object, out: dict[str, object], errors: LoadErrors, partial: object
    ) -> None:
        if value.__class__ is not kind:
            otherwise(value, data, out, errors, partial)
            return
        messages = run_checks(checks, value)
        if messages is None:
            out[target] = value
        elif alone:
            errors[key] = messages
        else:
            note(errors, key, messages)

    def refuse(
        value: object, data: object, out: dict[str, object], errors: LoadErrors, partial: object
    ) -> None:
        if value.__class__ is kind:
            errors[key] = [message]
        else:
            otherwise(value, data, out, errors, partial)

    return load if message is None else refuse


def _only_message(rules: tuple[Rule, ...], kind: type) -> str | None:
    """Return the one message for all values of *kind* that the emitted test refuses, if known."""
    if len(rules) != 1 or not rules[0].inline or kind not in rules[0].types:
        return None
    return rules[0].message


@dataclass(frozen=True, slots=True)
class LoadTerm:
    """The usual case of one field: a test over `v`, and the value then taken, `v` or `w`."""

    test: str
    taken: str = "v"
    names: Namespace = dataclass_field(default_factory=dict)


def _read_term(facts: FieldFacts, suffix: str) -> LoadTerm | None:
    """Return the usual case of a field, or `None` when every value needs the unit.

    Args:
        suffix: the end of the names in it.
    """
    field, base = facts.field, facts.base
    if base is None or facts.has_hooks:
        return None
    if issubclass(base, fields.Boolean):
        usual = True in field.truthy and False in field.falsy and False not in field.truthy
        return LoadTerm("v is True or v is False") if usual and not field.validators else None
    kind = next((kind for known, kind in _TESTED.items() if issubclass(base, known)), None)
    if kind is None:
        return _read_converted(facts, base, suffix)
    parts = [f"v.__class__ is {kind.__name__}"]
    names: Namespace = {}
    if kind is float:
        if field.allow_nan:
            return None
        # NOTE: beyond, it may be an integer that lost digits; and NaN is no usual value.
        parts.append("-1e18 < v < 1e18")
    for number, rule in enumerate(facts.rules):
        if not rule.inline or kind not in rule.types:
            return None
        given = {name: f"{name}{suffix}_{number}" for name, _ in rule.names}
        parts.append(rule.inline.format(v="v", **given))
        names |= {given[name]: value for name, value in rule.names}
    return LoadTerm(" and ".join(parts), "v", names)


def _read_converted(facts: FieldFacts, base: type[Field], suffix: str) -> LoadTerm | None:
    """Return the usual case of a field that reads its value out of a string."""
    field = facts.field
    convert, is_good = next(
        (pair for known, pair in _CONVERTED.items() if issubclass(base, known)), (None, None)
    )
    known = all(validator_base(validator) is not None for validator in field.validators)
    if convert is None or is_good is None or not known or not is_usual(field):
        return None
    checks = tuple(rule.check for rule in facts.rules)
    only = checks[0] if len(checks) == 1 else None

    def read(value: str) -> object:
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
    return LoadTerm(f"v.__class__ is str and (w := {name}(v)) is not None", "w", {name: read})


def _always(value: object) -> bool:
    return True


def _is_naive(value: dt.datetime) -> bool:
    return not is_aware(value)


_TESTED: Final[dict[type[Field], type]] = {**TAKEN_AS_IS, fields.Float: float}
_Reading = tuple[Callable[[str], object] | None, Callable[[Any], bool] | None]
_CONVERTED: Final[dict[type[Field], _Reading]] = {
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
