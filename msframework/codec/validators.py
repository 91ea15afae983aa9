"""marshmallow's validators as plain functions that return messages instead of raising.

`read_rules` runs at start-up, its rules run per request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass
from decimal import Decimal
from string import Formatter
from typing import Any, Final

from marshmallow import ValidationError, validate

from msframework.codec.errors import Messages, copy_containers
from msframework.codec.known import validator_base
from msframework.schemas.columns import Digits
from msframework.schemas.storable import Storable, why_not_storable

Check = Callable[[Any], Messages]
_NUMBERS: Final = (int, float)
# PERF: a part of what marshmallow's two expressions match, without their case folding, and without
# going back over what cannot match otherwise (benchmarks/schemas.py, rows load).
_USUAL_EMAIL: Final = re.compile(
    r"[A-Za-z0-9_+-]++(?:\.[A-Za-z0-9_+-]++)*+@(?:[A-Za-z0-9]{1,63}\.)+[A-Za-z]{2,6}\Z"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One validator, ready to run.

    Args:
        check: returns `None`, or the messages of a value that fails.
        inline: the same as an expression over `{v}` that is true for a good value of `types`, or
            "" when there is none; names in it stand in `names`.
        types: the exact types of values that `inline` is meant for.
        message: the message of every value of `types` that fails; `None` when that depends on it.
    """

    check: Check
    inline: str = ""
    names: tuple[tuple[str, object], ...] = ()
    types: tuple[type, ...] = ()
    message: str | None = None


def read_rules(validators: Iterable[object]) -> tuple[Rule, ...]:
    """Return the rules of a field's *validators*, in their order."""
    return tuple(_READERS.get(validator_base(v), _read_any)(v) for v in validators)


def run_checks(checks: Iterable[Check], value: object) -> list[Messages] | None:
    """Return the messages of all *checks* that *value* fails, as `validate.And` puts them."""
    found: list[Messages] | None = None
    for check in checks:
        messages = check(value)
        if messages is not None:
            if found is None:
                found = []
            if isinstance(messages, dict):
                found.append(messages)
            else:
                found.extend(messages)
    return found


def _read_any(validator: Any) -> Rule:
    def check(value: object) -> Messages:
        try:
            validator(value)
        except ValidationError as exc:
            return copy_containers(exc.messages)
        return None

    return Rule(check)


