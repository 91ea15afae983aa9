"""The choices of callers beside filters: the fields of an answer, and its related objects.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import peewee
from marshmallow import Schema

from msframework.collection.chosen import FieldChoice, find_wrong_choice, read_choice
from msframework.collection.expansion_rules import find_wrong_expansions
from msframework.collection.model_resource import ModelResource
from msframework.collection.related import Related, expand_schema, read_related
from msframework.collection.shapes import Shapes
from msframework.filters import FilterReader
from msframework.problem import Problem


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
