"""How peewee writes a query: as PostgreSQL wants it, and noting where its arguments are from.

Runs per query whose text is not known.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Literal

import peewee
from peewee import PostgresqlDatabase
from playhouse import postgres_ext

from msframework._tested import demand

_MARK = "\0parameter\0"
ValueConverter = Callable[[Any], object] | None
Recorded = tuple[object, ValueConverter]
# NOTE: importing this must not fail where peewee lacks a name; rendering does, and says why.
_CONTEXT: Any = getattr(peewee, "Context", object)
_JSON: Any = getattr(postgres_ext, "Json", ())
_LOGICAL: Final = ("AND", "OR")


class SQLContext(_CONTEXT):  # type: ignore[misc]
    """peewee's writer, which numbers parameters as PostgreSQL does, and notes where they come from.

    Attributes:
        recorded: of each parameter, the value as it stood in the query and what converted it.
        has_made: whether some value of the query became SQL.
    """

    __slots__ = ("has_made", "recorded")
    _sql: list[str]
    _values: list[object]

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.recorded: list[Recorded] = []
        self.has_made = False

    def sql(self, obj: object) -> object:
        """Write *obj*; what playhouse would write as JSON stays an object for asyncpg's codecs."""
        if obj.__class__ is peewee.Expression and obj.op in _LOGICAL:
            obj = _enclose_texts(obj)
        elif obj.__class__ is peewee.Negated and _is_open(obj.node):
            obj = peewee.Negated(peewee.EnclosedNodeList((obj.node,)))
        if not isinstance(obj, _JSON):
            return super().sql(obj)
        if obj.value is None:
            return self.literal("'null'::jsonb")
        return self.value(obj.value, _as_written_by(obj.dumps))

    def value(
        self,
        value: object,
        converter: ValueConverter | Literal[False] = None,
        add_param: bool = True,
    ) -> object:
        """Add a parameter; those of raw SQL replace its `%s` one after the other."""
        if not add_param and self._sql:
            before, hole, after = self._sql[-1].partition("%s")
            if hole:
                self._sql[-1:] = [before, _MARK, after]
        known = len(self._values)
        nested = len(self.recorded)
        used = (self.state.converter if converter is None else converter) or None
        made = value if used is None else used(value)
        if isinstance(made, peewee.Node) and not _is_argument(made, value):
            self.has_made = True
        result: object = super().value(made, False, add_param)
        if len(self.recorded) == nested and len(self._values) > known:
            self.recorded.append((value, used))
        return result

    def query(self, first: int = 1) -> tuple[str, list[object]]:
        """Return the text and the arguments, of which the first is `$first`."""
        parts = list(self._sql)
        number = first - 1
        for index, part in enumerate(parts):
            if part is _MARK:
                number += 1
                parts[index] = f"${number}"
        return "".join(parts), self._values


def _is_argument(made: Any, value: object) -> bool:
    """Tell whether *made* of a value is written as that value alone."""
    if isinstance(made, _JSON):
        return True
    return made.__class__ is peewee.Value and not made.multi and made.value is value


def _enclose_texts(both: Any) -> Any:
    """Return an AND or OR whose sides hold together, also where they are SQL text.

    NOTE: peewee puts parentheses around its own expressions alone, so that `SQL("a OR b")` beside
    a condition would take that apart.
    """
    sides = (both.lhs, both.rhs)
    if not any(map(_is_open, sides)):
        return both
    lhs, rhs = (peewee.EnclosedNodeList((side,)) if _is_open(side) else side for side in sides)
    return peewee.Expression(lhs, both.op, rhs, both.flat)


def _is_open(node: Any) -> bool:
    """Tell whether *node* may be written as several words without parentheses."""
    if isinstance(node, peewee.NodeList):
        return not node.parens
    if isinstance(node, peewee.Expression):
        return bool(node.flat)
    return isinstance(node, peewee.SQL) and not node.sql.isidentifier()


def _as_written_by(dumps: Callable[[object], str]) -> ValueConverter | Literal[False]:
    """Return the converter of values for asyncpg's codec, which stores the JSON of *dumps*."""
    return False if dumps is json.dumps else lambda value: json.loads(dumps(value))


class _Dialect(PostgresqlDatabase):
    """PostgreSQL's grammar as peewee knows it; it is never connected."""

    context_class = SQLContext
    param = _MARK


@cache
def context_options() -> dict[str, object]:
    """Return the options of every context.

    Raises:
        ImproperlyConfigured: peewee lacks what `SQLContext` needs of it.
    """
    demand("peewee", "rendering a query")
    options: dict[str, object] = _Dialect(None).get_context_options()
    return options
