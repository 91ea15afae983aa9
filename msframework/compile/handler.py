"""Joins the steps of one operation into the straight-line handler that its requests run.

Runs at start-up.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from msframework._codegen import compile_function
from msframework._place import origin_of
from msframework.compile.access import Admit, check_access
from msframework.compile.context import CompileContext
from msframework.compile.emitter import Emitter
from msframework.compile.loading import load_inputs
from msframework.compile.provision import make_late_values, make_values
from msframework.compile.reply import write_answer
from msframework.operation import Operation
from msframework.provider import ProviderKind, kind_of
from msframework.types import Handler

Step: TypeAlias = Callable[[Operation, CompileContext, Emitter], None]

_LOCALS: Final = frozenset(("answer", "errors", "exc", "request", "result"))
_BLOCKS: Final = 2  # open around all that may fail: the function, and its `try`


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled handler, the function that admits to it, and the source of both."""

    operation: Operation
    handler: Handler
    source: str
    _strict: Sequence[Callable[[], None]] = field(repr=False)
    admit: Admit | None = None

    def check_members(self) -> None:
        """Refuse answers that lack required members from now on, which costs time."""
        for refuse in self._strict:
            refuse()


def start_span(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Write the line that starts the request's span, where the service traces."""
    if context.start_request is not None:
        emitter.bind("start_request", context.start_request)
        # NOTE: by name and not in the source, so that like handlers are compiled once.
        emitter.bind("label", f"{operation.method.lower()} {operation.template}")
        # NOTE: where its guards were asked before, so that Sanic may read a body, it has its span.
        begun = "if request.span is None: " if operation.is_admitted else ""
        emitter.line(f"{begun}request.span = start_request(request, label)")


def begin(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Open the block whose failures are answered."""
    emitter.open("try:")


def call_method(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Write the call of the method, inside of the blocks that only it needs."""
    depth = emitter.depth
    make_late_values(operation, emitter)
    emitter.bind("method", operation.handler)
    origin = origin_of(operation.handler)
    if origin is not None and origin.source:
        emitter.called.append(origin.source)
    arguments = emitter.arguments(operation.arguments[1:])
    call = f"method(request, {arguments})" if arguments else "method(request)"
    if kind_of(operation.handler) is not ProviderKind.COROUTINE:
        call = f"settle({call})"
    emitter.line(f"result = await {call}")
    emitter.close_to(depth)


def end(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Close the blocks within `try`, so that later lines follow each exit, early ones too."""
    emitter.close_to(_BLOCKS)


def answer_failure(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Write the lines that turn an exception into an answer."""
    emitter.close_to(_BLOCKS - 1)
    emitter.bind("fail", context.failures.for_operation(operation))
    emitter.lines("except Exception as exc:", "    answer = await fail(request, exc)")


def finish(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Write the lines that end the span, note the access line, and return the answer."""
    build = context.build_finish
    finish = None if build is None else build(operation.method, operation.template)
    if finish is not None:
        emitter.bind("finish", finish)
        emitter.line("finish(request, answer)")
    emitter.line("return answer")


# The order in which a request passes; what stands between `begin` and `end` may leave early.
STEPS: Final[tuple[Step, ...]] = (
    start_span,
    begin,
    check_access,
    make_values,
    load_inputs,
    call_method,
    write_answer,
    end,
    answer_failure,
    finish,
)


def compile_operation(
    operation: Operation, context: CompileContext, steps: Sequence[Step] = STEPS
) -> Compiled:
    """Compile *operation* into one coroutine function `(request, **path parameters)`."""
    name = f"handle_{operation.id}"
    names = [param.name for param in operation.path_params]
    emitter = _write(name, operation, context, steps, names)
    if any(_is_taken(each, emitter) for each in names):
        emitter = _write(name, operation, context, steps, names, mapped=names)
    source = str(emitter)
    handler = compile_function(name, source, emitter.namespace)
    shown = "\n\n".join((*emitter.called, source))
    admit = emitter.namespace.get("admit") if operation.is_admitted else None
    compiled = Compiled(operation, handler, shown, emitter.strict, admit)
    if context.checks_members:
        compiled.check_members()
    return compiled


def _write(
    name: str,
    operation: Operation,
    context: CompileContext,
    steps: Sequence[Step],
    names: Sequence[str],
    *,
    mapped: Sequence[str] = (),
) -> Emitter:
    emitter = Emitter(mapped)
    emitter.bind("settle", settle)
    parameters = "".join(f", {each}" for each in names)
    emitter.open(f"async def {name}(request{', **path' if mapped else parameters}):")
    for step in steps:
        step(operation, context, emitter)
    return emitter


def _is_taken(name: str, emitter: Emitter) -> bool:
    """Whether a path parameter of this name would hide one of ours."""
    mine = name in _LOCALS or name in emitter.namespace
    return mine or name.startswith(("given_", "provided_"))


async def settle(value: object) -> Any:
    """Return *value*, awaited where a plain function returned something to await."""
    return await value if inspect.isawaitable(value) else value
