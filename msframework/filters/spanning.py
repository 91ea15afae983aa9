"""`SpanningFilters`: the filters of one request that also look at rows behind foreign keys.

Made per request with a query string, where a declaration goes across foreign keys.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, Final, NamedTuple

import peewee
from peewee import SQL, Expression, Node

from msframework.filters.columns import FilterColumn, quote
from msframework.filters.condition import Arguments, Condition, NullTest
from msframework.filters.crossing import MOST_STEPS, Crossing
from msframework.filters.ordering import SortOrder
from msframework.filters.request import NOTHING, Filters, like, pattern_of
from msframework.filters.scope import express_scope
from msframework.models.sql import render_part

_HOLDS: Final = NullTest(is_null=False)
CallerScopes = Mapping[str, Node]


class Enclosed(NamedTuple):
    """The condition that a foreign key is among the keys that a subselect finds: a semi-join.

    The subselect is uncorrelated: its names mean its own tables alone.

    Attributes:
        is_negated: whether the key must not be among them, which also holds for NULL: an anti-join.
    """

    key: peewee.ForeignKeyField
    select: Node
    is_negated: bool = False

    def express(self) -> Node:
        """Return the expression of peewee."""
        found = Expression(self.key, "IN", self.select)
        return Expression(found, "IS NOT", SQL("TRUE")) if self.is_negated else found

    def write(self, prefix: str, first: int) -> tuple[str, Arguments]:
        """Return the SQL text, whose first argument is `$first`, and its arguments."""
        inner, args = render_part(self.select, first)
        text = f"{prefix}{quote(self.key.column_name)} IN ({inner})"
        return (f"({text}) IS NOT TRUE" if self.is_negated else text), args


def enclose(
    found: dict[str, list[Node]], crossings: Mapping[str, Crossing], scopes: CallerScopes
) -> list[Enclosed]:
    """Return the conditions *found*, by the paths of their rows, as conditions on the listed rows.

    All conditions behind one key are one subselect.
    """
    outer: list[Enclosed] = []
    for depth in reversed(range(MOST_STEPS)):
        for path in [each for each in found if each.count(".") == depth]:
            nodes, key = found.pop(path), crossings[path].key
            if path in scopes:
                nodes.append(scopes[path])
            model: Any = key.rel_model
            inner = Enclosed(key, model.select(key.rel_field).where(*nodes))
            if depth:
                found.setdefault(path.rpartition(".")[0], []).append(inner.express())
            else:
                outer.append(inner)
    return outer


class SpanningFilters(Filters):
    """Filters of which some look at rows behind foreign keys, as far as their scopes allow.

    Args:
        crossings: the foreign keys that the declaration goes across, by path.
    """

    __slots__ = ("_across", "_crossings", "_scopes")

    def __init__(
        self,
        order: SortOrder,
        conditions: Sequence[Condition] = (),
        values: Mapping[str, Any] = NOTHING,
        *,
        crossings: Mapping[str, Crossing],
        **given: Any,
    ) -> None:
        super().__init__(
            order, [each for each in conditions if not each.column.keys], values, **given
        )
        self._across = [each for each in conditions if each.column.keys]
        self._crossings = crossings
        needs = any(each.scope is not None for each in crossings.values())
        self._scopes: CallerScopes | None = None if needs else {}

    async def scoped(self, request: object, principal: object = None) -> Filters:
        """Return the filters that look at no more related rows than the caller may see."""
        if self._scopes is not None:
            return self
        used = {column.path for _, column, _ in self._across}
        if self._words:
            used |= {column.path for column in self._searched}
        scopes: dict[str, Node] = {}
        for path, crossing in self._crossings.items():
            if crossing.scope is not None and any(
                f"{each}.".startswith(f"{path}.") for each in used
            ):
                scopes[path] = await express_scope(crossing.scope, request, principal)
        found = copy.copy(self)
        found._scopes = scopes
        return found

    def expressions(self) -> list[Node]:
        """Return the conditions as expressions of peewee, all of which must hold."""
        found = [form.express(column.column, args) for form, column, args in self._conditions]
        found += [each.express() for each in self._enclosed()]
        for word in self._words:
            pattern = pattern_of(word)
            own, others = self._matches(pattern)
            nodes = [like(column, pattern) for column in own]
            found.append(reduce(operator.or_, nodes + [each.express() for each in others]))
        return found

    def where(self, first: int = 1, *, alias: str = "") -> tuple[str, tuple[object, ...]]:
        """Return the conditions as SQL text for `WHERE`, and its arguments."""
        prefix = f"{quote(alias)}." if alias else ""
        parts, args = self._write_conditions(prefix, first)
        parts += _write(self._enclosed(), prefix, first, args)
        for word in self._words:
            pattern = pattern_of(word)
            own, others = self._matches(pattern)
            number = first + len(args)
            either = [f"{prefix}{column.sql} ILIKE ${number}" for column in own]
            if own:
                args.append(pattern)
            parts.append(f"({' OR '.join(either + _write(others, prefix, first, args))})")
        return " AND ".join(parts) or "TRUE", tuple(args)

    def _enclosed(self) -> list[Enclosed]:
        """Return the conditions on related rows, those behind one key together."""
        scopes = self._known_scopes()
        found: dict[str, list[Node]] = {}
        missing: list[Enclosed] = []
        for form, column, args in self._across:
            if isinstance(form, NullTest) and form.is_null:
                held = {column.path: [_HOLDS.express(column.column, args)]}
                missing += enclose(held, self._crossings, scopes)
            else:
                found.setdefault(column.path, []).append(form.express(column.column, args))
        negated = [each._replace(is_negated=True) for each in missing]
        return enclose(found, self._crossings, scopes) + negated

    def _matches(self, pattern: str) -> tuple[list[FilterColumn], list[Enclosed]]:
        """Return the columns, and conditions on related rows, that *pattern* is looked for in."""
        scopes = self._known_scopes()
        behind: dict[str, list[Node]] = {}
        for column in self._searched:
            if column.keys:
                behind.setdefault(column.path, []).append(like(column, pattern))
        others: list[Enclosed] = []
        for path, nodes in behind.items():
            others += enclose({path: [reduce(operator.or_, nodes)]}, self._crossings, scopes)
        return [column for column in self._searched if not column.keys], others

    def _known_scopes(self) -> CallerScopes:
        if self._scopes is None:
            raise RuntimeError(
                "these filters look at rows behind foreign keys that have a scope, and were "
                "not told the caller. "
                "Write filters = await filters.scoped(request, principal) first."
            )
        return self._scopes


def _write(found: Iterable[Enclosed], prefix: str, first: int, args: list[Any]) -> list[str]:
    """Return the texts of conditions, and append their arguments to *args*."""
    parts = []
    for each in found:
        text, given = each.write(prefix, first + len(args))
        parts.append(text)
        args += given
    return parts
