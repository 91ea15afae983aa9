"""`Expansion`: related objects that are answered within a row, as a `ModelResource` declares them.

Read at start-up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import peewee
from marshmallow import Schema

from msframework.collection.batches import Batch
from msframework.filters.crossing import RelatedRows
from msframework.filters.scope import RowScope
from msframework.types import UNSET

USUAL_LIMIT: Final = 100


class Expansion:
    """A related object, or a list of them, answered within a row by the name of the relation.

        expand = {"author": Expansion(AuthorSchema, scope=Authors, always=True)}

    A foreign key has one object; a backref or a many-to-many field has a list.

    Args:
        schema: the object.
        scope: whose rows callers may see: a ModelResource class, a function of request and
            principal that returns an expression, or `None` for all rows. It must be said where a
            collection of the model has a scope.
        always: whether it is answered without being asked for.
        limit: how many objects of a list are answered at most, the first ones in its order.
        order: the columns that a list is ordered by, with "-" before those that descend. The
            primary key follows, in the direction of the last of them.
    """

    __slots__ = ("always", "limit", "order", "schema", "scope")

    def __init__(
        self,
        schema: type[Schema] | Schema,
        *,
        scope: RowScope = UNSET,
        always: bool = False,
        limit: int = USUAL_LIMIT,
        order: str | Sequence[str] = (),
    ) -> None:
        self.schema, self.scope, self.always = schema, scope, always
        self.limit = limit
        self.order: Sequence[str] = (order,) if isinstance(order, str) else order


class BatchedExpansion(Expansion):
    """An expansion whose objects are fetched after the rows, and may have any name.

    `Remote` derives from it. Its objects are no rows of a model, so that no path goes on from them.
    """

    __slots__ = ()

    def why_wrong(self, model: type[peewee.Model]) -> tuple[str, ...]:
        """Return what was found, what was expected and what to do; nothing where all is right.

        The texts follow the name of the expansion in a message.

        Args:
            model: the model of the rows.
        """
        raise NotImplementedError

    def find_key(self, model: type[peewee.Model]) -> peewee.Field:
        """Return the column of *model* that holds the keys of the objects."""
        raise NotImplementedError

    def batch(self, path: str, model: type[peewee.Model]) -> Batch:
        """Return the batch that fetches the objects at *path* of rows of *model*."""
        raise NotImplementedError


def as_expansion(given: Any) -> Expansion:
    """Return *given*, a schema or an `Expansion`, as the latter."""
    return given if isinstance(given, Expansion) else Expansion(given)


def related_rows(expand: Mapping[str, Any]) -> dict[str, RelatedRows]:
    """Return what *expand*, which is right, declares of related rows, by path."""
    found = {path: as_expansion(given) for path, given in expand.items()}
    return {
        path: RelatedRows(each.schema, each.scope)
        for path, each in found.items()
        if not isinstance(each, BatchedExpansion)
    }


def name_of_schema(schema: Any) -> str:
    """Return the name of the class of a schema, which may be the class itself."""
    return str(getattr(schema, "__name__", type(schema).__name__))


def steps_before(path: str) -> list[str]:
    """Return the paths that *path* goes through."""
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]
