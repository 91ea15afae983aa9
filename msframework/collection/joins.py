"""The related objects of the rows of a select: joined to it, and put into the rows.

`read_related` runs at start-up, `Related` per request.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import peewee
from marshmallow import Schema, fields

from msframework.collection.chosen import key_of
from msframework.collection.expansion import as_expansion, scope_function
from msframework.collection.shapes import read_columns, rename, vary
from msframework.filters import Filters


@dataclass(frozen=True, slots=True)
class Relation:
    """One foreign key whose object is answered.

    Attributes:
        path: the names of the foreign keys that lead to it, with dots between.
        name: the last of them.
        columns: what is selected of its table.
        marker: the column that is NULL only where there is no such row.
    """

    path: str
    before: str
    name: str
    field: peewee.ForeignKeyField
    columns: tuple[peewee.Node, ...]
    marker: str
    scope: Callable[..., Any] | None
    always: bool


class Joined(NamedTuple):
    """The parts of one object: the keys of its values, by their names in a row."""

    path: str
    keys: Mapping[str, str]
    marker: str


class Related:
    """The related objects that a collection answers.

    Attributes:
        relations: those that are declared, each behind the one that it goes through.
        has_scope: whether one of them depends on the caller.
    """

    __slots__ = ("_usual", "has_scope", "paths", "relations")

    def __init__(self, relations: Collection[Relation]) -> None:
        self.relations = tuple(relations)
        self.paths = tuple(each.path for each in relations)
        self.has_scope = any(each.scope is not None for each in relations)
        self._usual = frozenset(each.path for each in relations if each.always)

    def asked(self, filters: Filters) -> frozenset[str]:
        """Return the paths of the objects to answer: those asked for, and those always answered.

        Where fields are chosen, only what was asked for.
        """
        return filters.expand | self._usual if filters.fields is None else filters.expand

    async def join(
        self, query: Any, asked: frozenset[str], request: object, principal: object
    ) -> tuple[Any, tuple[Joined, ...]]:
        """Return *query* with the objects *asked* for, and how the rows hold them.

        Each is a subselect, so that its scope names its own table whatever else the query joins.
        """
        sources: dict[str, Any] = {}
        found: list[Joined] = []
        number = 0
        for each in self.relations:
            if each.path not in asked:
                continue
            inner = each.field.rel_model.select(*each.columns)
            if each.scope is not None:
                scope = each.scope(request, principal)
                scope = await scope if inspect.isawaitable(scope) else scope
                if scope is not None:
                    inner = inner.where(scope)
            source = inner.alias(f"related_{len(found)}")
            sources[each.path] = source
            key = each.field
            if each.before:
                key = getattr(sources[each.before].c, key.column_name)
            on = key == getattr(source.c, each.marker)
            query = peewee.Select.join(query, source, peewee.JOIN.LEFT_OUTER, on=on)
            keys: dict[str, str] = {}
            for node in each.columns:
                keys[f"related_{number}"] = str(key_of(node))
                number += 1
            selected = [getattr(source.c, key).alias(name) for name, key in keys.items()]
            query = query.select_extend(*selected)
            marker = next(name for name, key in keys.items() if key == each.marker)
            found.append(Joined(each.path, keys, marker))
        return query, tuple(found)

    def fold(self, rows: Iterable[Any], joined: Collection[Joined]) -> None:
        """Put the objects that each row was joined with into it."""
        for row in rows:
            made: dict[str, Any] = {"": row}
            for path, keys, marker in joined:
                there = row[marker] is not None
                found = {key: row.pop(name) for name, key in keys.items()}
                before, _, name = path.rpartition(".")
                made[path] = found if there else None
                if made[before] is not None:
                    made[before][name] = made[path]


def read_related(expand: Mapping[str, Any], model: type[peewee.Model]) -> Related | None:
    """Return the objects that *expand* declares, which is right; `None` where there are none."""
    models: dict[str, Any] = {"": model}
    found = []
    for path in sorted(expand, key=lambda path: path.count(".")):
        each = as_expansion(expand[path])
        before, _, name = path.rpartition(".")
        field = models[before]._meta.fields[name]
        target = models[path] = field.rel_model
        onward = [
            target._meta.fields[other.rpartition(".")[2]]
            for other in expand
            if other.rpartition(".")[0] == path
        ]
        columns = read_columns(target, vary(each.schema), [field.rel_field, *onward])
        marker = field.rel_field.column_name
        scope = scope_function(each)
        found.append(Relation(path, before, name, field, columns, marker, scope, each.always))
    return Related(found) if found else None


def expand_schema(schema: Schema, expand: Mapping[str, Any], path: str = "") -> Schema:
    """Return *schema* with a member for each object that *expand* declares below *path*."""
    members: dict[str, object] = {}
    for other, given in expand.items():
        before, _, name = other.rpartition(".")
        if before == path:
            inner = expand_schema(vary(as_expansion(given).schema), expand, other)
            members[name] = fields.Nested(inner, dump_only=True, allow_none=True)
    return rename(schema, "Expanded", members) if members else schema
