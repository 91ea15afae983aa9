"""Validators of a field as JSON Schema keywords (2020-12). Runs at start-up.

Where JSON Schema cannot express a validator, an `x-` keyword names it for the reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from marshmallow import fields, validate

from msframework.openapi.literal import read_literal, read_literals
from msframework.openapi.pattern import NO_NUL, given_patterns, refuses_nul, with_patterns
from msframework.types import UNSET, Field, JSONObject, JSONValue

_PYTHON_ONLY = re.compile(r"\(\?(?![:=!]|<[=!]|P<)|\\[ABZGg]|\(\?P=|[*+?}]\+")
_NUMBERS = {"integer", "number"}


def read_constraints(field: Field, schema: JSONObject) -> JSONObject:
    """Return the keywords that the validators of *field* add to its *schema*."""
    validators = list(_flatten(field.validators))
    found: JSONObject = {}
    for read in (_ranges, _lengths, _choices, _patterns, _formats):
        found.update(read(validators, field, schema))
    return found


def _flatten(validators: Iterable[object]) -> Iterator[object]:
    for validator in validators:
        if isinstance(validator, validate.And):
            yield from _flatten(validator.validators)
        else:
            yield validator


def _ranges(validators: list[object], field: Field, schema: JSONObject) -> JSONObject:
    ranges = [item for item in validators if isinstance(item, validate.Range)]
    lows = [(item.min, not item.min_inclusive) for item in ranges if item.min is not None]
    highs = [(item.max, item.max_inclusive) for item in ranges if item.max is not None]
    kinds = schema.get("type")
    numeric = bool(_NUMBERS & set([kinds] if isinstance(kinds, str) else kinds or ()))
    found: JSONObject = {}
    if lows:
        value, exclusive = max(lows)
        found["exclusiveMinimum" if exclusive else "minimum"] = value
    if highs:
        value, inclusive = min(highs)
        found["maximum" if inclusive else "exclusiveMaximum"] = value
    return {
        key if numeric else f"x-{key}": literal
        for key, value in found.items()
        if (literal := _bound(value, numeric)) is not UNSET
    }


def _bound(value: object, numeric: bool) -> JSONValue:
    literal = read_literal(value)
    if numeric and isinstance(literal, str):
        number = float(literal)
        return int(number) if number.is_integer() else number
    return literal


def _lengths(validators: list[object], field: Field, schema: JSONObject) -> JSONObject:
    lengths = [item for item in validators if isinstance(item, validate.Length)]
    noun = {"array": "Items", "object": "Properties"}.get(str(schema.get("type")), "Length")
    found: JSONObject = {}
    for item in lengths:
        low, high = (item.min, item.max) if item.equal is None else (item.equal, item.equal)
        if low is not None:
            found[f"min{noun}"] = max(low, found.get(f"min{noun}", low))
        if high is not None:
            found[f"max{noun}"] = min(high, found.get(f"max{noun}", high))
    return found


def _choices(validators: list[object], field: Field, schema: JSONObject) -> JSONObject:
    sets: list[list[JSONValue]] = []
    found: JSONObject = {}
    for item in validators:
        if isinstance(item, validate.ContainsOnly):
            inner = field.inner if isinstance(field, fields.List) else field
            within = {"enum": _serialized(inner, item.choices)}
            found["items"] = {**schema.get("items", {}), **within}
        elif isinstance(item, validate.OneOf):
            sets.append(_serialized(field, item.choices))
        elif isinstance(item, validate.Equal):
            sets.append(_serialized(field, [item.comparable]))
        elif isinstance(item, validate.NoneOf) and not isinstance(item, validate.ContainsNoneOf):
            found["not"] = {"enum": _serialized(field, item.iterable)}
    if sets:
        first, *others = sets
        allowed = [value for value in first if all(value in other for other in others)]
        found["enum" if allowed else "not"] = allowed or {}
    return found


def _serialized(field: Field, values: Iterable[object]) -> list[JSONValue]:
    """Return *values* as they stand on the wire, where the field can say so."""
    plain = []
    for value in values:
        try:
            plain.append(field._serialize(value, "", None))
        except Exception:  # whatever a field does with a value that is none of its own
            plain.append(value)
    return read_literals(plain)


def _patterns(validators: list[object], field: Field, schema: JSONObject) -> JSONObject:
    regexes = [
        item.regex
        for item in validators
        if isinstance(item, validate.Regexp) and isinstance(item.regex.pattern, str)
    ]
    patterns = [text for regex in regexes if (text := ecma_pattern(regex)) is not None]
    if refuses_nul(field) and schema.get("type") == "string":
        patterns.append(NO_NUL)
    found = with_patterns((*given_patterns(schema), *patterns)) if patterns else {}
    other = [regex.pattern for regex in regexes if ecma_pattern(regex) is None]
    if other:
        found["x-pattern"] = other[0] if len(other) == 1 else other
    return found


def ecma_pattern(regex: re.Pattern[str]) -> str | None:
    r"""Return Python's *regex* in JSON Schema's dialect (ECMA-262), `None` where there is none.

    Marshmallow matches at the start, JSON Schema anywhere, hence the anchor; `\Z` is `$` there;
    flags and Python's own syntax (inline flags, atomic groups, possessive ones) have no equal.
    """
    if regex.flags & ~re.UNICODE:
        return None
    text = regex.pattern.removeprefix(r"\A")
    if text.endswith(r"\Z") and not text.endswith(r"\\Z"):
        text = text[:-2] + "$"
    if _PYTHON_ONLY.search(text):
        return None
    text = text.replace("(?P<", "(?<")
    if text.startswith("^") and "|" not in text:
        return text
    return f"^(?:{text})"


def _formats(validators: list[object], field: Field, schema: JSONObject) -> JSONObject:
    known: dict[type, str] = {validate.Email: "email", validate.URL: "uri"}
    if "format" in schema or schema.get("type") != "string":
        return {}
    found = [name for item in validators for kind, name in known.items() if isinstance(item, kind)]
    return {"format": found[0]} if found else {}
