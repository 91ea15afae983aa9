"""Compiles a schema, with all that it nests, into a `SchemaPlan`. Runs at start-up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from asyncpg import Record
from marshmallow import Schema, fields, missing
from marshmallow.decorators import POST_DUMP, PRE_DUMP
from marshmallow.exceptions import SCHEMA
from marshmallow.utils import get_value

from msframework._tested import demand, supports
from msframework.codec.dump_terms import NAMES, read_dump
from msframework.codec.emit import emit_dump, emit_dump_any, emit_load
from msframework.codec.engine import Engine
from msframework.codec.facts import FieldFacts, read_facts
from msframework.codec.kinds import WrongKind, name_kind
from msframework.codec.known import DUMPS, LOADS, is_rebound, overrides
from msframework.codec.load_terms import read_load
from msframework.codec.loads import compile_unit
from msframework.codec.plan import DumpOne, LoadFields, SchemaPlan
from msframework.codec.rows import read_row_writer
from msframework.types import Field, JSONValue

_RECORDS: Final = frozenset((dict, Record))
_DEEPEST: Final = 12


class Compiler:
    """Compiles one schema with all that it nests.

    `dump_fallbacks` and `load_fallbacks` list marshmallow's part, and why; `is_open` says whether a
    dump may hold values of any type.

    Args:
        most: how many errors a load looks for. With it, loads are compiled for the bodies of
            requests, and dumps are not; without, a load is marshmallow's in all.
        engine: the fastest engine that a dump may use.
    """

    def __init__(
        self,
        checks_kinds: bool = False,
        most: int | None = None,
        engine: Engine = Engine.ROWS,
    ) -> None:
        demand("marshmallow", "reading schemas")
        self._checks_kinds, self._engine = checks_kinds, engine
        self.most, self.exact = most, most is not None
        self.dump_fallbacks: list[str] = []
        self.load_fallbacks: list[str] = []
        self.is_open = False
        self._stack: list[tuple[object, SchemaPlan]] = []
        self._plans: dict[int, SchemaPlan | None] = {}

    def note_dump(self, field: Field, reason: str) -> None:
        """Remember that marshmallow must dump *field*."""
        self.dump_fallbacks.append(f"{_where(field)}: {reason}")

    def note_load(self, field: Field, reason: str) -> None:
        """Remember that marshmallow must load *field*."""
        self.load_fallbacks.append(f"{_where(field)}: {reason}")

    def note_open(self) -> None:
        """Remember that a dump may hold values of any type."""
        self.is_open = True

    def nested(self, field: fields.Nested, *, load: bool) -> SchemaPlan | None:
        """Return the plan of a nested field's schema, `None` when marshmallow must do it."""
        plan = self.plan_of(lambda: field.schema)
        names = LOADS if load else DUMPS
        return None if plan is None or overrides(plan.schema, *names) else plan

    def plan_of(self, get: Callable[[], Schema]) -> SchemaPlan | None:
        """Return the plan of the schema that *get* gives; `None` where marshmallow does it all."""
        if not supports("marshmallow", "compiling schemas"):
            return None
        try:
            schema = get()
        except Exception:  # marshmallow says why, when it is needed
            return None
        if id(schema) not in self._plans:
            self._plans[id(schema)] = self._find_open(schema) or self._compile(schema)
        return self._plans[id(schema)]

    def _find_open(self, schema: Schema) -> SchemaPlan | None:
        """Return the plan of an equal schema around this one: that is how recursion ends."""
        if is_rebound(schema):
            return None
        key = _signature(schema)
        return next((plan for known, plan in self._stack if known == key), None)

    def _compile(self, schema: Schema) -> SchemaPlan | None:
        if sum(type(plan.schema) is type(schema) for _, plan in self._stack) > _DEEPEST:
            return None
        plan = SchemaPlan(schema, self._checks_kinds, self.most)
        self._stack.append((_signature(schema), plan))
        try:
            self._fill(plan)
        finally:
            self._stack.pop()
        return plan

    def _fill(self, plan: SchemaPlan) -> None:
        schema, owner = plan.schema, type(plan.schema).__name__
        for name in sorted(name for name, hooks in schema._hooks.items() if hooks):
            found = self.dump_fallbacks if name in (PRE_DUMP, POST_DUMP) else self.load_fallbacks
            found.append(f"{owner}: {name} calls the user's code")
        plan.load_fields = self._compile_load(plan, owner)
        if self.most is not None:
            return
        dumped = [read_facts(field, name) for name, field in schema.dump_fields.items()]
        plan.dump_one = self._compile_dump(plan, owner, dumped, json=False)
        plan.dump_json = self._compile_dump(plan, owner, dumped, json=True)
        usual = plan.engine is Engine.MEMBERS and not plan.dump_hooks
        if usual and self._engine.may_use(Engine.ROWS):
            plan.rows = read_row_writer(dumped, owner)
        if plan.rows is not None:
            plan.engine = Engine.ROWS
            plan.sources.extend(plan.rows.sources)

    def _compile_load(self, plan: SchemaPlan, owner: str) -> LoadFields:
        schema = plan.schema
        listed = [read_facts(field, name) for name, field in schema.load_fields.items()]
        keys = Counter(facts.key for facts in listed)
        found = []
        for number, facts in enumerate(listed):
            unit = compile_unit(facts, self)
            alone = keys[facts.key] == 1 and SCHEMA not in keys
            found.append(read_load(facts, number, unit, alone=alone))
        source = emit_load(owner, found, {"missing": missing, "dict_class": schema.dict_class})
        plan.sources.append(source)
        return source.build()

    def _compile_dump(
        self, plan: SchemaPlan, owner: str, dumped: Sequence[FieldFacts], *, json: bool
    ) -> DumpOne:
        schema = plan.schema
        get = schema.get_attribute if overrides(schema, "get_attribute") else get_value
        parts = [read_dump(facts, number, self, json=json) for number, facts in enumerate(dumped)]
        names = {**NAMES, "get": get, "dict_class": schema.dict_class}
        source = emit_dump_any(owner, parts, dict(names))
        plan.sources.append(source)
        dump_any = source.build()
        if json and self._checks_kinds:
            dump_any = _for_objects(dump_any, plan)
        if (
            get is not get_value
            or schema.dict_class is not dict
            or not all(part.usual for part in parts)
            or not self._engine.may_use(Engine.MEMBERS)
        ):
            return dump_any
        plan.engine = Engine.MEMBERS
        names |= {"records": _RECORDS, "dump_any": dump_any}
        source = emit_dump(owner, parts, names)
        plan.sources.append(source)
        return source.build()


