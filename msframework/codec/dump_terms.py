"""The usual case of each kind of field, in line in the dump of its schema.

`read_dump` runs at start-up, its parts run per request.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from asyncpg.pgproto.pgproto import UUID as PgUUID
from marshmallow import fields, missing

from msframework.codec.dumps import DumpUnit, compile_unit, dump_boolean
from msframework.codec.emit import FieldDump
from msframework.codec.errors import UnusualValue, give_up
from msframework.codec.facts import FieldFacts, read_inner
from msframework.codec.kinds import WrongKind, is_unfinished, name_kind
from msframework.codec.known import is_usual
from msframework.codec.plan import Nesting
from msframework.schemas.reference import Reference
from msframework.schemas.strict import ZonedDateTime
from msframework.types import Field, Namespace


@dataclass(frozen=True, slots=True)
class Term:
    """`good if test else other` over `{v}`, a value that may be None or odd, but not absent.

    Args:
        names: the values of the names in it.
        pure: a passed-through value, for which `test` only asks whether it is there.
    """

    test: str
    good: str
    other: str
    names: Namespace = field(default_factory=dict)
    pure: bool = False

    def write(self, v: str, may_be_absent: bool) -> str:
        """Return the expression for the variable *v*."""
        if self.pure and not may_be_absent:
            return v
        good, test, other = (part.replace("{v}", v) for part in (self.good, self.test, self.other))
        return f"{good} if {test} else {other}"


def read_dump(facts: FieldFacts, number: int, compiler: Nesting, *, json: bool) -> FieldDump:
    """Return the part of one field in the dump of its schema.

    Args:
        number: its place in the schema, with which the names of the part end.
        json: whether the result goes straight to orjson.
    """
    field, key, attribute = facts.field, facts.key or "", facts.attribute
    if facts.reason is not None:
        compiler.note_dump(field, facts.reason)
        return _by_marshmallow(facts, number)
    if isinstance(field, fields.Constant):
        compiler.note_open()
        constant = f"constant_{number}"
        text = f"out[{key!r}] = {constant}"
        return FieldDump(key, "", "", constant, text, {constant: field.constant})
    term = _read_term(facts, f"dump_{number}", compile_unit(facts, compiler, json), json)
    names = dict(term.names)
    got = f"(v := get(obj, {attribute!r}, missing)) is not missing"
    if field.dump_default is not missing:
        default = f"default_{number}"
        value = field.dump_default
        names[default] = value if callable(value) else lambda: value
        got += f" or (v := {default}()) is not missing"
    anyhow = f"if {got}: out[{key!r}] = {term.write('v', False)}"
    variable = f"v{number}"
    usual = "" if "." in attribute else term.write(variable, True)
    return FieldDump(key, variable, attribute, usual, anyhow, names)


def _by_marshmallow(facts: FieldFacts, number: int) -> FieldDump:
    whole, key = f"dump_{number}", facts.key or ""
    test = f"(v := {whole}({facts.name!r}, obj, accessor=get)) is not missing"
    text = f"if {test}: out[{key!r}] = v"
    return FieldDump(key, "", "", "", text, {whole: facts.field.serialize})


def _read_term(facts: FieldFacts, name: str, unit: DumpUnit, json: bool) -> Term:
    """Return the term for the values of a field.

    Args:
        name: the name in the term for *unit*, which takes the odd values.
    """
    field, base, attr = facts.field, facts.base, facts.name
    assert base is not None
    is_text = json and issubclass(base, fields.String)

    def guarded(value: Any, attr: object, obj: object) -> object:
        if value is missing:
            raise UnusualValue
        # NOTE: to marshmallow anything is a text, "<coroutine object …>" too.
        if is_text and is_unfinished(value.__class__):
            raise WrongKind(f"{attr}: got {name_kind(value)}; expected a text")
        return unit(value, attr, obj)

    slow = f"{name}({{v}}, {attr!r}, obj)"
    if issubclass(base, fields.List):
        inner = read_inner(field.inner).base
        if inner is not None and not issubclass(inner, _COMPOSED):
            one = _scalar_term(field.inner, inner, f"{name}i({{v}}, {attr!r}, obj)", json)
            plain = dump_boolean if json and issubclass(inner, fields.Boolean) else None
            names = {name: guarded, f"{name}i": plain or field.inner._serialize}
            return Term(
                "{v}.__class__ is list", f"[{one.write('e', False)} for e in {{v}}]", slow, names
            )
    term = _scalar_term(field, base, slow, json)
    return Term(term.test, term.good, term.other, {name: guarded}, term.pure)


def _scalar_term(field: Any, base: type[Field], slow: str, json: bool) -> Term:
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
_TERMS: Final[dict[type[Field], tuple[str, str, str]]] = {
    fields.Integer: ("{v}.__class__ is int or {v} is None", "{v}", "{slow}"),
    fields.Float: ("{v}.__class__ is float or {v} is None", "{v}", "{slow}"),
    fields.String: ("{v}.__class__ is str or {v} is None", "{v}", "{slow}"),
}
_MOMENT: Final = "{v}.__class__ is datetime and ({v}.tzinfo is UTC or {v}.tzinfo is None)"
_JSON_TERMS: Final[dict[type[Field], tuple[str, str, str]]] = {
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
# The values of the names in the terms, whichever of them a schema needs.
NAMES: Final[Namespace] = {
    "Absent": UnusualValue,
    "Decimal": decimal.Decimal,
    "PgUUID": PgUUID,
    "UTC": dt.UTC,
    "UUID": uuid.UUID,
    "absent": give_up,
    "date": dt.date,
    "datetime": dt.datetime,
    "missing": missing,
}
