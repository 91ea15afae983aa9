"""`CompileContext`: the parts of a service that its compiled handlers share. Made at start-up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from marshmallow import Schema

from msframework.codec import CompiledSchema, Engine, compile_schema
from msframework.codec.bounds import MAX_ERRORS
from msframework.compile.rates import CompileTakes, no_takes
from msframework.operation import Operation
from msframework.serving.answer import Heads


class Failures(Protocol):
    """The answers to failures; see `errors.ErrorAnswers`."""

    def for_operation(self, operation: Operation) -> Callable[..., Any]:
        """Return the coroutine function that turns an exception of *operation* into an answer."""

    def refuse(self, operation: Operation) -> Callable[..., Any]:
        """Return the function that answers 422 for a request's collected errors."""


@dataclass(frozen=True, slots=True)
class CompileContext:
    """The parts that compiled handlers share: heads, tracing, access log and error answers.

    Attributes:
        engine: the fastest engine of dumps; see `codec.engine`.
        compile_takes: what makes the functions that count requests against rate limits.
        strict_query: whether names of a query are refused that no input declares.
        checks_members: whether answers that lack required members are refused (DEBUG, tests).
    """

    heads: Heads
    failures: Failures
    start_request: Callable[..., Any] | None = None
    build_finish: Callable[[str, str], Callable[..., Any] | None] | None = None
    json_max_depth: int = 64
    max_errors: int = MAX_ERRORS
    strict_query: bool = False
    engine: Engine = Engine.ROWS
    checks_members: bool = False
    compile_takes: CompileTakes = no_takes
    compiled_schemas: dict[int, CompiledSchema] = field(default_factory=dict)

    def compile_schema(self, schema: Schema) -> CompiledSchema:
        """Return the compiled form of *schema*, made once for all operations that share it."""
        compiled = self.compiled_schemas.get(id(schema))
        if compiled is None:
            compiled = compile_schema(
                schema,
                max_depth=self.json_max_depth,
                max_errors=self.max_errors,
                checks_kinds=True,
                engine=self.engine,
            )
            self.compiled_schemas[id(schema)] = compiled
        return compiled
