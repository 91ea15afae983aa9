"""The choices of callers beside filters: the fields of an answer, and its related objects.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import peewee
from marshmallow import Schema

from msframework.collection.chosen import FieldChoice, find_wrong_choice, read_choice
from msframework.collection.expansion import as_expansion, name_of_schema
from msframework.collection.expansion_rules import find_wrong_expansions
from msframework.collection.model_resource import ModelResource
from msframework.collection.related import Related, expand_schema, read_related
from msframework.collection.shapes import Shapes
from msframework.filters import FilterReader
from msframework.filters.scope import model_of
from msframework.operation import Operation
from msframework.problem import Problem
from msframework.types import UNSET


@dataclass(frozen=True, slots=True)
class AnswerReading:
    """The choices of callers about one answer.

    Attributes:
        schema: the schema of the answer.
        choice: the fields that they may choose from, if they may.
        related: the objects that they may ask for, and those that are always answered.
    """

    schema: Schema
    choice: FieldChoice | None
    related: Related | None

    def reader(self, model: type[peewee.Model], label: str) -> FilterReader:
        """Return the reader of these choices in a query, without any filter."""
        return FilterReader(model, fields=self.wires, expand=self.paths, label=label)

    @property
    def wires(self) -> dict[str, str]:
        """The names of the fields to choose from, by what callers call them."""
        return {} if self.choice is None else dict(self.choice.wires)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the objects to ask for."""
        return () if self.related is None else self.related.paths


def find_wrong_readings(
    where: str, cls: type[ModelResource], model: type[peewee.Model], shapes: Shapes
) -> Iterator[Problem]:
    """Yield the mistakes in the `fields` and `expand` of *cls*."""
    answers = (shapes.rows, shapes.detail)
    yield from find_wrong_choice(where, cls.fields, answers, model)
    yield from find_wrong_expansions(where, cls.expand, model, answers)


def read_reading(
    cls: type[ModelResource], schema: Schema, model: type[peewee.Model]
) -> AnswerReading | None:
    """Return the choices of callers about an answer of *schema*; `None` where there are none."""
    choice = read_choice(cls.fields, schema) if cls.fields else None
    related = read_related(cls.expand, model)
    if choice is None and related is None:
        return None
    shown = schema if choice is None else choice.schema
    return AnswerReading(expand_schema(shown, cls.expand, related), choice, related)


def find_unsaid_scopes(blueprints: Iterable[object]) -> Iterator[Problem]:
    """Yield the expansions of *blueprints* that say nothing of a scope which their model has."""
    found = _collections(blueprints)
    scoped = _scoped(found)
    for cls in found:
        said: Any = cls.expand
        expand = said if isinstance(said, Mapping) else {}
        for path, given in expand.items():
            each = as_expansion(given)
            owner = scoped.get(model_of(each.schema))
            if each.scope is UNSET and owner is not None:
                yield Problem(
                    cls.__qualname__,
                    f"expand[{path!r}] answers rows of {owner.__name__}, which has a scope",
                    "a word on who may see them",
                    f"Write Expansion({name_of_schema(each.schema)}, scope={owner.__name__}), or "
                    "scope=None for all rows.",
                )


def find_unsaid_filter_scopes(
    operations: Iterable[Operation], blueprints: Iterable[object]
) -> Iterator[Problem]:
    """Yield the filters of *operations* that look at related rows, and say nothing of whose."""
    scoped = _scoped(_collections(blueprints))
    for operation in operations:
        for reader in [each.kind for each in operation.inputs]:
            crossings = reader.plan.crossings if isinstance(reader, FilterReader) else {}
            for path, crossing in crossings.items():
                owner = scoped.get(crossing.key.rel_model)
                if not crossing.is_said and owner is not None:
                    yield Problem(
                        operation.where,
                        f"its filters look at rows of {owner.__name__}, which has a scope, "
                        f"behind {path!r}",
                        "a word on whose rows those may be",
                        f"Write filter_scopes = {{{path!r}: {owner.__name__}}}, or None for all "
                        "rows.",
                    )


def _collections(blueprints: Iterable[object]) -> list[type[ModelResource]]:
    classes = [cls for each in blueprints for cls in getattr(each, "collections", ())]
    return [cls for cls in classes if isinstance(cls, type) and issubclass(cls, ModelResource)]


def _scoped(collections: Iterable[type[ModelResource]]) -> dict[Any, type[ModelResource]]:
    """Return the collections that have a scope, by their models."""
    return {
        cls.model or model_of(getattr(cls, "schema", None)): cls
        for cls in collections
        if cls.scope is not ModelResource.scope
    }
