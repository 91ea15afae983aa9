"""Makes the routes of a collection: for each action a bound method with its notes.

Runs at start-up.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from dataclasses import fields
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from msframework._place import HandlerOrigin, caller_line, place_of, set_origin, short_path
from msframework._signature import read_signature
from msframework.collection.action import CollectionAction, Usual
from msframework.collection.actions import generate
from msframework.collection.declaration import Collection, Paths, read_collection
from msframework.collection.model_resource import ModelResource
from msframework.collection.notes import complete_notes, inputs_of
from msframework.collection.statements import Queries
from msframework.doc import Notes, notes_of
from msframework.problem import Problem
from msframework.types import Handler


class CollectionRoute(NamedTuple):
    """One route of a collection: the arguments of a blueprint's `add_route`."""

    handler: Handler
    path: str
    method: str
    name: str


def build_routes(
    given: object, paths: Paths, name: str, problems: list[str], known: list[object]
) -> list[CollectionRoute]:
    """Return the routes of the ModelResource class *given*; append the mistakes to *problems*.

    Args:
        name: the beginning of the routes' names; the class's name when empty.
        known: the list that the class is added to, for checks that compare collections.
    """
    file, line = caller_line()
    where = f"{short_path(file)}:{line}"
    if not (isinstance(given, type) and issubclass(given, ModelResource)):
        found = f"collection({paths.list!r}) got {given!r}, which is no ModelResource class"
        problems.append(Problem(where, found, advice="Derive it from msframework.ModelResource."))
        return []
    known.append(given)
    collection = read_collection(given, paths, where, problems)
    if collection is None:
        return []
    return list(_routes(collection, (file, line), name or given.__name__, problems))


def _routes(
    collection: Collection, place: tuple[str, int], name: str, problems: list[str]
) -> Iterator[CollectionRoute]:
    instance, queries = collection.cls(), Queries(collection)
    instance.usual = Usual(instance)
    instance.mounted_at = collection.paths.list
    for order, action in enumerate(collection.actions):
        inputs = [note.name for note in inputs_of(collection, action)]
        if action.name == "list":
            inputs.append("page")
        generated, source = generate(collection, action, queries, inputs, problems)
        instance.usual.functions[action.name] = generated
        path = collection.paths.of(action.place)
        origin = HandlerOrigin(*place, order, path, source)
        function: Any = generated.function
        taken = generated.parameters
        if action.name in collection.overridden:
            function = _copy(getattr(collection.cls, action.name))
            origin = origin._replace(source="")
            taken = tuple(read_signature(function).parameters)
            _check_principal(collection, action, generated.parameters, taken, problems)
        else:
            function.__name__ = action.name
            function.__qualname__ = f"{collection.cls.__qualname__}.{action.name}"
            function.__module__ = collection.cls.__module__
        set_origin(function, origin)
        complete_notes(notes_of(function), collection, action, taken)
        handler = MethodType(function, instance)
        yield CollectionRoute(handler, path, action.method, f"{name}_{action.name}")


def _copy(function: Any) -> Any:
    """Return a copy of a method with notes of its own, as other collections may inherit it too."""
    made: Any = FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    functools.update_wrapper(made, function, updated=())
    del made.__wrapped__
    made.__kwdefaults__ = function.__kwdefaults__
    made.__dict__.update({name: _own(value) for name, value in function.__dict__.items()})
    return made


def _own(value: object) -> object:
    """Return a copy of *value* where it is notes, and *value* itself otherwise."""
    if not isinstance(value, Notes):
        return value
    return Notes(**{each.name: copy.copy(getattr(value, each.name)) for each in fields(Notes)})


def _check_principal(
    collection: Collection,
    action: CollectionAction,
    generated: tuple[str, ...],
    taken: tuple[str, ...],
    problems: list[str],
) -> None:
    """Refuse a method that would run the generated one without the caller whom it asks for."""
    if "principal" in generated and "principal" not in taken:
        method = getattr(collection.cls, action.name)
        found = "it takes the place of a generated action that asks who calls"
        advice = "Add the parameter 'principal'."
        where = place_of(method, f"{collection.cls.__qualname__}.{action.name}")
        problems.append(Problem(where, found, advice=advice))
