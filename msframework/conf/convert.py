"""One value of a settings module or of the environment becomes a typed value. Runs at start-up."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, get_args, get_origin

from msframework.conf.catalogue import Declaration
from msframework.conf.findings import HIDDEN, Findings, shown
from msframework.conf.services import read_services
from msframework.conf.settings import ServiceEntry
from msframework.types import UNSET

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
_EXPECTED: Final = {
    bool: ("True or False", "true, false, 1, 0, yes or no"),
    int: ("a whole number", "a whole number"),
    float: ("a number", "a number"),
    str: ("a text", "a text"),
    tuple: ("a tuple of texts", "texts with commas between them, or a JSON list of texts"),
    Any: ("a tuple", "dotted paths with commas between them, or a JSON list of these"),
    Mapping: ("a dict with texts as keys", "a JSON object"),
}


class ConversionError(Exception):
    """The value cannot be turned into the type of its setting."""


def from_python(declared: Declaration, value: object, where: str, findings: Findings) -> Any:
    """Return *value* of a settings module as the setting's own type, `UNSET` when refused."""
    if value is None and declared.optional:
        return None
    if value == "" and declared.optional:
        return None  # the origin's modules read variables with "" as their default
    if declared.takes_text and (value is None or isinstance(value, str)):
        value = (value,) if value else ()
    return _finish(declared, value, where, findings, shown(value, secret=declared.secret))


def from_text(declared: Declaration, text: str, where: str, findings: Findings) -> Any:
    """Return the *text* of a variable as the setting's own type, `UNSET` when refused."""
    if text == "" and declared.optional:
        return None
    family = _family(declared.kind)
    holds_secrets = declared.secret or family is Mapping or text.lstrip()[:1] in ("[", "{")
    found = HIDDEN if holds_secrets else shown(text).removesuffix(" (type str)")
    try:
        value = _parse(family, text)
    except ValueError as exc:
        if isinstance(exc, json.JSONDecodeError):
            found = f"no JSON ({exc.msg} at character {exc.pos + 1})"
        return _refuse(declared, where, findings, found, as_text=True)
    return _finish(declared, value, where, findings, found, as_text=True)


def _family(kind: Any) -> Any:
    return get_origin(kind) or kind


def _parse(family: Any, text: str) -> Any:
    if family is bool:
        word = text.strip().casefold()
        if word not in _TRUE | _FALSE:
            raise ValueError
        return word in _TRUE
    if family in (int, float):
        return family(text)
    if family is tuple and not text.lstrip().startswith("["):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text if family is str else json.loads(text)


def _finish(
    declared: Declaration,
    value: object,
    where: str,
    findings: Findings,
    found: str,
    *,
    as_text: bool = False,
) -> Any:
    if get_args(declared.kind)[1:] == (ServiceEntry,):
        return read_services(value, where, findings)
    try:
        typed = _check_type(declared.kind, value)
    except ConversionError:
        return _refuse(declared, where, findings, found, as_text=as_text)
    members = typed if isinstance(typed, tuple) else (typed,)
    if declared.choices and not set(members) <= set(declared.choices):
        return _refuse(declared, where, findings, found, as_text=as_text)
    if isinstance(typed, (int, float)) and not _in_range(declared, typed):
        return _refuse(declared, where, findings, found, as_text=as_text)
    return typed


def _check_type(kind: Any, value: object) -> Any:
    family = _family(kind)
    if family is Any:
        return value
    if family is float and type(value) is int:
        return float(value)
    if family is float and isinstance(value, float) and math.isfinite(value):
        return value
    if family is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    if family is tuple and isinstance(value, (tuple, list)):
        return tuple(_check_type(get_args(kind)[0], member) for member in value)
    if family is Mapping and isinstance(value, Mapping):
        inner = get_args(kind)[1]
        pairs = {_check_type(str, key): _check_type(inner, item) for key, item in value.items()}
        return MappingProxyType(pairs)
    if family in (bool, int, str) and type(value) is family:
        return value
    raise ConversionError


def _in_range(declared: Declaration, number: float) -> bool:
    if declared.least is not None and number < declared.least:
        return False
    return declared.most is None or number <= declared.most


def expected(declared: Declaration, *, as_text: bool = False) -> str:
    """Describe the values of a setting, in a settings module or in the environment."""
    family = _family(declared.kind)
    holds_any = family is tuple and get_args(declared.kind)[0] is Any
    text = _EXPECTED[Any if holds_any else family][as_text]
    if declared.takes_text and not as_text:
        text = "a text or a tuple of texts"
    if declared.choices:
        choices = ", ".join(map(repr, declared.choices))
        text = f"some of {choices}" if _family(declared.kind) is tuple else f"one of {choices}"
    elif declared.least is not None and declared.most is not None:
        text += f" from {declared.least:g} to {declared.most:g}"
    elif declared.least is not None:
        text += f", {declared.least:g} or more"
    if declared.optional:
        text += ", or nothing" if as_text else ", or None"
    return text


def _refuse(
    declared: Declaration, where: str, findings: Findings, found: str, *, as_text: bool
) -> object:
    default = "an empty dict" if declared.default == {} else repr(declared.default)
    advice = f"It is for: {declared.help}; leave it out for {default}."
    if get_args(declared.kind)[:1] == (Any,) and not as_text:
        advice = f"Put a comma behind a single one: (…,). {advice}"
    findings.add(where, declared.name, found, expected(declared, as_text=as_text), advice)
    return UNSET
