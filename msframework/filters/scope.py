"""The scope of related rows, which says which of them a caller may see.

Read at start-up; what `read_scope` returns runs per request.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import peewee
from marshmallow import Schema

from msframework._place import read_statements
from msframework._signature import read_signature
from msframework.resource import Resource
from msframework.types import UNSET, Unset

ExpressScope: TypeAlias = Callable[[object, object], Any]
RowScope: TypeAlias = type[Resource] | Callable[..., object] | Unset | None
RowScopes: TypeAlias = Mapping[str, RowScope]
_CONDITIONS: Final = (ast.Compare, ast.BoolOp, ast.BinOp)


def model_of(schema: Any) -> Any:
    """Return the model of a schema; `None` where it has none."""
    options = schema.opts if isinstance(schema, Schema) else getattr(schema, "opts", None)
    return getattr(options, "model", None)


def model_of_rows(resource: Any) -> Any:
    """Return the model of a collection, a class or an instance of it: its own, or its schema's."""
    return getattr(resource, "model", None) or model_of(getattr(resource, "schema", None))


def why_wrong_scope(scope: Any, model: object) -> tuple[str, ...]:
    """Return what is wrong with a scope of rows of *model*, and what is expected, if anything."""
    if scope is None or scope is UNSET:
        return ()
    expected = "a ModelResource class, a function of request and principal, or None"
    if isinstance(scope, type):
        if not hasattr(scope, "scope") or model_of_rows(scope) is not model:
            return (f"has the scope {scope!r:.100}, which is of another model", expected)
    elif not inspect.isfunction(scope):
        return (f"has the scope {scope!r:.100}", expected)
    elif lost := find_lost_condition(read_statements(scope)):
        return (
            f"has the scope {scope.__qualname__}, which is wrong: {lost}",
            "a condition, or None",
        )
    further = [name for name in _taken(scope) if name not in ("request", "principal")]
    if further:
        return (f"has a scope that takes {further[0]!r}", "one of request and principal")
    return ()


def takes_principal(scope: Any) -> bool:
    """Tell whether a valid scope depends on the principal."""
    return scope is not None and scope is not UNSET and "principal" in _taken(scope)


def read_scope(scope: Any) -> ExpressScope | None:
    """Return the function of request and principal that a scope is; `None` for all rows."""
    if scope is None or scope is UNSET:
        return None
    found = scope().scope if isinstance(scope, type) else scope
    taken = _taken(scope)

    def express(request: object, principal: object) -> Any:
        given = {"request": request, "principal": principal}
        return found(**{name: given[name] for name in taken})

    return express


def _taken(scope: Any) -> tuple[str, ...]:
    if isinstance(scope, type):
        return tuple(read_signature(getattr(scope, "scope")).parameters)[1:]  # noqa: B009
    return tuple(read_signature(scope).parameters)


async def express_scope(express: ExpressScope, request: object, principal: object) -> peewee.Node:
    """Return the condition that a scope gives for one caller; `TRUE` for all rows.

    Raises:
        TypeError: it gives neither an expression nor a bool, nor `None`.
    """
    found = express(request, principal)
    if inspect.isawaitable(found):
        found = await found
    condition = read_condition(found)
    return peewee.SQL("TRUE") if condition is None else condition


def read_condition(found: Any) -> Any:
    """Return the result of a scope as a condition of peewee; `None` for all rows.

    Raises:
        TypeError: it is neither an expression nor a bool, nor `None`.
    """
    if found is None:
        return None
    if found.__class__ is bool:
        return peewee.SQL("TRUE" if found else "FALSE")
    if not isinstance(found, peewee.Node):
        if inspect.iscoroutine(found):
            found.close()  # or Python warns of it later, too
        raise TypeError(
            f"a scope returned {found!r:.100}; expected a condition such as Model.column == value, "
            "or None for all rows"
        )
    return found


def find_lost_condition(statements: Sequence[ast.stmt], *, needs_result: bool = False) -> str:
    """Return how the function of *statements* loses its result; an empty text if it does not.

    A scope that returns nothing lets every caller see all rows.

    Args:
        needs_result: whether nothing is no result.
    """
    for node in statements:
        if isinstance(node, ast.Expr) and isinstance(node.value, _CONDITIONS):
            return f"line {node.lineno} makes a condition that nothing reads"
    returned = [node.value for node in statements if isinstance(node, ast.Return)]
    if not statements or any(
        value is not None and not (isinstance(value, ast.Constant) and value.value is None)
        for value in returned
    ):
        return ""
    is_lost = isinstance(statements[-1], ast.Assign | ast.AugAssign | ast.AnnAssign)
    if is_lost or (needs_result and not isinstance(statements[-1], ast.Raise)):
        return "it returns nothing"
    return ""
