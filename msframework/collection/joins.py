"""The related objects of the rows of a select: joined to it, and put into the rows.

`Joins` is made at start-up; its methods run per request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import peewee

from msframework.collection.chosen import key_of
from msframework.filters.scope import express_scope

# What stands before the numbers of the joined tables, and of what is selected of them.
_RELATED: Final = "msframework_related_"


@dataclass(frozen=True, slots=True)
class Relation:
    """One foreign key whose object is answered.

    Attributes:
        path: the names that lead to it, with dots between.
        before: those without the last; empty for a key of the listed rows.
        name: the last of them.
        columns: the columns that are selected of its table.
        marker: the column that is NULL only where there is no such row.
    """

    path: str
    before: str
    name: str
    field: peewee.ForeignKeyField
    columns: tuple[peewee.Node, ...]
    marker: str
    scope: Callable[..., Any] | None


class Joined(NamedTuple):
    """The parts of one object: the keys of its values, by their names in a row."""

    path: str
    keys: Mapping[str, str]
    marker: str


class Joins:
    """The foreign keys that one select is joined with.

    Attributes:
        base: the path of the rows that it selects; empty for those of the collection.
        relations: the foreign keys, each behind the one that it goes through.
        has_scope: whether one of them depends on the caller.
    """

    __slots__ = ("base", "has_scope", "relations")

    def __init__(self, base: str, relations: Collection[Relation]) -> None:
        self.base = base
        self.relations = tuple(relations)
        self.has_scope = any(each.scope is not None for each in relations)

    async def join(
        self, query: Any, asked: Collection[str], request: object, principal: object
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
            inner = await bind_scope(inner, each.scope, request, principal)
            source = inner.alias(f"{_RELATED}{len(found)}")
            sources[each.path] = source
            key = each.field
            if each.before != self.base:
                key = getattr(sources[each.before].c, key.column_name)
            on = key == getattr(source.c, each.marker)
            query = peewee.Select.join(query, source, peewee.JOIN.LEFT_OUTER, on=on)
            keys: dict[str, str] = {}
            for node in each.columns:
                keys[f"{_RELATED}{number}"] = str(key_of(node))
                number += 1
            selected = [getattr(source.c, key).alias(name) for name, key in keys.items()]
            query = query.select_extend(*selected)
            marker = next(name for name, key in keys.items() if key == each.marker)
            found.append(Joined(each.path, keys, marker))
        return query, tuple(found)

    def fold(self, rows: Iterable[Any], joined: Collection[Joined]) -> None:
        """Put the objects that each row was joined with into it."""
        for row in rows:
            made: dict[str, Any] = {self.base: row}
            for path, keys, marker in joined:
                there = row[marker] is not None
                found = {key: row.pop(name) for name, key in keys.items()}
                before, _, name = path.rpartition(".")
                made[path] = found if there else None
                if made[before] is not None:
                    made[before][name] = made[path]


async def bind_scope(
    query: Any, scope: Callable[..., Any] | None, request: object, principal: object
) -> Any:
    """Return the select *query* of the rows within *scope*, a function of request and principal."""
    return query if scope is None else query.where(await express_scope(scope, request, principal))
