"""The scope of related rows, which says which of them a caller may see.

Read at start-up; what `read_scope` returns runs per request.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import peewee
from marshmallow import Schema

from msframework._signature import read_signature
from msframework.resource import Resource
from msframework.types import UNSET, Unset

ExpressScope: TypeAlias = Callable[[object, object], Any]
RowScope: TypeAlias = type[Resource] | Callable[..., object] | Unset | None
RowScopes: TypeAlias = Mapping[str, RowScope]


def model_of(schema: Any) -> Any:
    """Return the model of a schema; `None` where it has none."""
    options = schema.opts if isinstance(schema, Schema) else getattr(schema, "opts", None)
    return getattr(options, "model", None)


def why_wrong_scope(scope: Any, model: object) -> tuple[str, ...]:
    """Return what is wrong with a scope of rows of *model*, and what is expected, if anything."""
    if scope is None or scope is UNSET:
        return ()
    expected = "a ModelResource class, a function of request and principal, or None"
    if isinstance(scope, type):
        own = getattr(scope, "model", None) or model_of(getattr(scope, "schema", None))
        if not hasattr(scope, "scope") or own is not model:
            return (f"has the scope {scope!r:.100}, which is of another model", expected)
    elif not inspect.isfunction(scope):
        return (f"has the scope {scope!r:.100}", expected)
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
    if found is None or found.__class__ is bool:
        return peewee.SQL("FALSE" if found is False else "TRUE")
    if not isinstance(found, peewee.Node):
        raise TypeError(f"a scope returned {found!r:.100}; expected a peewee expression, or None")
    return found
