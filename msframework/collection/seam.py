"""The seams of a collection: which of them a class has, and what each takes by name.

Runs at start-up.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from msframework._place import place_of, read_statements
from msframework._signature import read_signature
from msframework.collection.model_resource import ModelResource
from msframework.filters.scope import find_lost_condition
from msframework.problem import Problem

# The arguments that an action has ready for each seam, beside what its own parameters give.
SEAMS: Final[Mapping[str, tuple[str, ...]]] = {
    "scope": (),
    "query": ("query",),
    "before_create": ("values",),
    "after_create": ("row", "values"),
    "before_update": ("key", "row", "values"),
    "after_update": ("row", "key", "values"),
    "before_delete": ("key", "row"),
    "after_delete": ("row", "key"),
    "after_commit": ("action", "row"),
}
_SYNCHRONOUS: Final = ("query",)
_RESULTS: Final = {
    "scope": "the condition of the rows, or None for all",
    "query": "the select that it is given, changed",
}


@dataclass(frozen=True, slots=True)
class Seam:
    """A seam that a class has.

    Attributes:
        parameters: the names that it takes.
        is_coroutine: whether it is awaited.
    """

    name: str
    parameters: tuple[str, ...]
    is_coroutine: bool

    @property
    def outer(self) -> tuple[str, ...]:
        """The parameters that the method of an action has to take for it."""
        own = {"request", *SEAMS[self.name]}
        return tuple(name for name in self.parameters if name not in own)

    def call(self, **local: str) -> str:
        """Return the source of a call; *local* are the expressions of its own arguments."""
        call = f"self.{self.name}({self.arguments(**local)})"
        return f"await {call}" if self.is_coroutine else call

    def arguments(self, **local: str) -> str:
        """Return the source of the arguments of a call."""
        return ", ".join(f"{name}={local.get(name, name)}" for name in self.parameters)


def read_seams(cls: type[ModelResource], problems: list[str]) -> dict[str, Seam]:
    """Return the seams that *cls* has of its own; append the mistakes to *problems*."""
    found = {}
    for name in SEAMS:
        method = getattr(cls, name)
        if method is getattr(ModelResource, name):
            continue
        where = place_of(method, f"{cls.__qualname__}.{name}")
        held = inspect.getattr_static(cls, name)
        if not inspect.isfunction(held):
            problems.append(Problem(where, f"{name} is {held!r:.100}", "a method", "Write one."))
            continue
        parameters = list(read_signature(method).parameters.values())
        if not parameters:
            problems.append(Problem(where, "it takes no self", advice="Add the parameter 'self'."))
        parameters = parameters[1:]
        for parameter in parameters:
            if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                found_text = f"its parameter {parameter} takes no name, and arguments are named"
                problems.append(Problem(where, found_text, advice="Name what it takes."))
        is_coroutine = inspect.iscoroutinefunction(method)
        if is_coroutine and name in _SYNCHRONOUS:
            problems.append(Problem(where, "it is a coroutine", "a plain method"))
        if inspect.isasyncgenfunction(method) or inspect.isgeneratorfunction(method):
            problems.append(Problem(where, "it is a generator", "a method without yield"))
        if not is_coroutine and name.startswith(("before_", "after_")):
            problems.append(Problem(where, "it is a plain function", "a coroutine function"))
        problems += _find_lost_results(name, method, where)
        names = tuple(each.name for each in parameters if each.default is each.empty)
        found[name] = Seam(name, names, is_coroutine)
    return found


def _find_lost_results(name: str, method: object, where: str) -> Iterator[Problem]:
    """Yield the results that *method* makes and does not return, or returns to nobody."""
    statements = read_statements(method)
    if name not in ("scope", "query"):
        for node in statements:
            if isinstance(node, ast.Return) and _is_dict(node.value):
                found = f"line {node.lineno} returns a dict, which nothing reads"
                advice = "Write into the dict that it is given: values.update(…)."
                yield Problem(where, found, advice=advice)
        return
    wrong = find_lost_condition(statements, needs_result=name == "query")
    if wrong:
        yield Problem(where, wrong, _RESULTS[name], "Return it.")


def _is_dict(value: ast.expr | None) -> bool:
    """Tell whether an expression makes a dict."""
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.BitOr) and (_is_dict(value.left) or _is_dict(value.right))
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "dict"
    return isinstance(value, ast.Dict | ast.DictComp)
