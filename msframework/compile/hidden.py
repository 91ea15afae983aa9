"""Guards that nobody would ask: they stand on a function behind the one that is mounted.

A decorator without `functools.wraps`, a `functools.partial`, a class of Sanic's views or an object
that is called hide what was noted on the functions that they call. Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final

from msframework._place import place_of
from msframework.doc import find_notes
from msframework.problem import Problem
from msframework.resource import METHODS, resource_of

_DEEPEST: Final = 8  # decorators on each other
_ADVICE: Final = (
    "Put it on the function that is mounted: use functools.wraps in a decorator, and a Resource in "
    "the place of a class of Sanic's."
)


def find_hidden(handler: object, where: str, mounted: Collection[int]) -> Iterator[Problem]:
    """Yield a problem for each function behind *handler* whose notes on access nobody reads.

    Args:
        mounted: the identities of all functions that are mounted, whose own notes are read.
    """
    read = {id(find_notes(function_of(handler)))}
    for inner in _behind(handler, _DEEPEST, set()):
        function = function_of(inner)
        if id(function) in mounted:
            continue
        shown = getattr(function, "__qualname__", type(function).__qualname__)
        for name in _said_on(inner, read):
            found = f"{name} stands on it, and nobody reads it there, as {where} hides it"
            yield Problem(place_of(function, shown), found, advice=_ADVICE)


def _said_on(inner: Any, read: set[int]) -> Iterator[str]:
    """Yield the decorators of access on *inner*, unless its notes are among those *read*."""
    notes = find_notes(function_of(inner))
    if notes is not None and id(notes) not in read:
        read.add(id(notes))
        said = {
            "guards": notes.guards,
            "security": notes.security,
            "public": notes.public,
            "rate_limit": notes.rate_limits,
        }
        yield from (f"@doc.{name}" for name, value in said.items() if value)
    inner = resource_of(inner) or inner
    if isinstance(inner, type) and any(vars(cls).get("guards") for cls in inner.__mro__):
        yield f"{inner.__qualname__}.guards"


def function_of(handler: object) -> Any:
    """Return the function that a method is of, or that a websocket is served by."""
    if isinstance(handler, partial) and getattr(handler, "is_websocket", False):
        handler = handler.args[0]
    return handler.__func__ if isinstance(handler, MethodType) else handler


def _behind(handler: Any, depth: int, met: set[int]) -> Iterator[Any]:
    """Yield the functions that *handler* may call, and those that they may, each once."""
    for inner in _next_behind(function_of(handler)) if depth else ():
        if id(function_of(inner)) not in met:
            met.add(id(function_of(inner)))
            yield inner
            yield from _behind(inner, depth - 1, met)


def _next_behind(handler: Any) -> Iterator[Any]:
    view = getattr(handler, "view_class", None)
    if view is not None:
        yield view
        yield from (getattr(view, name) for name in METHODS if hasattr(view, name))
    elif isinstance(handler, partial):
        yield handler.func
    elif isinstance(handler, FunctionType):
        for cell in handler.__closure__ or ():
            try:
                content = cell.cell_contents
            except ValueError:  # nothing is in it yet
                continue
            if isinstance(content, FunctionType | MethodType | partial):
                yield content
    elif not isinstance(handler, type) and callable(handler):
        yield type(handler).__call__
