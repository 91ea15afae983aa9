"""Mistakes in the results of a method that show before it runs: a generator, `return data, 201`.

Runs at start-up.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from opcode import opmap
from types import CodeType
from typing import Final

from msframework._place import read_statements
from msframework.problem import Problem
from msframework.types import Handler

_STATUSES: Final = range(100, 600)
# From CPython 3.14 on integers below 256 stand in the instructions, not among the constants.
_LOAD_SMALL_INT: Final = opmap.get("LOAD_SMALL_INT")


def check_returns(handler: Handler, where: str, problems: list[str]) -> None:
    """Append to *problems* the lines of *handler* that return no data."""
    function = inspect.unwrap(handler)
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        found = "it is a generator, as there is a yield in it"
        advice = "Return a list, or send parts with `await request.respond()`."
        problems.append(Problem(where, found, "a method that returns its data", advice))
        return
    for line in _status_lines(getattr(function, "__func__", function)):
        found = f"line {line} returns a tuple of data and a status"
        advice = "Return Reply(data, status=…), and declare the status with @doc.produces."
        problems.append(Problem(where, found, "the data", advice))


def _status_lines(function: Handler) -> Iterator[int]:
    """Yield the lines of *function* with a `return data, 201`."""
    code = getattr(function, "__code__", None)
    # PERF: reading and parsing sources takes long, and few functions name a status.
    if code is None or not _may_name_status(code):
        return
    for node in read_statements(function):
        value = node.value if isinstance(node, ast.Return) else None
        if isinstance(value, ast.Tuple) and _has_status(value.elts):
            yield node.lineno


def _may_name_status(code: CodeType) -> bool:
    if "HTTPStatus" in code.co_names:
        return True
    if any(is_status(value) for const in code.co_consts for value in _flat(const)):
        return True
    steps = zip(code.co_code[::2], code.co_code[1::2], strict=True)  # operations, arguments
    return any(step == _LOAD_SMALL_INT and is_status(value) for step, value in steps)


def _flat(const: object) -> tuple[object, ...]:
    return const if isinstance(const, tuple) else (const,)


def is_status(value: object) -> bool:
    """Tell whether *value* is a number that may mean the status of an answer."""
    return isinstance(value, int) and not isinstance(value, bool) and value in _STATUSES


def _has_status(parts: list[ast.expr]) -> bool:
    if len(parts) not in (2, 3):
        return False
    if isinstance(parts[0], ast.Constant) and isinstance(parts[0].value, int | float):
        return False  # two or three numbers may be data
    second = parts[1]
    if isinstance(second, ast.Constant):
        return is_status(second.value)
    return ast.unparse(second).removeprefix("http.").startswith("HTTPStatus.")
