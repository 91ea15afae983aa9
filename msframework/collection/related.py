"""The related objects that a collection answers: what is joined, and what comes in batches.

`read_related` runs at start-up, `Related` per request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import peewee
from marshmallow import Schema, fields

from msframework.collection.batches import Batches
from msframework.collection.expansion import BatchedExpansion, as_expansion, scope_function
from msframework.collection.joins import Joined, Joins, Relation
from msframework.collection.shapes import read_columns, rename, vary
from msframework.db.cursor import Cursor
from msframework.filters import Filters
from msframework.principal import Principal
from msframework.serving.request import Request
from msframework.types import Row


class Related:
    """The related objects that a collection answers.

    Attributes:
        paths: the names that lead to each, each behind the one that it goes through.
        batches: those that come after the rows; `None` where there are none.
        has_scope: whether one of them depends on the caller.
    """

    __slots__ = ("_joins", "_usual", "batches", "has_scope", "paths")

    def __init__(
        self, paths: Iterable[str], usual: Iterable[str], joins: Joins, batches: Batches | None
    ) -> None:
        self.paths, self.batches, self._joins = tuple(paths), batches, joins
        self.has_scope = joins.has_scope or (batches is not None and batches.has_scope)
        self._usual = frozenset(usual)

    def asked(self, filters: Filters) -> frozenset[str]:
        """Return the paths of the objects to answer: those asked for, and those always answered.

        Where fields are chosen, only what was asked for.
        """
        return filters.expand | self._usual if filters.fields is None else filters.expand

    async def join(
        self, query: Any, asked: Collection[str], request: Request, principal: Principal | None
    ) -> tuple[Any, tuple[Joined, ...]]:
        """Return *query* with the objects *asked* for, and how the rows hold them."""
        query, joined = await self._joins.join(query, asked, request, principal)
        if self.batches is not None:
            query = self.batches.select(query, asked)
        return query, joined

    def fold(self, rows: Iterable[Any], joined: Collection[Joined]) -> None:
        """Put the objects that each row was joined with into it."""
        self._joins.fold(rows, joined)

    async def fill(
        self,
        rows: Sequence[Row],
        asked: Collection[str],
        request: Request,
        principal: Principal | None,
        cur: Cursor,
    ) -> None:
        """Put the objects into *rows* that come after them."""
        if self.batches is not None:
            await self.batches.fill(rows, asked, request, principal, cur)


def read_related(expand: Mapping[str, Any], model: type[peewee.Model]) -> Related | None:
    """Return the objects that *expand* declares, which is right; `None` where there are none."""
    paths = sorted(expand, key=lambda path: path.count("."))
    models: dict[str, Any] = {"": model}
    relations, batches, usual = [], [], set()
    for path in paths:
        each = as_expansion(expand[path])
        before, _, name = path.rpartition(".")
        if each.always:
            usual |= {path, *steps_before(path)}
        if isinstance(each, BatchedExpansion):
            batches.append(each.batch(path, models[before]))
            continue
        field = models[before]._meta.fields[name]
        target = models[path] = field.rel_model
        columns = read_columns(
            target, vary(each.schema), [field.rel_field, *_keys_behind(path, target, expand)]
        )
        marker = field.rel_field.column_name
        scope = scope_function(each)
        relations.append(Relation(path, before, name, field, columns, marker, scope, each.always))
    if not paths:
        return None
    return Related(paths, usual, Joins("", relations), Batches(batches) if batches else None)


def steps_before(path: str) -> list[str]:
    """Return the paths that *path* goes through."""
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _keys_behind(path: str, model: Any, expand: Mapping[str, Any]) -> Iterable[peewee.Field]:
    """Yield the columns of *model*, at *path*, by which what goes through it is found."""
    for other in expand:
        before, _, name = other.rpartition(".")
        if before == path:
            each = as_expansion(expand[other])
            if isinstance(each, BatchedExpansion):
                yield each.find_key(model)
            else:
                yield model._meta.fields[name]


def expand_schema(
    schema: Schema, expand: Mapping[str, Any], related: Related | None, path: str = ""
) -> Schema:
    """Return *schema* with a member for each object that *expand* declares below *path*."""
    members: dict[str, object] = {}
    batches = {} if related is None or related.batches is None else related.batches.by_path
    for other, given in expand.items():
        before, _, name = other.rpartition(".")
        if before == path:
            inner = expand_schema(vary(as_expansion(given).schema), expand, related, other)
            members[name] = (
                batches[other].member(inner)
                if other in batches
                else fields.Nested(inner, dump_only=True, allow_none=True)
            )
    return rename(schema, "Expanded", members) if members else schema
