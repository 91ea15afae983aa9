"""The step that loads the inputs of a request, all of them before any is refused.

Runs at start-up.
"""

from __future__ import annotations

from msframework.compile.context import CompileContext
from msframework.compile.emitter import Emitter
from msframework.compile.request import check_text, compile_input
from msframework.compile.strictness import compile_query_check
from msframework.operation import Operation, text_params


def load_inputs(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Write the lines that read path, body, query and so on, and the 422 for refused values."""
    texts = text_params(operation.path_params)
    if not operation.inputs and not texts and not context.strict_query:
        return
    emitter.line("errors = {}")
    emitter.bind("check_text", check_text)
    for name in texts:
        emitter.line(f"check_text({name!r}, {emitter.path_value(name)}, errors)")
    for item in operation.inputs:
        load = compile_input(
            item, operation.inputs, context.compile_schema, max_errors=context.max_errors
        )
        emitter.bind(f"load_{item.name}", load)
        emitter.line(f"given_{item.name} = load_{item.name}(request, errors)")
    if context.strict_query:
        emitter.bind("check_query", compile_query_check(operation.inputs, context.max_errors))
        emitter.line("check_query(request, errors)")
    emitter.bind("refuse", context.failures.refuse(operation))
    emitter.leave_if("errors", "refuse(request, errors)")
