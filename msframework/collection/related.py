"""The related objects that a collection answers, joined to its rows or fetched in batches.

`read_related` runs at start-up, `Related` per request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import peewee
from marshmallow import Schema, fields

from msframework.collection.batches import Batch, Batches
from msframework.collection.expansion import (
    BatchedExpansion,
    Expansion,
    as_expansion,
    steps_before,
)
from msframework.collection.joins import Joined, Joins, Relation
from msframework.collection.links import ListLink, find_key, find_lists
from msframework.collection.lists import RelatedLists
from msframework.collection.shapes import read_columns, rename, vary
from msframework.filters import Filters
from msframework.filters.scope import read_scope
from msframework.principal import Principal
from msframework.serving.request import Request


class Related:
    """The related objects that a collection answers.

    Attributes:
        paths: their paths, each after the one that it goes through.
        batches: those that are fetched after the rows; `None` where there are none.
        has_scope: whether a scope limits one of them to what the caller may see.
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


def read_related(expand: Mapping[str, Any], model: type[peewee.Model]) -> Related | None:
    """Return the objects that *expand* declares, which is right; `None` where there are none."""
    return _RelatedReader(expand, model).read() if expand else None


class _RelatedReader:
    """Reads one declaration.

    Attributes:
        models: the models of the objects at each path.
        bases: the paths of the rows that the object at each path is selected with.
    """

    def __init__(self, expand: Mapping[str, Any], model: type[peewee.Model]) -> None:
        self.expand = {path: as_expansion(expand[path]) for path in sorted(expand, key=_depth)}
        self.models: dict[str, type[peewee.Model]] = {"": model}
        self.bases: dict[str, str] = {"": ""}

    def read(self) -> Related:
        """Return the objects."""
        usual: set[str] = set()
        found: list[tuple[str, Relation | ListLink | BatchedExpansion]] = []
        for path, each in self.expand.items():
            if each.always:
                usual |= {path, *steps_before(path)}
            found.append((path, self._read(path, each)))
        joins = {
            base: Joins(
                base,
                [
                    each
                    for path, each in found
                    if isinstance(each, Relation) and self.bases[path] == base
                ],
            )
            for base in set(self.bases.values())
        }
        batches = [
            self._batch(path, each, joins) for path, each in found if not isinstance(each, Relation)
        ]
        return Related(self.expand, usual, joins[""], Batches(batches) if batches else None)

    def _read(self, path: str, each: Expansion) -> Relation | ListLink | BatchedExpansion:
        """Return what *path* means."""
        before, _, name = path.rpartition(".")
        if isinstance(each, BatchedExpansion):
            return each
        field = find_key(self.models[before], name)
        if field is None:
            (link,) = find_lists(self.models[before], name)
            self.models[path], self.bases[path] = link.target, path
            return link
        self.models[path], self.bases[path] = field.rel_model, self.bases[before]
        columns = self._columns(path, field.rel_field)
        marker = field.rel_field.column_name
        return Relation(path, before, name, field, columns, marker, read_scope(each.scope))

    def _batch(
        self, path: str, found: ListLink | BatchedExpansion, joins: Mapping[str, Joins]
    ) -> Batch:
        """Return the batch that *path* means."""
        each = self.expand[path]
        if isinstance(found, BatchedExpansion):
            return found.batch(path, self.models[path.rpartition(".")[0]])
        return RelatedLists(
            path,
            found,
            self._columns(path),
            each.order,
            each.limit,
            joins=joins[path],
            scope=read_scope(each.scope),
            always=each.always,
        )

    def _columns(self, path: str, *always: peewee.Field) -> tuple[peewee.Node, ...]:
        """Return the columns of the objects at *path*, with those that lead on from it."""
        model = self.models[path]
        keys = list(always)
        for other, each in self.expand.items():
            before, _, name = other.rpartition(".")
            if before == path:
                keys.append(_find_key(model, name, each))
        return read_columns(model, vary(self.expand[path].schema), keys)


def _find_key(model: type[peewee.Model], name: str, each: Expansion) -> peewee.Field:
    """Return the column of *model* by which the objects *name* of its rows are found."""
    if isinstance(each, BatchedExpansion):
        return each.find_key(model)
    return find_key(model, name) or find_lists(model, name)[0].key


def _depth(path: str) -> int:
    return path.count(".")


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
