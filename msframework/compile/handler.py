"""Joins the steps of one operation into the straight-line handler that its requests run.

Runs at start-up.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from marshmallow import Schema

from msframework._codegen import SourceWriter, compile_function
from msframework.codec import CompiledSchema, compile_schema
from msframework.codec.bounds import MAX_ERRORS
from msframework.compile.reply import Replies
from msframework.compile.request import check_text, compile_input
from msframework.operation import Operation, Source, text_params
from msframework.pagination import PageResult
from msframework.serving.answer import Answer, Heads
from msframework.types import Handler


class Failures(Protocol):
    """What answers a failure; see `errors.ErrorAnswers`."""

    def for_operation(self, operation: Operation) -> Callable[..., Any]:
        """Return the coroutine function that turns an exception of *operation* into an answer."""

    def refuse(self, operation: Operation) -> Callable[..., Any]:
        """Return the function that answers 422 for a request's collected errors."""


@dataclass(frozen=True, slots=True)
class CompileContext:
    """What compiled handlers share: the service's heads, tracing, access log and error answers.

    Attributes:
        checks_members: whether answers that lack required members are refused (DEBUG, tests).
    """

    heads: Heads
    failures: Failures
    start_request: Callable[..., Any] | None = None
    finish: Callable[..., Any] | None = None
    json_max_depth: int = 64
    max_errors: int = MAX_ERRORS
    checks_members: bool = False
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
            )
            self.compiled_schemas[id(schema)] = compiled
        return compiled


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled handler, and the source it was compiled from."""

    operation: Operation
    handler: Handler
    source: str
    _namespace: dict[str, Any] = field(repr=False)
    _replies: Replies = field(repr=False)

    def check_members(self) -> None:
        """Refuse answers that lack required members from now on, which costs time."""
        self._replies.checks_members = True
        # NOTE: the handler looks its names up in here; now it finds no result plain.
        self._namespace["plain"] = frozenset()


def compile_operation(operation: Operation, context: CompileContext) -> Compiled:
    """Compile *operation* into one coroutine function `(request, **path parameters)`."""
    name = f"handle_{operation.id}"
    replies = Replies(operation, context.heads, context.compile_schema)
    writer, namespace = SourceWriter(), _namespace(operation, context, replies)
    writer.line(f"async def {name}(request{_parameters(operation, namespace)}):")
    with writer.indented():
        if context.start_request is not None:
            writer.line("request.span = start_request(request, label)")
        writer.line("try:")
        with writer.indented():
            _emit_call(operation, writer, namespace)
        writer.lines("except Exception as exc:", "    answer = await fail(request, exc)")
        if context.finish is not None:
            writer.line("finish(request, answer)")
        writer.line("return answer")
    source = str(writer)
    handler = compile_function(name, source, namespace)
    compiled = Compiled(operation, handler, source, namespace, replies)
    if context.checks_members:
        compiled.check_members()
    return compiled


def _namespace(operation: Operation, context: CompileContext, replies: Replies) -> dict[str, Any]:
    namespace: dict[str, Any] = {
        "Answer": Answer,
        "PageResult": PageResult,
        "after": replies.usual.after,
        "before": replies.usual.before,
        "check_second": replies.check_second,
        "check_text": check_text,
        "dump": replies.usual.dump,
        "fail": context.failures.for_operation(operation),
        "finish": context.finish,
        "head": replies.usual.head,
        "heads": context.heads,
        # NOTE: in here and not in the source, so that like handlers are compiled once.
        "label": f"{operation.method.lower()} {operation.template}",
        "method": operation.handler,
        "plain": replies.plain,
        "refuse": context.failures.refuse(operation),
        "reply": replies.other,
        "reply_page": replies.page,
        "settle": settle,
        "start_request": context.start_request,
    }
    for item in operation.inputs:
        namespace[f"load_{item.name}"] = compile_input(
            item, operation.inputs, context.compile_schema, max_errors=context.max_errors
        )
    for argument in operation.arguments:
        if argument.source is Source.PROVIDED:
            namespace[f"provide_{argument.name}"] = argument.provider
    return namespace


_LOCALS = frozenset(("answer", "errors", "exc", "request", "result"))


def _parameters(operation: Operation, namespace: dict[str, Any]) -> str:
    """Return the parameters after `request`; `**path` where a name would hide one of ours."""
    names = [param.name for param in operation.path_params]
    taken = _LOCALS.union(namespace)
    if any(name in taken or name.startswith(("given_", "provided_")) for name in names):
        namespace["path_is_mapping"] = True
        return ", **path"
    return "".join(f", {name}" for name in names)


def _path_value(name: str, namespace: dict[str, Any]) -> str:
    return f"path[{name!r}]" if "path_is_mapping" in namespace else name


def _emit_call(operation: Operation, writer: SourceWriter, namespace: dict[str, Any]) -> None:
    """Emit the loading of all inputs, the call of the method, and the answer."""
    for argument in operation.arguments:
        if argument.source is Source.PROVIDED:
            call = f"provide_{argument.name}(request)"
            if not _is_coroutine(argument.provider):
                call = f"settle({call})"
            writer.line(f"provided_{argument.name} = await {call}")
    loads = [f"load_{item.name}" for item in operation.inputs]
    texts = text_params(operation.path_params)
    if loads or texts:
        writer.line("errors = {}")
        for name in texts:
            writer.line(f"check_text({name!r}, {_path_value(name, namespace)}, errors)")
        for load in loads:
            writer.line(f"given_{load.removeprefix('load_')} = {load}(request, errors)")
        writer.lines("if errors:", "    answer = refuse(request, errors)", "else:")
        with writer.indented():
            _emit_method(operation, writer, namespace)
    else:
        _emit_method(operation, writer, namespace)


def _emit_method(operation: Operation, writer: SourceWriter, namespace: dict[str, Any]) -> None:
    values = []
    for argument in operation.arguments:
        if argument.source is Source.REQUEST:
            values.append("request")
        elif argument.source is Source.PATH:
            values.append(f"{argument.name}={_path_value(argument.name, namespace)}")
        elif argument.source is Source.PROVIDED:
            values.append(f"{argument.name}=provided_{argument.name}")
        else:
            values.append(f"{argument.name}=given_{argument.name}")
    call = f"method({', '.join(values)})"
    if not _is_coroutine(operation.handler):
        call = f"settle({call})"
    writer.line(f"result = await {call}")
    writer.lines("if request.responded:", "    answer = check_second(request, result)")
    if operation.page is not None:
        writer.lines(
            "elif result.__class__ is PageResult:", "    answer = reply_page(request, result)"
        )
    elif namespace["plain"]:
        around = namespace["before"] or namespace["after"]
        body = "before + dump(result) + after" if around else "dump(result)"
        writer.lines(
            "elif result.__class__ in plain:",
            f"    answer = Answer(heads, head, {body}, request)",
        )
    writer.lines("else:", "    answer = reply(request, result)")


def _is_coroutine(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an instance with an async __call__
    )


async def settle(value: Any) -> Any:
    """Return *value*, awaited where a plain function returned something to await."""
    return await value if inspect.isawaitable(value) else value
