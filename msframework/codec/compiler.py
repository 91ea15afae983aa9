"""Compiles a schema, with all that it nests, into a `Plan`. Runs at start-up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from asyncpg import Record
from marshmallow import Schema, fields, missing
from marshmallow.decorators import POST_DUMP, PRE_DUMP
from marshmallow.exceptions import SCHEMA
from marshmallow.utils import get_value, is_collection, set_value

from msframework.codec import dumps, loads
from msframework.codec.emit import Line, Load, emit_dump, emit_dump_any, emit_load
from msframework.codec.errors import ODD, Bad, Errors, note
from msframework.codec.kinds import WrongKind, name_kind
from msframework.codec.known import DUMPS, LOADS, is_rebound, overrides, why_unknown
from msframework.codec.plan import Plan
from msframework.codec.rows import read_records
from msframework.codec.validators import Rule, run_checks
from msframework.strict_json import SUSPECT

_NOTHING: Final[Mapping[str, Any]] = {}
_RECORDS: Final = frozenset((dict, Record))
_DEEPEST: Final = 12


class Compiler:
    """Compiles one schema with all that it nests.

    `dump_fallbacks` and `load_fallbacks` say what marshmallow must do, and why; `is_open` whether a
    dump may hold values of any type.

    Args:
        most: how many errors a load looks for. With it, loads are compiled for the bodies of
            requests, and dumps are not; without, a load is marshmallow's in all.
    """

    def __init__(self, checks_kinds: bool = False, most: int | None = None) -> None:
        self._checks_kinds = checks_kinds
        self.most, self.exact = most, most is not None
        self.dump_fallbacks: list[str] = []
        self.load_fallbacks: list[str] = []
        self.is_open = False
        self._stack: list[tuple[Any, Plan]] = []
        self._plans: dict[int, Plan | None] = {}

    def note_dump(self, field: Any, reason: str) -> None:
        """Remember that marshmallow must dump *field*."""
        self.dump_fallbacks.append(f"{_where(field)}: {reason}")

    def note_load(self, field: Any, reason: str) -> None:
        """Remember that marshmallow must load *field*."""
        self.load_fallbacks.append(f"{_where(field)}: {reason}")

    def note_open(self) -> None:
        """Remember that a dump may hold values of any type."""
        self.is_open = True

    def nested(self, field: Any, *, load: bool) -> Plan | None:
        """Return the plan of a nested field's schema, `None` when marshmallow must do it."""
        plan = self.plan_of(lambda: field.schema)
        names = LOADS if load else DUMPS
        return None if plan is None or overrides(plan.schema, *names) else plan

    def plan_of(self, get: Callable[[], Schema]) -> Plan | None:
        """Return the plan of the schema that *get* gives."""
        try:
            schema = get()
        except Exception:  # what is wrong with it, marshmallow says when it is needed
            return None
        if id(schema) not in self._plans:
            self._plans[id(schema)] = self._find_open(schema) or self._compile(schema)
        return self._plans[id(schema)]

    def _find_open(self, schema: Schema) -> Plan | None:
        """Return the plan of an equal schema around this one: that is how recursion ends."""
        if is_rebound(schema):
            return None
        key = _signature(schema)
        return next((plan for known, plan in self._stack if known == key), None)

    def _compile(self, schema: Schema) -> Plan | None:
        if sum(type(plan.schema) is type(schema) for _, plan in self._stack) > _DEEPEST:
            return None
        plan = Plan(schema, self._checks_kinds, self.most)
        self._stack.append((_signature(schema), plan))
        try:
            self._fill(plan)
        finally:
            self._stack.pop()
        return plan

    def _fill(self, plan: Plan) -> None:
        schema, owner = plan.schema, type(plan.schema).__name__
        for name in sorted(name for name, hooks in schema._hooks.items() if hooks):
            found = self.dump_fallbacks if name in (PRE_DUMP, POST_DUMP) else self.load_fallbacks
            found.append(f"{owner}: {name} calls the user's code")
        plan.load_fields = self._compile_load(plan, owner)
        if self.most is not None:
            return
        plan.dump_one = self._compile_dump(plan, owner, json=False)
        plan.dump_json = self._compile_dump(plan, owner, json=True)
        usual = schema.dict_class is dict and not plan.dump_hooks
        if usual and not overrides(schema, "get_attribute"):
            plan.records = read_records(schema, owner)
        if plan.records is not None:
            plan.sources.extend(plan.records.sources)

    def _compile_load(self, plan: Plan, owner: str) -> Callable[..., Any]:
        schema = plan.schema
        found = []
        keys = Counter(_key(name, field) for name, field in schema.load_fields.items())
        for number, (name, field) in enumerate(schema.load_fields.items()):
            key = _key(name, field)
            target = field.attribute or name
            unit = loads.compile_unit(field, key, self)
            step = f"load_{number}"
            fast = None if "." in target else loads.read_fast(field, f"_{number}")
            fast = fast or loads.Fast("")
            run = _step(name, key, target, unit)
            exact = None if "." in target else loads.read_exact(field)
            if exact is not None:
                alone = keys[key] == 1 and SCHEMA not in keys
                run = _exact_step(key, target, run, *exact, alone=alone)
            names = {**fast.names, step: run}
            found.append(Load(key, target, step, fast.test, fast.taken, names))
        source = emit_load(owner, found, {"missing": missing, "dict_class": schema.dict_class})
        plan.sources.append(source)
        return source.build()

    def _compile_dump(self, plan: Plan, owner: str, *, json: bool) -> Callable[..., Any]:
        schema = plan.schema
        get = schema.get_attribute if overrides(schema, "get_attribute") else get_value
        lines = [
            self._line(number, name, field, json)
            for number, (name, field) in enumerate(schema.dump_fields.items())
        ]
        names = {**dumps.NAMES, "get": get, "dict_class": schema.dict_class}
        source = emit_dump_any(owner, lines, dict(names))
        plan.sources.append(source)
        dump_any = source.build()
        if json and self._checks_kinds:
            dump_any = _for_objects(dump_any, plan)
        if (
            get is not get_value
            or schema.dict_class is not dict
            or not all(line.usual for line in lines)
        ):
            return dump_any
        names |= {"records": _RECORDS, "dump_any": dump_any}
        source = emit_dump(owner, lines, names)
        plan.sources.append(source)
        return source.build()

    def _line(self, number: int, name: str, field: Any, json: bool) -> Line:
        key = _key(name, field)
        attribute = name if field.attribute is None else field.attribute
        reason = why_unknown(field)
        if reason is not None:
            self.note_dump(field, reason)
            return self._line_by_marshmallow(number, name, key, field)
        if isinstance(field, fields.Constant):
            self.note_open()
            constant = f"constant_{number}"
            text = f"out[{key!r}] = {constant}"
            return Line(key, "", "", constant, text, {constant: field.constant})
        slow = f"dump_{number}"
        term = dumps.read_term(field, name, slow, dumps.compile_unit(field, self, json), json)
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
        return Line(key, variable, attribute, usual, anyhow, names)

    def _line_by_marshmallow(self, number: int, name: str, key: str, field: Any) -> Line:
        whole = f"dump_{number}"
        text = f"if (v := {whole}({name!r}, obj, accessor=get)) is not missing: out[{key!r}] = v"
        return Line(key, "", "", "", text, {whole: field.serialize})


