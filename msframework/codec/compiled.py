"""`compile_schema`: the dump and load that requests run in the place of marshmallow's.

`compile_schema` runs at start-up, `CompiledSchema` per request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from marshmallow import Schema, ValidationError

from msframework.codec.bounds import MAX_ERRORS
from msframework.codec.compiler import Compiler
from msframework.codec.engine import Engine
from msframework.codec.errors import Loaded, Rejected
from msframework.codec.known import DUMPS, LOADS, overrides
from msframework.codec.plan import PartialOption, SchemaPlan
from msframework.codec.reader import CallCounts, JSONReader, TextReader
from msframework.strict_json import MAX_DEPTH, dumps, dumps_closed, parse
from msframework.table import Table
from msframework.types import JSONValue

if TYPE_CHECKING:
    from marshmallow.types import UnknownOption


class CompiledSchema:
    """A Schema made ready for requests.

    The answers of `dump` and `load`, errors included, are marshmallow's own; `read_json` and
    `read_text` read the inputs of a request, within its bounds. The schema must not be changed
    afterwards.

    Attributes:
        schema: the schema itself.
        fallbacks: the parts that marshmallow still does, each with the reason.
        calls: how many calls ran compiled, and how many needed a fallback.
        engine: the fastest engine of its dumps.
    """

    __slots__ = (
        "_dumps_all",
        "_loads_all",
        "_many",
        "_max_depth",
        "_max_errors",
        "_plan",
        "_read_json",
        "_read_text",
        "_rows",
        "_single",
        "_write",
        "calls",
        "dump_fallbacks",
        "engine",
        "load_fallbacks",
        "schema",
    )

    def __init__(
        self, schema: Schema, max_depth: int, max_errors: int, checks_kinds: bool, engine: Engine
    ) -> None:
        self.schema, self._max_depth, self._max_errors = schema, max_depth, max_errors
        self._read_json: Callable[..., Loaded] | None = None
        self._read_text: Callable[..., Loaded] | None = None
        self.calls = CallCounts()
        compiler = Compiler(checks_kinds, engine=engine)
        self._plan: SchemaPlan | None = compiler.plan_of(lambda: schema)
        self.dump_fallbacks = tuple(dict.fromkeys(compiler.dump_fallbacks))
        self.load_fallbacks = tuple(dict.fromkeys(compiler.load_fallbacks))
        self._dumps_all = (
            self._plan is not None
            and not overrides(schema, *DUMPS)
            and engine is not Engine.MARSHMALLOW
        )
        self._loads_all = self._plan is not None and not overrides(schema, *LOADS)
        self._many = bool(schema.many)
        self._write = dumps if compiler.is_open or compiler.dump_fallbacks else dumps_closed
        used = self._plan if self._dumps_all else None
        self._rows = None if used is None else used.rows
        self.engine = Engine.MARSHMALLOW if used is None else used.engine
        self._single = self._read_single()
        if not self._dumps_all:
            asked = engine is Engine.MARSHMALLOW
            why = "marshmallow was asked for" if asked else "it overrides marshmallow's dump"
            self.dump_fallbacks = self._say(why)
        if not self._loads_all:
            self.load_fallbacks = self._say("it overrides marshmallow's load")

    def _say(self, why: str) -> tuple[str, ...]:
        """Return the one fallback of a schema that marshmallow dumps, or loads, as a whole."""
        if self._plan is None:
            why = "it cannot be compiled"
        return (f"{type(self.schema).__name__}: {why}",)

    def _read_single(self) -> Callable[[bytes, PartialOption, int], Loaded] | None:
        """Return the function that loads one object, for a schema that needs nothing further."""
        plan, schema = self._plan, self.schema
        plain = plan is not None and self._loads_all and not plan.load_hooks
        if plan is None or not plain or schema.many or schema.partial is not None:
            return None
        return None if self.load_fallbacks else plan.load_json

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """The parts of a dump or a load that marshmallow still does, each with the reason."""
        return tuple(dict.fromkeys((*self.dump_fallbacks, *self.load_fallbacks)))

    @property
    def sources(self) -> dict[str, str]:
        """The source of the schema's own generated functions, by name."""
        found = [] if self._plan is None else self._plan.sources
        return {source.name: source.text for source in found}

    def dump(self, obj: object, *, many: bool | None = None) -> JSONValue:
        """Return the data of `schema.dump`."""
        self._count(self.dump_fallbacks)
        if self._plan is None or not self._dumps_all:
            return self.schema.dump(obj, many=many)
        return self._plan.dump(obj, self._many if many is None else bool(many))

    def load(
        self,
        data: JSONValue,
        *,
        many: bool | None = None,
        partial: PartialOption = None,
        unknown: UnknownOption | None = None,
    ) -> Any:
        """Return the data of `schema.load`.

        Raises:
            ValidationError: marshmallow's, with the same messages.
        """
        self._count(self.load_fallbacks)
        if self._plan is None or not self._loads_all:
            return self.schema.load(data, many=many, partial=partial, unknown=unknown)
        many = self._many if many is None else bool(many)
        found = self._plan.load(data, many, partial, unknown)
        if found.__class__ is Rejected:
            raise _error_of(found)
        return found

    def dump_json(self, obj: object, many: bool | None = None) -> bytes:
        """Return `schema.dump(obj)` as JSON, as `strict_json.dumps` writes it.

        Rows may be dicts, asyncpg Records, or any object.
        """
        if many is None:
            many = self._many
        if self._rows is not None:
            written = self._rows.write_many(obj) if many else self._rows.write_one(obj)
            if written is not None:
                self.calls.compiled += 1
                return written
        self._count(self.dump_fallbacks)
        if self._plan is None or not self._dumps_all:
            return dumps(self.schema.dump(obj, many=many))
        return self._write(self._plan.dump_values(obj, bool(many)))

    def dump_table(self, table: Table) -> bytes:
        """Return the JSON of the list of rows that one statement gave.

        PERF: no row becomes a dict, and no name is looked up (benchmarks/schemas.py, row Records).
        """
        if self._rows is not None:
            written = self._rows.write_table(table)
            if written is not None:
                self.calls.compiled += 1
                return written
        return self.dump_json(table.rows(), True)

    def load_json(
        self,
        body: bytes,
        *,
        many: bool | None = None,
        partial: PartialOption = None,
        unknown: UnknownOption | None = None,
    ) -> Any:
        """Return the data of `schema.load` for the strict JSON text *body*.

        Raises:
            MalformedJSON: *body* is no strict JSON, or nested too deep.
            ValidationError: marshmallow's, with the same messages.
        """
        if self._single is None or many is not None or unknown is not None:
            data = parse(body, max_depth=self._max_depth)
            return self.load(data, many=many, partial=partial, unknown=unknown)
        self.calls.compiled += 1
        found = self._single(body, partial, self._max_depth)
        if found.__class__ is Rejected:
            raise _error_of(found)
        return found

    @property
    def read_json(self) -> Callable[..., Loaded]:
        """The function `(body, partial=None)` that loads the JSON body of a request.

        It returns a `Rejected` where `load_json` raises a ValidationError, with `max_errors` at
        most, and keeps every digit of a number that a decimal or integer field takes. It is made
        when it is first asked for, which is at start-up.
        """
        if self._read_json is None:
            reader = JSONReader(
                self.schema, self._max_depth, self._max_errors, self.load, self.calls
            )
            self._read_json = reader.read
        return self._read_json

    @property
    def read_text(self) -> Callable[..., Loaded]:
        """The function `(data, partial=None, unknown=None)` that loads texts of a request.

        They stand in a query, a form, headers or cookies, so a number is read from its text. It
        returns a `Rejected` as `read_json` does.
        """
        if self._read_text is None:
            self._read_text = TextReader(self.schema, self._max_errors).read
        return self._read_text

    def _count(self, fallbacks: tuple[str, ...]) -> None:
        self.calls.count(not fallbacks)


def _error_of(rejected: Rejected) -> ValidationError:
    """Return marshmallow's error for a rejected value.

    NOTE: whoever raises it gives it no name: its traceback would hold it in a circle.
    """
    return ValidationError(rejected.messages, data=rejected.data, valid_data=rejected.valid)


def compile_schema(
    schema: Schema,
    *,
    max_depth: int = MAX_DEPTH,
    max_errors: int = MAX_ERRORS,
    checks_kinds: bool = False,
    engine: Engine = Engine.ROWS,
) -> CompiledSchema:
    """Compile *schema*, a Schema instance.

    Args:
        max_depth: how deep JSON bodies may be nested.
        max_errors: how many errors are told of one input.
        checks_kinds: whether `dump_json` refuses data of another kind than an object or a list;
            marshmallow finds members of anything.
        engine: the fastest engine that dumps may use; each writes the same bytes.
    """
    return CompiledSchema(schema, max_depth, max_errors, checks_kinds, engine)
