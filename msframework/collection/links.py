"""The relations of a model by their names: foreign keys, backrefs and many-to-many fields.

Runs at start-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import peewee


@dataclass(frozen=True, slots=True)
class ListLink:
    """A relation of which a row has several objects.

    Attributes:
        target: the model of the objects.
        field: the foreign key that says to which row an object belongs: of the objects themselves,
            or of the table between.
        onward: the foreign key of the table between that leads to an object; `None` without one.
    """

    target: type[peewee.Model]
    field: peewee.ForeignKeyField
    onward: peewee.ForeignKeyField | None = None

    @property
    def key(self) -> peewee.Field:
        """The column of a row that its objects refer to."""
        key: peewee.Field = self.field.rel_field
        return key


def find_key(model: type[peewee.Model], name: str) -> peewee.ForeignKeyField | None:
    """Return the foreign key *name* of *model*; `None` where it has none of this name."""
    field: Any = model._meta.fields.get(name)
    return field if isinstance(field, peewee.ForeignKeyField) else None


def find_lists(model: type[peewee.Model], name: str) -> list[ListLink]:
    """Return the list relations that *name* of *model* may mean; several where it is ambiguous."""
    many = model._meta.manytomany.get(name)
    if many is not None:
        return [_read_many(many)]
    return [ListLink(field.model, field) for field in model._meta.backrefs if field.backref == name]


def _read_many(many: Any) -> ListLink:
    """Return the relation of a `ManyToManyField`, by the foreign keys that peewee takes too."""
    references = many.through_model._meta.model_refs
    return ListLink(many.rel_model, references[many.model][0], references[many.rel_model][0])


def name_relations(model: type[peewee.Model]) -> str:
    """Return the names of the relations of *model*, as a message lists them."""
    keys = [each.name for each in model._meta.sorted_fields if find_key(model, each.name)]
    many = model._meta.manytomany
    between = [each.through_model for each in many.values()]
    backrefs = dict.fromkeys(
        each.backref
        for each in model._meta.backrefs
        if each.backref not in ("+", "!") and each.model not in between
    )
    kinds = {"foreign keys": keys, "backrefs": backrefs, "many-to-many fields": many}
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in kinds.items() if names)
