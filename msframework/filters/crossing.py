"""The foreign keys that filters and search go across: `owner.city.name`.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import peewee
from marshmallow import Schema

from msframework.filters.columns import ColumnReader, FilterColumn, suggest
from msframework.filters.scope import (
    ExpressScope,
    RowScope,
    RowScopes,
    read_scope,
    takes_principal,
    why_wrong_scope,
)
from msframework.problem import Problem
from msframework.schemas.naming import spell_as
from msframework.types import UNSET

MOST_STEPS: Final = 3


class RelatedRows(NamedTuple):
    """What `expand` declares of the rows behind a foreign key."""

    schema: Schema | type[Schema]
    scope: RowScope = UNSET


@dataclass(frozen=True, slots=True)
class Crossing:
    """One foreign key that filters go across.

    Attributes:
        path: its name, behind those of the keys that lead to it, with dots between.
        is_said: whether the declaration says a scope for the rows behind it, be it `None`.
        scope: returns the condition of those rows for one caller; `None` for all rows.
        asks_principal: whether that depends on the principal.
    """

    path: str
    key: peewee.ForeignKeyField
    is_said: bool
    scope: ExpressScope | None
    asks_principal: bool


class CrossingReader(ColumnReader):
    """A reader that also finds columns behind up to three foreign keys, and notes these.

    Args:
        scopes: whose rows behind a key filters may look at, by path.
        related: what else is declared of those rows, by path; *scopes* come first.

    Attributes:
        crossings: the foreign keys by path, each behind those that lead to it.
    """

    def __init__(
        self,
        label: str,
        model: type[peewee.Model],
        schema: Schema | None,
        problems: list[Problem],
        *,
        scopes: RowScopes,
        related: Mapping[str, RelatedRows],
    ) -> None:
        super().__init__(label, model, schema, problems)
        self.crossings: dict[str, Crossing] = {}
        self._scopes = {path: each.scope for path, each in related.items()} | dict(scopes)
        self._schemas: dict[str, Schema | None] = {"": schema}
        for path, (given, _) in related.items():
            self._schemas[path] = given() if isinstance(given, type) else given

    def read(self, name: object, place: str) -> FilterColumn | None:
        """Return the column that *name* means, also behind foreign keys."""
        if not isinstance(name, str) or "." not in name:
            return super().read(name, place)
        *steps, last = name.split(".")
        if len(steps) > MOST_STEPS:
            found = f"names {name!r}, which lies behind {len(steps)} foreign keys"
            self.refuse(place, found, f"{MOST_STEPS} at most")
            return None
        keys = self._read_keys(name, steps, place)
        if keys is None:
            return None
        path = ".".join(steps)
        schema = self._schemas.get(path)
        inner = ColumnReader(self.label, keys[-1].rel_model, schema, self.problems, f"{path}.")
        column = inner.find(last, place)
        if column is None:
            return None
        self._cross(steps, keys)
        wires = [self._wire(".".join(steps[:count]), step) for count, step in enumerate(steps)]
        is_described = schema is not None and last in schema.fields
        wires.append(column.wire if is_described else self._wire(path, last))
        return replace(column, name=name, wire=".".join(wires), keys=tuple(keys))

    def _read_keys(
        self, name: str, steps: Collection[str], place: str
    ) -> list[peewee.ForeignKeyField] | None:
        """Return the foreign keys that *steps* name; `None` after a mistake, which is noted."""
        keys: list[peewee.ForeignKeyField] = []
        model: Any = self.model
        for step in steps:
            known = {each.name: each for each in model._meta.sorted_fields if _is_key(each)}
            key = known.get(step)
            if key is None:
                found = f"names {name!r}, and {step!r} is no foreign key of {model.__name__}"
                expected = f"one of {', '.join(known)}" if known else ""
                self.refuse(place, found, expected, suggest(step, known))
                return None
            keys.append(key)
            model = key.rel_model
        return keys

    def _cross(self, steps: list[str], keys: list[peewee.ForeignKeyField]) -> None:
        """Note the crossed *keys*, and their scopes."""
        for count, key in enumerate(keys, 1):
            path = ".".join(steps[:count])
            if path in self.crossings:
                continue
            scope = self._scopes.get(path, UNSET)
            why = why_wrong_scope(scope, key.rel_model)
            if why:
                self.refuse(f"filter_scopes[{path!r}]", *why)
                scope = _of_nobody
            self.crossings[path] = Crossing(
                path, key, scope is not UNSET, read_scope(scope), takes_principal(scope)
            )

    def _wire(self, path: str, name: str) -> str:
        """Return what callers call *name* in the rows behind *path*."""
        schema = self._schemas.get(path)
        field = None if schema is None else schema.fields.get(name)
        if field is not None and field.data_key is not None:
            return field.data_key
        return spell_as(self._schemas[""] if schema is None else schema, name)


def find_needless_scopes(scopes: object, crossings: Mapping[str, Crossing]) -> Iterator[list[str]]:
    """Yield what is wrong with the *scopes* of a declaration that goes across *crossings*."""
    if not isinstance(scopes, Mapping):
        yield [f"is {scopes!r:.100}", "scopes by paths of foreign keys"]
        return
    for path in scopes:
        if path not in crossings:
            expected = f"one of {', '.join(crossings)}" if crossings else ""
            advice = suggest(path, crossings) or "Drop it."
            yield [f"names {path!r}, which no filter goes across", expected, advice]


def _of_nobody() -> bool:
    """Return the scope in the place of a wrong one: no rows."""
    return False


def _is_key(field: peewee.Field) -> bool:
    return isinstance(field, peewee.ForeignKeyField)
