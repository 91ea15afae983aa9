"""`find_disclosures`: sensitive columns that a schema dumps although nobody asked for them.

A schema class is made before the settings are read, and so are the schemas that it derives of
related models. Runs at start-up, where settings keep more out of answers than those could know.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import Schema, fields

from msframework.problem import Problem
from msframework.schemas.model import ModelSchemaOpts
from msframework.schemas.reference import Reference
from msframework.types import Field

_ABOVE: Final = ("parent", "root")


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A column that a schema would dump.

    Attributes:
        outer: the name of the schema that declares or derives the member.
        member: the field of it that has the object; empty where *outer* itself dumps the column.
        is_reference: whether the member is a `Reference`.
        model: the name of the model.
        column: the name of the column.
    """

    outer: str
    member: str
    is_reference: bool
    model: str
    column: str

    def problem(self, where: str, sensitive: Collection[str]) -> Problem:
        """Return the mistake, which the declaration at *where* brings up.

        Args:
            sensitive: the names that are kept out of answers.
        """
        place = f"{self.outer}.{self.member}" if self.member else self.outer
        cure = f"ModelSchema.of({self.model}, sensitive={tuple(sensitive)!r})"
        if self.member:
            kind = "Reference" if self.is_reference else "fields.Nested"
            advice = f"Declare it in {self.outer}: {self.member} = {kind}({cure}), or by a schema"
            advice += " that says its fields."
        else:
            advice = f"Pass {self.model} itself, or {cure}."
        return Problem(
            where,
            f"{place} derives its fields from the model {self.model}, and would answer "
            f"{self.column!r}, which SENSITIVE_FIELDS keeps out of answers",
            advice=advice,
        )


def find_disclosures(schema: Schema, sensitive: Collection[str]) -> Iterator[Disclosure]:
    """Yield the columns named in *sensitive* that *schema*, or one within it, would dump.

    Only those that nobody named: of a schema by `ModelSchema.of` that was not told what is
    sensitive, or of one that a foreign key or the `help_text` of a column implies.
    """
    seen: set[Hashable] = set()
    left: list[tuple[Schema, str, str, bool]] = [(schema, type(schema).__name__, "", False)]
    while left:
        each, outer, member, is_reference = left.pop()
        key = _key_of(each)
        if key in seen:
            continue
        seen.add(key)
        for model, column in _implied(each, sensitive):
            yield Disclosure(outer, member, is_reference, model, column)
        for name, field in reversed(each.dump_fields.items()):
            for inner, through in _schemas_in(field):
                left.append((inner, type(each).__name__, name, isinstance(through, Reference)))


def _key_of(schema: Schema) -> Hashable:
    """Return the key of the schemas that dump the same as this one, which may nest itself."""
    parts = [
        (name, _frozen(getattr(field, "only", None)), _frozen(getattr(field, "exclude", None)))
        for name, field in schema.dump_fields.items()
    ]
    return (type(schema), *parts)


def _frozen(names: Any) -> Hashable:
    return None if names is None else frozenset(names)


def _implied(schema: Any, sensitive: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the model and the name of each such column of *schema* itself."""
    options: object = schema.opts
    if not isinstance(options, ModelSchemaOpts) or not options.is_implied:
        return
    for name in schema.dump_fields:
        if name in sensitive and name in schema._derived:
            yield options.model.__name__, name


def _schemas_in(field: Field) -> Iterator[tuple[Schema, Field]]:
    """Yield the schemas that *field* dumps by, and the fields in it that have them."""
    if isinstance(field, fields.Nested | Reference):
        try:
            schema = field.schema
        except Exception:  # whoever compiles or documents it says why
            return
        if isinstance(field, fields.Pluck):
            plucked = schema.fields.get(field.field_name)
            yield from () if plucked is None else _schemas_in(plucked)
        else:
            yield schema, field
        return
    # NOTE: not by the names of lists and mappings alone, as a field may be of an own kind.
    for value in (value for name, value in vars(field).items() if name not in _ABOVE):
        for part in value if isinstance(value, list | tuple) else (value,):
            if isinstance(part, Schema):
                yield part, field
            elif isinstance(part, fields.Field):
                yield from _schemas_in(part)
