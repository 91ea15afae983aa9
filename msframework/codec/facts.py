"""The facts of one field from which loading and dumping are compiled. Runs at start-up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from msframework.codec.known import field_base, why_unknown
from msframework.codec.validators import Rule, read_rules
from msframework.types import Field


@dataclass(frozen=True)
class FieldFacts:
    """One field, as it is declared.

    Attributes:
        field: the field itself.
        name: its name in its schema; "" within another field, as of the items of a list.
        key: the name of its value in JSON; `None` within another field.
        base: the class that it behaves as; `None` for one of the user's own making.
        reason: why marshmallow must load and dump it; `None` when it need not.
    """

    field: Any
    name: str
    key: str | None
    base: type[Field] | None
    reason: str | None

    @property
    def attribute(self) -> str:
        """The name of its value in an object that is dumped."""
        attribute: str | None = self.field.attribute
        return self.name if attribute is None else attribute

    @property
    def target(self) -> str:
        """The name of its value in the loaded data."""
        # NOTE: marshmallow dumps an attribute "", and loads it under the field's name.
        return self.field.attribute or self.name

    @property
    def has_hooks(self) -> bool:
        """Whether the user's code sees a value before the field loads it, or after."""
        return bool(self.field.pre_load or self.field.post_load)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Its validators, ready to run; for a field with a base only."""
        return read_rules(self.field.validators)


def read_facts(field: Field, name: str) -> FieldFacts:
    """Return the facts of the *field* that its schema calls *name*."""
    key = name if field.data_key is None else field.data_key
    return FieldFacts(field, name, key, field_base(field), why_unknown(field))


def read_inner(field: Field, key: str | None = None) -> FieldFacts:
    """Return the facts of a *field* within another; *key* as of the other one, if it is that."""
    return FieldFacts(field, "", key, field_base(field), why_unknown(field))