def _for_objects(dump_any: Callable[[Any], Any], plan: Plan) -> Callable[[Any], Any]:
    """Return *dump_any* for objects alone; one that has no member of the schema is none.

    marshmallow finds members of anything: those of a text, and none of a coroutine.
    """
    needs_one = not plan.reads_anything

    def dump_object(obj: Any) -> Any:
        plan.check_object(obj)
        found = dump_any(obj)
        if needs_one and not found and not isinstance(obj, (Mapping, Record)):
            text = f"{name_kind(obj)}, which has no member of the schema"
            raise WrongKind(f"{type(plan.schema).__name__}: got {text}; expected an object")
        return found

    return dump_object


Step = Callable[[Any, Any, Any, Errors, Any], None]


def _step(name: str, key: str, target: str, unit: loads.Unit) -> Step:
    """Return the function for the values of one field that are not taken as they are."""
    dotted, prefix = "." in target, f"{name}."

    def load(value: Any, data: Any, out: Any, errors: Errors, partial: Any) -> None:
        if value.__class__ in SUSPECT:
            errors[ODD] = True
        options = _NOTHING
        if partial is not None:
            some = is_collection(partial)
            if value is missing and (partial is True or (some and name in partial)):
                return
            if some:
                partial = [item[len(prefix) :] for item in partial if item.startswith(prefix)]
            options = {"partial": partial}
        found = unit(value, data, options)
        if found.__class__ is Bad:
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
    key: str, target: str, otherwise: Step, kind: type, rules: tuple[Rule, ...], *, alone: bool
) -> Step:
    """Return the same for a field that takes values of *kind* as they are.

    Args:
        alone: whether no other messages can stand under *key*.

    PERF: a wrong value costs one call, and one more for each of several checks
    (benchmarks/schemas.py, row load errors).
    """
    checks = tuple(rule.check for rule in rules)
    message = _only_message(rules, kind) if alone else None

    def load(value: Any, data: Any, out: Any, errors: Errors, partial: Any) -> None:
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

    def refuse(value: Any, data: Any, out: Any, errors: Errors, partial: Any) -> None:
        if value.__class__ is kind:
            errors[key] = [message]
        else:
            otherwise(value, data, out, errors, partial)

    return load if message is None else refuse


def _only_message(rules: tuple[Rule, ...], kind: type) -> str | None:
    """Return what is wrong with each value of *kind* that the emitted test refuses, if known."""
    if len(rules) != 1 or not rules[0].inline or kind not in rules[0].types:
        return None
    return rules[0].message


def _key(name: str, field: Any) -> str:
    key: str | None = field.data_key
    return name if key is None else key


def _where(field: Any) -> str:
    owner = type(field.root).__name__ if field.root is not None else "a schema"
    return f"{owner}.{field.name}"


def _signature(schema: Schema) -> Any:
    """Return what two objects of a class have in common when they load and dump alike."""
    declared = type(schema)._declared_fields
    members = []
    for name, field in schema.fields.items():
        options = [getattr(field, option, None) for option in ("only", "exclude", "many")]
        flags = (field.load_only, field.dump_only, repr(options))
        members.append((name, id(declared.get(name, field)), flags))
    given = (schema.many, repr(schema.partial), schema.unknown)
    loads_dumps = (frozenset(schema.load_only), frozenset(schema.dump_only))
    return type(schema), given, loads_dumps, tuple(members)
