"""The step that reads the inputs of a request, all of them before any is refused.

Runs at start-up.
"""

from __future__ import annotations

from msframework.compile.context import CompileContext
from msframework.compile.emitter import Emitter
from msframework.compile.request import check_text, compile_input, text_params
from msframework.operation import Operation, Source
from msframework.pagination import compile_page


def read_inputs(operation: Operation, context: CompileContext, emitter: Emitter) -> None:
    """Write the lines that read path, body, query and so on, and the 422 for what is refused."""
    loads = _bind_loads(operation, context, emitter)
    texts = text_params(operation.path_params)
    if not loads and not texts:
        return
    emitter.line("errors = {}")
    emitter.bind("check_text", check_text)
    for name in texts:
        emitter.line(f"check_text({name!r}, {emitter.path_value(name)}, errors)")
    for load in loads:
        emitter.line(f"given_{load} = load_{load}(request, errors)")
    emitter.bind("refuse", context.failures.refuse(operation))
    emitter.leave_if("errors", "refuse(request, errors)")


def _bind_loads(operation: Operation, context: CompileContext, emitter: Emitter) -> list[str]:
    """Bind the function that reads each input; return their names."""
    forms = [item for item in operation.inputs if item.source in (Source.FORM, Source.FILES)]
    loads = []
    for item in operation.inputs:
        load = compile_input(
            item,
            context.compile_schema,
            is_whole_form=forms == [item],
            max_errors=context.max_errors,
        )
        emitter.bind(f"load_{item.source.value}", load)
        loads.append(item.source.value)
    if operation.page is not None:
        emitter.bind("load_page", compile_page(operation.page))
        loads.append("page")
    return loads