def _for_objects(dump_any: DumpOne, plan: SchemaPlan) -> DumpOne:
    """Return *dump_any* for objects alone; one that has no member of the schema is none.

    marshmallow finds members of anything: those of a text, and none of a coroutine.
    """
    needs_one = not plan.reads_anything

    def dump_object(obj: object) -> JSONValue:
        plan.check_object(obj)
        found = dump_any(obj)
        if needs_one and not found and not isinstance(obj, (Mapping, Record)):
            text = f"{name_kind(obj)}, which has no member of the schema"
            raise WrongKind(f"{type(plan.schema).__name__}: got {text}; expected an object")
        return found

    return dump_object


def _where(field: Field) -> str:
    owner = type(field.root).__name__ if field.root is not None else "a schema"
    return f"{owner}.{field.name}"


def _signature(schema: Schema) -> object:
    """Return a key that two objects of a class share when they load and dump alike."""
    declared = type(schema)._declared_fields
    members = []
    for name, field in schema.fields.items():
        options = [getattr(field, option, None) for option in ("only", "exclude", "many")]
        flags = (field.load_only, field.dump_only, repr(options))
        members.append((name, id(declared.get(name, field)), flags))
    given = (schema.many, repr(schema.partial), schema.unknown)
    loads_dumps = (frozenset(schema.load_only), frozenset(schema.dump_only))
    return type(schema), given, loads_dumps, tuple(members)
