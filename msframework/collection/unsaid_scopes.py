"""Expansions and filters that tell of other collections' rows, and say no scope for them.

Runs at start-up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msframework.access.guard import is_same
from msframework.collection.expansion import Expansion, as_expansion, name_of_schema
from msframework.collection.model_resource import ModelResource
from msframework.filters import FilterReader
from msframework.filters.scope import model_of, model_of_rows
from msframework.operation import Operation
from msframework.problem import Problem
from msframework.resource import resource_of
from msframework.types import UNSET


def find_unsaid_scopes(blueprints: Iterable[object]) -> Iterator[Problem]:
    """Yield the expansions of *blueprints* that lack the scope which a collection has."""
    found = _collections(blueprints)
    scoped = _scoped(found)
    for cls in found:
        for path, each in _unsaid_expansions(cls):
            owner = scoped.get(model_of(each.schema))
            if owner is not None:
                yield Problem(
                    cls.__qualname__,
                    f"expand[{path!r}] answers rows of {owner.__name__}, which has a scope",
                    "a scope for them",
                    f"Write Expansion({name_of_schema(each.schema)}, scope={owner.__name__}), or "
                    "scope=None for all rows.",
                )


def find_unsaid_filter_scopes(
    operations: Iterable[Operation], blueprints: Iterable[object]
) -> Iterator[Problem]:
    """Yield the filters of *operations* that lack the scope which a collection has."""
    scoped = _scoped(_collections(blueprints))
    for operation in operations:
        for path, model in _unsaid_filters(operation):
            owner = scoped.get(model)
            if owner is not None:
                yield Problem(
                    operation.where,
                    f"its filters look at rows of {owner.__name__}, which has a scope, behind "
                    f"{path!r}",
                    "a scope for them",
                    f"Write filter_scopes = {{{path!r}: {owner.__name__}}}, or None for all rows.",
                )


def find_unmet_guards(
    operations: Iterable[Operation], known: Iterable[Operation]
) -> Iterator[Problem]:
    """Yield the expansions and filters that evade the guards of the collection of their rows.

    A guard is met where the operation has it, too. Of several collections of one model, one whose
    guards are met is enough.

    Args:
        known: all operations of the service.
    """
    readers = defaultdict[Any, list[Operation]](list)
    for each in known:
        cls = _collection_of(each)
        if cls is not None and each.method == "GET" and cls.scope is ModelResource.scope:
            readers[model_of_rows(cls)].append(each)
    told = set[tuple[str, str]]()
    for operation in operations:
        for path, model, found, advice in _tellings(operation):
            owner = _find_unmet(operation, readers[model])
            # NOTE: of `list` and `read`, which have the same expansions, one mistake is enough.
            if owner is not None and (found, advice) not in told:
                told.add((found, advice))
                yield Problem(
                    operation.where,
                    f"{found} rows of {owner.__name__} behind {path!r}, whose guards its callers "
                    "need not meet",
                    "the same guards, or a scope for them",
                    advice,
                )


def _tellings(operation: Operation) -> Iterator[tuple[str, Any, str, str]]:
    """Yield path, model, message and advice of each way in which *operation* tells of rows."""
    cls = _collection_of(operation)
    if cls is not None and operation.method == "GET":
        for path, each in _unsaid_expansions(cls):
            advice = f"Write Expansion({name_of_schema(each.schema)}, scope=None) for all callers."
            yield path, model_of(each.schema), f"expand of {cls.__name__} answers", advice
    for path, model in _unsaid_filters(operation):
        advice = f"Write filter_scopes = {{{path!r}: None}} for all callers."
        yield path, model, "its filters look at", advice


def _find_unmet(operation: Operation, readers: Iterable[Operation]) -> type[ModelResource] | None:
    """Return the collection of *readers*, if *operation* has the guards of none of them."""
    guards, unmet = operation.access.guards, None
    for each in readers:
        if all(any(is_same(guard, own) for own in guards) for guard in each.access.guards):
            return None
        unmet = unmet or _collection_of(each)
    return unmet


def _unsaid_expansions(cls: type[ModelResource]) -> Iterator[tuple[str, Expansion]]:
    """Yield the expansions of *cls* that say no scope, by path."""
    said: Any = cls.expand
    for path, given in said.items() if isinstance(said, Mapping) else ():
        each = as_expansion(given)
        if each.scope is UNSET:
            yield path, each


def _unsaid_filters(operation: Operation) -> Iterator[tuple[str, Any]]:
    """Yield the models that the filters of *operation* look at without a scope, by path."""
    for each in operation.inputs:
        if isinstance(each.kind, FilterReader):
            for path, crossing in each.kind.plan.crossings.items():
                if not crossing.is_said:
                    yield path, crossing.key.rel_model


def _collection_of(operation: Operation) -> type[ModelResource] | None:
    """Return the collection whose action *operation* is."""
    cls = resource_of(operation.handler)
    return cls if cls is not None and issubclass(cls, ModelResource) else None


def _collections(blueprints: Iterable[object]) -> list[type[ModelResource]]:
    classes = [cls for each in blueprints for cls in getattr(each, "collections", ())]
    return [cls for cls in classes if isinstance(cls, type) and issubclass(cls, ModelResource)]


def _scoped(collections: Iterable[type[ModelResource]]) -> dict[Any, type[ModelResource]]:
    """Return the collections that have a scope, by their models."""
    return {model_of_rows(cls): cls for cls in collections if cls.scope is not ModelResource.scope}