def _fixed(template: str, write: Callable[[Any], str]) -> str | None:
    """Return the message that *write* gives for every value, or `None` when it differs."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        return None if any(name.startswith("input") for name in names) else write(None)
    except Exception:  # a template that cannot be written fails when it is needed
        return None


def _message(template: str, write: Callable[[Any], str]) -> Callable[[Any], list[str]]:
    """Return the function that gives the message for a value; made once where it never changes."""
    fixed = _fixed(template, write)
    if fixed is None:
        return lambda value: [write(value)]
    return lambda value: [fixed]


def _only(*templates: str, write: Callable[[Any, str], str]) -> str | None:
    """Return the one message of all *templates*, or `None` when they differ."""
    first = templates[0]
    if any(template != first for template in templates):
        return None
    return _fixed(first, lambda value: write(value, first))


def _read_range(validator: validate.Range) -> Rule:
    low, high = validator.min, validator.max
    ends = [end for end in (low, high) if end is not None]
    if not all(type(end) in _NUMBERS for end in ends):
        return _read_any(validator)
    both = validator.message_all
    too_low = validator.error or (validator.message_min if high is None else both)
    too_high = validator.error or (validator.message_max if low is None else both)
    say_low = _message(too_low, lambda v: validator._format_error(v, too_low))
    say_high = _message(too_high, lambda v: validator._format_error(v, too_high))
    min_inclusive, max_inclusive = validator.min_inclusive, validator.max_inclusive

    def check(value: Any) -> list[str] | None:
        if low is not None and (value < low if min_inclusive else value <= low):
            return say_low(value)
        if high is not None and (value > high if max_inclusive else value >= high):
            return say_high(value)
        return None

    left = "" if low is None else f"{low!r} {'<=' if min_inclusive else '<'} "
    right = "" if high is None else f" {'<=' if max_inclusive else '<'} {high!r}"
    finite = all(end - end == 0 for end in ends)
    used = (*((too_low,) if low is not None else ()), *((too_high,) if high is not None else ()))
    message = _only(*used, write=validator._format_error) if used else None
    return Rule(check, f"{left}{{v}}{right}" if ends and finite else "", (), _NUMBERS, message)


def _read_length(validator: validate.Length) -> Rule:
    low, high, equal = validator.min, validator.max, validator.equal
    if not all(end is None or type(end) is int for end in (low, high, equal)):
        return _read_any(validator)
    both = validator.message_all
    templates = (
        validator.error or validator.message_equal,
        validator.error or (validator.message_min if high is None else both),
        validator.error or (validator.message_max if low is None else both),
    )
    # NOTE: a message of Length may name {input}, but never does of its own accord.
    say_equal, say_short, say_long = (
        _message(template, lambda v, template=template: validator._format_error(v, template))  # type: ignore[misc]
        for template in templates
    )

    def check(value: Sized) -> list[str] | None:
        length = len(value)
        if equal is not None:
            return say_equal(value) if length != equal else None
        if low is not None and length < low:
            return say_short(value)
        if high is not None and length > high:
            return say_long(value)
        return None

    if equal is not None:
        inline = f"len({{v}}) == {equal!r}"
    else:
        left = "" if low is None else f"{low!r} <= "
        right = "" if high is None else f" <= {high!r}"
        inline = f"{left}len({{v}}){right}" if left or right else ""
    ends = (equal,) if equal is not None else (None, low, high)
    used = [template for end, template in zip(ends, templates, strict=False) if end is not None]
    message = _only(*used, write=validator._format_error) if used else None
    return Rule(check, inline, (), (str,), message)


def _read_one_of(validator: validate.OneOf) -> Rule:
    choices = validator.choices
    if not isinstance(choices, (list, tuple, set, frozenset)):
        return _read_any(validator)
    say = _message(validator.error, validator._format_error)
    plain = {type(choice) for choice in choices} <= {str, int}

    def check(value: object) -> list[str] | None:
        try:
            return None if value in choices else say(value)
        except TypeError:
            return say(value)

    if not plain:
        return Rule(check)
    # NOTE: a list or a set may still change, and marshmallow would see it; a tuple cannot.
    known = frozenset(choices) if isinstance(choices, tuple) else choices
    message = _fixed(validator.error, validator._format_error)
    return Rule(check, "{v} in {choices}", (("choices", known),), (str, int), message)


def _read_regexp(validator: validate.Regexp) -> Rule:
    match = validator.regex.match
    say = _message(validator.error, validator._format_error)

    def check(value: Any) -> list[str] | None:
        return say(value) if match(value) is None else None

    if not isinstance(validator.regex.pattern, str):
        return Rule(check)
    message = _fixed(validator.error, validator._format_error)
    return Rule(check, "{match}({v}) is not None", (("match", match),), (str,), message)


def _read_email(validator: validate.Email) -> Rule:
    plain = _read_any(validator).check
    user: re.Pattern[str] = validator.USER_REGEX
    domain: re.Pattern[str] = validator.DOMAIN_REGEX
    match_user, match_domain, known = user.match, domain.match, validator.DOMAIN_WHITELIST
    usual = user is validate.Email.USER_REGEX and domain is validate.Email.DOMAIN_REGEX
    say = _message(validator.error, validator._format_error)
    try:
        validator._format_error("")
    except Exception:  # marshmallow writes the message before it looks, and fails
        return _read_any(validator)

    def is_email(value: str) -> bool:
        before, at, after = value.rpartition("@")
        return bool(
            at
            and match_user(before) is not None
            and (match_domain(after) is not None or after in known)
        )

    def check(value: object) -> Messages:
        if type(value) is not str:
            return plain(value)
        return None if is_email(value) else say(value)

    message = _fixed(validator.error, validator._format_error)
    if not usual:
        return Rule(check, "{is_email}({v})", (("is_email", is_email),), (str,), message)
    names = (("match", _USUAL_EMAIL.match), ("is_email", is_email))
    return Rule(check, "({match}({v}) is not None or {is_email}({v}))", names, (str,), message)


def _read_digits(validator: Digits) -> Rule:
    plain = _read_any(validator).check
    unit, whole = Decimal(1).scaleb(-validator.places), validator.whole

    def check(value: Any) -> Messages:
        # PERF: a decimal written with all of its places needs no look at its digits
        # (benchmarks/schemas.py, row load derived).
        if value.__class__ is Decimal and value.same_quantum(unit) and value.adjusted() < whole:
            return None
        return plain(value)

    return Rule(check)


def _read_storable(validator: Storable) -> Rule:
    def check(value: Any) -> list[str] | None:
        if value.__class__ is str and "\0" not in value and value.isascii():
            return None
        message = why_not_storable(value)
        return None if message is None else [message]

    inline = '"\\0" not in {v} and ({v}.isascii() or {why_not}({v}) is None)'
    return Rule(check, inline, (("why_not", why_not_storable),), (str,))


_READERS: Final[dict[type | None, Callable[[Any], Rule]]] = {
    validate.Range: _read_range,
    validate.Length: _read_length,
    validate.OneOf: _read_one_of,
    validate.Regexp: _read_regexp,
    validate.Email: _read_email,
    Digits: _read_digits,
    Storable: _read_storable,
}
