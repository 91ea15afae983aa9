"""The readers of requests: a schema's load with bounded errors and exact numbers.

`JSONReader` and `TextReader` are built at start-up; they run per request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from marshmallow import Schema, ValidationError

from msframework.codec.bounds import bound_messages
from msframework.codec.compiler import Compiler
from msframework.codec.errors import InexactNumber, Loaded, Rejected
from msframework.codec.exact import holds_float, read_places
from msframework.codec.known import LOADS, overrides
from msframework.codec.plan import PartialOption, SchemaPlan
from msframework.schemas.strict import read_text_schema
from msframework.strict_json import check, check_keys, parse, read
from msframework.types import JSONValue

if TYPE_CHECKING:
    from marshmallow.types import UnknownOption


class CallCounts:
    """How often a schema was used: by compiled code alone, or with marshmallow's help."""

    __slots__ = ("compiled", "fallback")

    def __init__(self) -> None:
        self.compiled = self.fallback = 0

    def count(self, compiled: bool) -> None:
        """Count one call."""
        if compiled:
            self.compiled += 1
        else:
            self.fallback += 1

    def __repr__(self) -> str:
        return f"CallCounts(compiled={self.compiled}, fallback={self.fallback})"


class Loader:
    """Loads decoded data through one schema: at most so many errors are looked for."""

    def __init__(self, schema: Schema, most: int) -> None:
        self.schema, self.most = schema, most
        compiler = Compiler(most=most)
        plan = compiler.plan_of(lambda: schema)
        self.plan: SchemaPlan | None = None if overrides(schema, *LOADS) else plan
        self.is_compiled = self.plan is not None and not compiler.load_fallbacks

    def load(
        self, data: JSONValue, partial: PartialOption = None, unknown: UnknownOption | None = None
    ) -> Loaded:
        """Return the data of `schema.load`, or a `Rejected` where that raises.

        Raises:
            InexactNumber: a number must be read again.
        """
        try:
            if self.plan is None:
                return self.schema.load(data, partial=partial, unknown=unknown)
            return self.plan.load(data, bool(self.schema.many), partial, unknown)
        except ValidationError as exc:
            return Rejected.of(exc)


class JSONReader:
    """Loads JSON bodies through one schema.

    Args:
        fallback: marshmallow's load, for data whose numbers stand where only user code knows.
        calls: counts how often it ran compiled.
    """

    __slots__ = (
        "_calls",
        "_exact",
        "_fallback",
        "_loader",
        "_max_depth",
        "_most",
        "_moves",
        "_single",
    )

    def __init__(
        self,
        schema: Schema,
        max_depth: int,
        most: int,
        fallback: Callable[..., Loaded],
        calls: CallCounts,
    ) -> None:
        self._loader = loader = Loader(schema, most)
        self._max_depth, self._most = max_depth, most
        self._fallback, self._calls = fallback, calls
        self._exact = read_places(schema)
        # Where the user's code runs, nothing tells that a decimal lost digits.
        self._moves = self._exact is not None and not loader.is_compiled
        self._single: Callable[[bytes, PartialOption, int], Loaded] | None = None
        if loader.plan and loader.is_compiled and not schema.many and schema.partial is None:
            self._single = loader.plan.load_json

    def read(self, body: bytes, partial: PartialOption = None) -> Loaded:
        """Return the data that the schema loads from *body*, or a `Rejected` with bounded errors.

        PERF: nothing is raised for the mistakes that many requests make (benchmarks/schemas.py, row
        load errors).

        Raises:
            MalformedJSON: *body* is no strict JSON, or nested too deep.
        """
        try:
            if self._moves:
                self._calls.count(False)
                found = self._read_exactly(body, partial)
            elif self._single is not None:
                self._calls.compiled += 1
                found = self._single(body, partial, self._max_depth)
            else:
                self._calls.count(self._loader.is_compiled)
                found = self._loader.load(parse(body, max_depth=self._max_depth), partial)
        except ValidationError as exc:  # raised by the schema's own handle_error
            found = Rejected.of(exc)
        except InexactNumber:
            found = self._read_exactly(body, partial)
        if found.__class__ is Rejected:
            found.messages = bound_messages(found.messages, self._most)
        return found

    def _read_exactly(self, body: bytes, partial: PartialOption) -> Loaded:
        """Return the data of `read`, with those numbers read again whose digits count."""
        data = read(body, self._max_depth)
        check_keys(body, data)
        if self._exact is None or not holds_float(data):
            check(body, data, self._max_depth)
        else:
            data = self._exact.mend(body, data, self._max_depth, self._moves)
        try:
            return self._loader.load(data, partial)
        except InexactNumber:
            pass
        try:
            return self._fallback(data, partial=partial)
        except ValidationError as exc:
            return Rejected.of(exc)


class TextReader:
    """Loads texts: the values of a query, a form, headers or cookies."""

    __slots__ = ("_loader",)

    def __init__(self, schema: Schema, most: int) -> None:
        self._loader = Loader(read_text_schema(schema), most)

    def read(
        self, data: JSONValue, partial: PartialOption = None, unknown: UnknownOption | None = None
    ) -> Loaded:
        """Return *data* as the schema loads it, or a `Rejected` with bounded errors."""
        found = self._loader.load(data, partial, unknown)
        if found.__class__ is Rejected:
            found.messages = bound_messages(found.messages, self._loader.most)
        return found
