"""Objects that come to all rows of an answer at once, after these are fetched: `Batch`, `Batches`.

A kind of such objects is a class with the members of `Batch`, in a module of its own. Batches are
made at start-up; `Batches.fill` runs per request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

import peewee
from marshmallow import Schema

from msframework.aio import run_concurrently
from msframework.db.cursor import Cursor
from msframework.principal import Principal
from msframework.serving.request import Request
from msframework.types import Field, Row

# What the key of a row is called there, before its column's name, where it was selected for us.
_KEY: Final = "msframework_key_"


class Batch(Protocol):
    """One relation whose objects are fetched for many rows at once, by the key of each.

    Attributes:
        path: the names that lead to it, with dots between; its last one is its name in a row.
        key: the column of those rows that says what belongs to each.
        always: whether it is answered without being asked for.
        has_scope: whether it depends on the caller.
        is_remote: whether it is fetched once the rows' connection is given back, from elsewhere.
    """

    path: str
    key: peewee.Field
    always: bool
    has_scope: bool
    is_remote: bool

    def empty(self) -> object:
        """Return what a row has to which nothing belongs."""

    def member(self, schema: Schema) -> Field:
        """Return the field of a schema that shows it, whose objects *schema* shows."""

    async def fetch(
        self,
        keys: Sequence[Any],
        asked: Collection[str],
        request: Request,
        principal: Principal | None,
        cur: Cursor,
    ) -> Mapping[Any, object]:
        """Return what belongs to each of *keys*, as far as anything does.

        Args:
            keys: distinct, none of them NULL, and one at least.
            asked: the paths of all objects to answer.
            principal: the caller, where a relation of the collection has a scope; else `None`.
            cur: what the rows were fetched by; a remote batch uses it not at all.
        """


class Batches:
    """The batches of a collection, each behind those that it goes through."""

    __slots__ = ("_batches", "_later", "by_path", "has_scope")

    def __init__(self, batches: Iterable[Batch]) -> None:
        found = tuple(batches)
        self.by_path: Mapping[str, Batch] = {each.path: each for each in found}
        self.has_scope = any(each.has_scope for each in found)
        self._batches = tuple(each for each in found if not each.is_remote)
        self._later = tuple(each for each in found if each.is_remote)

    @property
    def is_remote(self) -> bool:
        """Whether some are fetched from elsewhere."""
        return bool(self._later)

    def select(self, query: Any, asked: Collection[str]) -> Any:
        """Return the select *query* of rows with the keys by which objects of theirs are found."""
        keys = {
            each.key.column_name: each.key
            for path, each in self.by_path.items()
            if path in asked and "." not in path
        }
        return query.select_extend(*(key.alias(_KEY + name) for name, key in keys.items()))

    async def fill(
        self,
        rows: Sequence[Row],
        asked: Collection[str],
        request: Request,
        principal: Principal | None,
        cur: Cursor,
    ) -> None:
        """Put the objects *asked* for into *rows*, which `select` selected."""
        if not rows:
            return
        for each in self._batches:
            if each.path in asked:
                await _fill(each, rows, asked, request, principal, cur)
        later = [each for each in self._later if each.path in asked]
        if later:
            cur.give_back()
            fill = partial(_fill, rows=rows, asked=asked, request=request, principal=principal)
            await run_concurrently([fill(each, cur=cur) for each in later])
        for name in [name for name in rows[0] if name.startswith(_KEY)]:
            for row in rows:
                del row[name]


async def _fill(
    batch: Batch,
    rows: Sequence[Row],
    asked: Collection[str],
    request: Request,
    principal: Principal | None,
    cur: Cursor,
) -> None:
    """Put the objects of *batch* into the rows, or into the objects in them that it is of."""
    before, _, name = batch.path.rpartition(".")
    owners = find_objects(rows, before)
    key = batch.key.column_name if before else _KEY + batch.key.column_name
    keys = dict.fromkeys(each[key] for each in owners)
    keys.pop(None, None)
    found: Mapping[Any, object] = {}
    if keys:
        found = await batch.fetch(list(keys), asked, request, principal, cur)
    for owner in owners:
        value = owner[key]
        owner[name] = found[value] if value in found else batch.empty()


def find_objects(rows: Sequence[Row], path: str) -> Sequence[Row]:
    """Return the objects at *path* in *rows*; the rows themselves where it is empty."""
    found = rows
    for name in path.split(".") if path else ():
        inner: list[Row] = []
        for each in found:
            value = each[name]
            if value.__class__ is list:
                inner += value
            elif value is not None:
                inner.append(value)
        found = inner
    return found
