"""The plan of one schema: its compiled dump and load, hooks included. Runs per request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeAlias

from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, ValidationError, fields
from marshmallow.decorators import (
    POST_DUMP,
    POST_LOAD,
    PRE_DUMP,
    PRE_LOAD,
    VALIDATES,
    VALIDATES_SCHEMA,
)
from marshmallow.exceptions import SCHEMA
from marshmallow.utils import is_sequence_but_not_string
from orjson import JSONDecodeError, loads

from msframework.codec.bounds import count_messages
from msframework.codec.emit import FunctionSource
from msframework.codec.engine import Engine, RowWriter
from msframework.codec.errors import (
    SUSPICION,
    ErrorStore,
    Loaded,
    LoadErrors,
    Rejected,
    merge,
    messages_of,
    note,
)
from msframework.codec.kinds import WrongKind, is_data, is_list, is_object, name_kind
from msframework.codec.known import overrides, reads_anything
from msframework.schemas.naming import wire_name
from msframework.strict_json import check, check_keys, read
from msframework.types import Field, JSONValue

if TYPE_CHECKING:
    from marshmallow.types import UnknownOption

# Which fields a load does not require: all of them, or those that it names.
PartialOption: TypeAlias = bool | Sequence[str] | Set[str] | None
DumpOne: TypeAlias = Callable[[object], JSONValue]
LoadFields: TypeAlias = Callable[[JSONValue, LoadErrors, PartialOption], Loaded]

_LOAD_HOOKS: Final = (PRE_LOAD, POST_LOAD, VALIDATES, VALIDATES_SCHEMA)


class SchemaPlan:
    """One schema, ready to run.

    Args:
        most: how many errors are looked for; all when `None`, as marshmallow does.

    Attributes:
        sources: the generated functions.
        rows: the writer of its rows, where it has only plain columns.
        engine: the fastest engine of its dumps.
    """

    __slots__ = (
        "_all_keys",
        "_checks_kinds",
        "_handles",
        "_index",
        "_most",
        "_refuses_unknown",
        "dump_hooks",
        "dump_json",
        "dump_one",
        "engine",
        "load_fields",
        "load_hooks",
        "reads_anything",
        "rows",
        "schema",
        "sources",
    )

    def __init__(self, schema: Schema, checks_kinds: bool, most: int | None = None) -> None:
        self.schema, self._checks_kinds, self._most = schema, checks_kinds, most
        self.sources: list[FunctionSource] = []
        self.rows: RowWriter | None = None
        self.engine = Engine.ANY_OBJECT
        self.dump_one: DumpOne
        self.dump_json: DumpOne
        self.load_fields: LoadFields
        self._all_keys = frozenset(
            wire_name(field, name) for name, field in schema.load_fields.items()
        )
        hooks = schema._hooks
        self.dump_hooks = bool(hooks[PRE_DUMP] or hooks[POST_DUMP])
        self.load_hooks = any(hooks[tag] for tag in _LOAD_HOOKS)
        self.reads_anything = reads_anything(schema)
        self._handles = overrides(schema, "handle_error")
        self._index = schema.opts.index_errors
        self._refuses_unknown = schema.unknown == RAISE

    def dump(self, obj: Any, many: bool) -> JSONValue:
        """Return the data of `schema.dump(obj, many=many)`."""
        if self.dump_hooks:
            return self._dump_with_hooks(obj, many, self.dump_one)
        if many and obj is not None:
            dump = self.dump_one
            return [dump(item) for item in obj]
        return self.dump_one(obj)

    def dump_values(self, obj: Any, many: bool) -> JSONValue:
        """Return the data of `dump` for orjson, which writes dates and UUIDs itself.

        Raises:
            WrongKind: kinds are checked, and the data is no object or no list.
        """
        if self.dump_hooks:
            dump = self._dump_object if self._checks_kinds else self.dump_one
            return self._dump_with_hooks(obj, many, dump)
        if many and obj is not None:
            if self._checks_kinds and obj.__class__ is not list and not is_list(obj.__class__):
                raise WrongKind(f"{self._owner}: got {name_kind(obj)}; expected a list of objects")
            dump = self.dump_json
            return [dump(item) for item in obj]
        return self.dump_json(obj)

    def _dump_object(self, obj: object) -> JSONValue:
        if obj.__class__ is not dict:
            self.check_object(obj)
        return self.dump_one(obj)

    def check_object(self, obj: Any) -> None:
        """Refuse an *obj* that is none, unless the schema's own code may read it.

        Raises:
            WrongKind: it is refused.
        """
        kind = obj.__class__
        if not (is_data(kind) if self.reads_anything else is_object(kind)):
            raise WrongKind(f"{self._owner}: got {name_kind(obj)}; expected an object")

    @property
    def _owner(self) -> str:
        return type(self.schema).__name__

    def _dump_with_hooks(self, obj: Any, many: bool, dump: DumpOne) -> JSONValue:
        schema = self.schema
        hooks, found = schema._hooks, obj
        if hooks[PRE_DUMP]:
            found = schema._invoke_dump_processors(PRE_DUMP, obj, many=many, original_data=obj)
        found = [dump(item) for item in found] if many and found is not None else dump(found)
        if hooks[POST_DUMP]:
            found = schema._invoke_dump_processors(POST_DUMP, found, many=many, original_data=obj)
        return found

    def load_json(self, body: bytes, partial: PartialOption, max_depth: int) -> Loaded:
        """Return the data of `schema.load` for one object in *body*, for schemas without hooks.

        A refusal is returned as a `Rejected`, unless the schema's own `handle_error` is to see it.

        PERF: the shortest way through; JSON is checked further only when the fields met a value
        that orjson may have misread (benchmarks/schemas.py, row load).
        """
        try:
            data = loads(body)
        except JSONDecodeError:
            data = read(body, max_depth)
        errors: LoadErrors = {}
        if data.__class__ is not dict or len(data) != body.count(b":"):
            check_keys(body, data)
        if data.__class__ is dict and self._refuses_unknown:
            found = self.load_fields(data, errors, partial)
            if not self._all_keys.issuperset(data):
                check(body, data, max_depth)
                self._read_unknown(data, errors, found, RAISE)
        else:
            check(body, data, max_depth)
            found = self._load_one(data, errors, partial, self.schema.unknown)
        if errors:
            if errors.pop(SUSPICION, None) is not None:
                check(body, data, max_depth)
            if errors:
                if self._handles:
                    self._refuse(errors, data, found, False, partial)
                return Rejected(errors, found, data)
        return found

    def load_nested(
        self, data: JSONValue, partial: PartialOption, unknown: UnknownOption | None
    ) -> Loaded:
        """Return the result of the schema within another one: see `load`."""
        try:
            return self.load(data, bool(self.schema.many), partial, unknown)
        except ValidationError as exc:
            return Rejected.of(exc)

    def load(
        self, data: JSONValue, many: bool, partial: PartialOption, unknown: UnknownOption | None
    ) -> Loaded:
        """Return the data of `schema.load`, or a `Rejected` where that raises.

        Raises:
            Exception: the schema's own `handle_error` raises it.
        """
        schema = self.schema
        if unknown is None:
            unknown = schema.unknown
        if partial is None:
            partial = schema.partial
        errors: LoadErrors = {}
        if self.load_hooks:
            found = self._load_with_hooks(data, errors, many, partial, unknown)
        elif many:
            found = self._load_many(data, errors, partial, unknown)
        else:
            found = self._load_one(data, errors, partial, unknown)
        if not errors:
            return found
        if self._handles:
            self._refuse(errors, data, found, many, partial)
        return Rejected(errors, found, data)

    def _refuse(
        self, errors: LoadErrors, data: JSONValue, found: Loaded, many: bool, partial: PartialOption
    ) -> NoReturn:
        """Raise the errors, unless the schema's own `handle_error` raises something else."""
        exc = ValidationError(errors, data=data, valid_data=found)
        self.schema.handle_error(exc, data, many=many, partial=partial)
        raise exc

    def _load_one(
        self,
        data: JSONValue,
        errors: LoadErrors,
        partial: PartialOption,
        unknown: UnknownOption | None,
    ) -> Loaded:
        if data.__class__ is not dict and not isinstance(data, Mapping):
            note(errors, SCHEMA, [self.schema.error_messages["type"]])
            return self.schema.dict_class()
        found = self.load_fields(data, errors, partial)
        errors.pop(SUSPICION, None)
        if unknown != EXCLUDE and not self._all_keys.issuperset(data):
            self._read_unknown(data, errors, found, unknown)
        return found

    def _read_unknown(
        self, data: JSONValue, errors: LoadErrors, found: Loaded, unknown: UnknownOption | None
    ) -> None:
        left = self._most
        for key in set(data) - self._all_keys:
            if unknown == INCLUDE:
                found[key] = data[key]
            elif unknown == RAISE:
                note(errors, key, [self.schema.error_messages["unknown"]])
                if left is not None and (left := left - 1) < 0:
                    break

    def _load_many(
        self,
        data: JSONValue,
        errors: LoadErrors,
        partial: PartialOption,
        unknown: UnknownOption | None,
    ) -> list[Loaded]:
        if data.__class__ is not list and not is_sequence_but_not_string(data):
            note(errors, SCHEMA, [self.schema.error_messages["type"]])
            return []
        result, left = [], self._most
        for index, item in enumerate(data):
            wrong: LoadErrors = {}
            result.append(self._load_one(item, wrong, partial, unknown))
            if wrong:
                merge(errors, {index: wrong} if self._index else wrong)
                if left is not None and (left := left - count_messages(wrong, left)) < 0:
                    break
        return result

    def _load_with_hooks(
        self,
        data: JSONValue,
        errors: LoadErrors,
        many: bool,
        partial: PartialOption,
        unknown: UnknownOption | None,
    ) -> Loaded:
        """Load with the schema's hooks, in the order of marshmallow's `_do_load`."""
        schema, found = self.schema, data
        hooks = schema._hooks
        rest: dict[str, Any] = {"many": many, "partial": partial, "unknown": unknown}
        if hooks[PRE_LOAD]:
            try:
                found = schema._invoke_load_processors(PRE_LOAD, data, original_data=data, **rest)
            except ValidationError as exc:
                errors.update(messages_of(exc))
                if errors:
                    return None
        store = ErrorStore()
        load = self._load_many if many else self._load_one
        found = load(found, store.errors, partial, unknown)
        schema._invoke_field_validators(error_store=store, data=found, many=many)
        if hooks[VALIDATES_SCHEMA]:
            rest |= {"original_data": data, "field_errors": bool(store.errors)}
            for whole in (True, False):
                schema._invoke_schema_validators(
                    error_store=store, pass_collection=whole, data=found, **rest
                )
        errors.update(store.errors)
        if not errors and hooks[POST_LOAD]:
            rest.pop("field_errors", None)
            rest["original_data"] = data
            try:
                found = schema._invoke_load_processors(POST_LOAD, found, **rest)
            except ValidationError as exc:
                errors.update(messages_of(exc))
        return found


class Nesting(Protocol):
    """The compiler, as the units of fields see it: it compiles the schemas within a schema.

    Attributes:
        most: how many errors a load looks for; all when `None`.
        exact: whether numbers that lost digits may be read again (see `errors.InexactNumber`).
    """

    most: int | None
    exact: bool

    def note_dump(self, field: Field, reason: str) -> None:
        """Remember that marshmallow must dump *field*."""

    def note_load(self, field: Field, reason: str) -> None:
        """Remember that marshmallow must load *field*."""

    def note_open(self) -> None:
        """Remember that a dump may hold values of any type."""

    def nested(self, field: fields.Nested, *, load: bool) -> SchemaPlan | None:
        """Return the plan of a nested field's schema, `None` when marshmallow must do it."""

    def plan_of(self, get: Callable[[], Schema]) -> SchemaPlan | None:
        """Return the plan of the schema that *get* gives."""
