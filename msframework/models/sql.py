"""peewee queries -> the text with `$1` and the arguments that asyncpg takes.

Runs per query; the text of each shape is rendered once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Final, NamedTuple

import peewee
from peewee import Node

from msframework._tested import supports
from msframework.models.context import Recorded, SQLContext, ValueConverter, context_options
from msframework.models.layout import NoShape, Shape
from msframework.models.shape import read_shape

_MOST_SHAPES: Final = 2048
# Parts of shapes: of one that is remembered, and of all of them together.
_LONGEST: Final = 4000
_MOST_PARTS: Final = 500_000
Change = Callable[[Any], Node]


def _choose_reader() -> Callable[[object], Shape]:
    """Return the reader of shapes; with a peewee that was not tested, no query has one."""
    known = supports("peewee", "rendering each shape of query once")
    return read_shape if known else _refuse_shape


def _refuse_shape(query: object) -> Shape:
    raise NoShape(type(query).__name__)


class Text(NamedTuple):
    """The text of a shape, and of each argument which leaf it is and what converts it.

    An argument without a leaf is NULL. One with several is any of them: as long as their values are
    one object it cannot be told which, and doesn't matter.
    """

    sql: str
    arguments: tuple[tuple[tuple[int, ...], ValueConverter], ...]
    pins: list[object]


class Renderer:
    """Renders queries, the text of each shape once; the oldest shapes are forgotten first."""

    __slots__ = ("_lock", "_parts", "_read", "hits", "misses", "texts")

    def __init__(self) -> None:
        self._read: Callable[[object], Shape] = self._read_first
        self.texts: dict[tuple[object, ...], Text | None] = {}
        self.hits = self.misses = 0
        self._lock = Lock()
        self._parts = 0

    def render(self, query: Node) -> tuple[str, tuple[object, ...]]:
        """Return the text of *query* and its arguments."""
        if isinstance(query, peewee.ModelInsert):
            query = complete(query)
        try:
            shape = self._read(query)
        except NoShape:
            self.misses += 1
            return _write(query)[:2]
        key = tuple(shape.key)
        text = self.texts.get(key)
        if text is not None:
            arguments = _fill(text, shape.leaves)
            if arguments is not None:
                self.hits += 1
                return text.sql, arguments
        self.misses += 1
        sql, values, recorded = _write(query)
        if text is not None or key not in self.texts:
            raws = None if recorded is None else [raw for raw, _ in recorded]
            found = None if raws is None else _trace(shape.leaves, raws)
            self._remember(key, shape, sql, recorded or [], found)
        return sql, values

    def shape_of(self, query: Node) -> Shape | None:
        """Return the shape of *query*; `None` where it has none."""
        try:
            return self._read(query)
        except NoShape:
            return None

    def render_changed(
        self,
        query: Node,
        shape: Shape | None,
        way: tuple[object, ...],
        change: Change,
        values: Sequence[object],
    ) -> tuple[str, tuple[object, ...]]:
        """Return the text and the arguments of *query* after *change*, as `PaginatedQuery` does."""
        if shape is None:
            return self.render(change(query))
        key = (way, *shape.key)
        leaves = [*shape.leaves, *values]
        text = self.texts.get(key)
        if text is not None:
            arguments = _fill(text, leaves)
            if arguments is not None:
                self.hits += 1
                return text.sql, arguments
        self.misses += 1
        sql, found, recorded = _write(change(query))
        if text is not None or key not in self.texts:
            # Where the query by itself has other arguments than its leaves, a change has them too.
            plain = _write(query)[2]
            places = None
            if plain is not None and recorded is not None:
                is_clear = _trace(shape.leaves, [raw for raw, _ in plain]) is not None
                places = _find(leaves, [raw for raw, _ in recorded]) if is_clear else None
            self._remember(key, shape, sql, recorded or [], places)
        return sql, found

    def _read_first(self, query: object) -> Shape:
        self._read = _choose_reader()
        return self._read(query)

    def _remember(
        self,
        key: tuple[object, ...],
        shape: Shape,
        sql: str,
        recorded: list[Recorded],
        found: list[tuple[int, ...]] | None,
    ) -> None:
        if len(key) > _LONGEST:
            return
        with self._lock:
            known = self.texts.get(key)
            if known is not None and found is not None:
                if known.sql != sql:
                    # The shape doesn't say the text.
                    self.texts[key] = None
                    return
                # Another example of the shape: what both allow is what is true.
                found = [
                    tuple(set(now) & set(before))
                    for now, (before, _) in zip(found, known.arguments, strict=True)
                ]
            if key not in self.texts:
                self._make_room(len(key))
            if found is None:
                # A field made SQL of its value this time, or does so always.
                self.texts.setdefault(key, None)
                return
            converters = (converter for _, converter in recorded)
            arguments = tuple(zip(found, converters, strict=True))
            self.texts[key] = Text(sql, arguments, shape.pins)

    def _make_room(self, parts: int) -> None:
        """Forget the oldest shapes, so that there is room for one of so many *parts*."""
        self._parts += parts
        while self.texts and (len(self.texts) >= _MOST_SHAPES or self._parts > _MOST_PARTS):
            oldest = next(iter(self.texts))
            del self.texts[oldest]
            self._parts -= len(oldest)


def _trace(leaves: list[object], raws: list[object]) -> list[tuple[int, ...]] | None:
    """Find each argument among the leaves; `None` when there are others, or too few.

    A leaf may stand in a part that is read twice and written once, a recursive query for instance.
    """
    places = Counter(map(id, leaves))
    counts = Counter(id(raw) for raw in raws if raw is not None)
    if counts.keys() != places.keys() or not counts <= places:
        return None
    return _find(leaves, raws)


def _find(leaves: list[object], raws: list[object]) -> list[tuple[int, ...]] | None:
    """Find each argument among the leaves, which may have others; `None` when one is not there."""
    places: dict[int, list[int]] = {}
    for index, leaf in enumerate(leaves):
        places.setdefault(id(leaf), []).append(index)
    if any(raw is not None and id(raw) not in places for raw in raws):
        return None
    return [() if raw is None else tuple(places[id(raw)]) for raw in raws]


def _fill(text: Text, leaves: list[object]) -> tuple[object, ...] | None:
    """Return the arguments; `None` when they cannot be told, or a value turns into SQL."""
    arguments: list[object] = []
    for places, converter in text.arguments:
        value = leaves[places[0]] if places else None
        if len(places) > 1 and any(leaves[place] is not value for place in places):
            return None
        if converter is not None:
            value = converter(value)
            if isinstance(value, Node):
                return None
        arguments.append(value)
    return tuple(arguments)


def _write(query: object) -> tuple[str, tuple[object, ...], list[Recorded] | None]:
    """Have peewee render *query*; where its arguments are from, unless a value became SQL."""
    _refuse_empty(query)
    context: Any = SQLContext(**context_options())
    sql, values = context.sql(query).query()
    return sql, tuple(values), None if context.has_made else context.recorded


def _refuse_empty(query: object) -> None:
    name = getattr(getattr(query, "table", None), "__name__", "a table")
    if isinstance(query, peewee.Update) and not query._update:  # type: ignore[attr-defined]
        raise ValueError(
            f"an UPDATE of {name} without columns. Run it only where there is something to update: "
            "`if body:`."
        )
    rows = query._insert if isinstance(query, peewee.Insert) else None  # type: ignore[attr-defined]
    if isinstance(rows, list) and not rows:
        raise ValueError(
            f"an INSERT into {name} without rows, which would add one of defaults. Run it only "
            "where there are rows: `if rows:`."
        )


def complete(query: Any) -> Any:
    """Return an INSERT with its defaults filled in, so that they are values like any other."""
    defaults = query.get_default_data()
    rows = query._insert
    if not defaults or query._columns or not isinstance(rows, (dict, list)):
        return query
    if isinstance(rows, dict):
        filled: object = _with_defaults(rows, defaults)
    elif all(isinstance(row, dict) for row in rows):
        filled = [_with_defaults(row, defaults) for row in rows]
    else:
        return query
    query = query.clone()
    query._insert = filled
    return query


def _with_defaults(
    row: dict[object, object], defaults: dict[peewee.Field, object]
) -> dict[object, object]:
    filled = dict(row)
    for field, default in defaults.items():
        if field not in row and field.name not in row and field.column_name not in row:
            filled[field] = default() if callable(default) else default
    return filled


_RENDERER = Renderer()


class PaginatedQuery:
    """A query that is run in pages, each of which is a change of it, as is the count of its rows.

    The text of each change is rendered once for each shape of the query; where it is known, the
    changed query is not even built.
    """

    __slots__ = ("_query", "_shape")

    def __init__(self, query: object, args: tuple[object, ...] = ()) -> None:
        self._query = _checked(query, args)
        self._shape = _RENDERER.shape_of(self._query)

    def render(
        self, way: tuple[object, ...], change: Change, values: Sequence[object] = ()
    ) -> tuple[str, tuple[object, ...]]:
        """Return the text and the arguments of the changed query.

        Args:
            way: tells the change from others. Of one way and one shape, texts are the same.
            change: makes it of the query; what it has besides are *values* alone.
            values: none of them is `None`.
        """
        return _RENDERER.render_changed(self._query, self._shape, way, change, values)


def render(query: object, args: tuple[object, ...] = ()) -> tuple[str, tuple[object, ...]]:
    """Return the text of a peewee query, with `$1` for its first argument, and the arguments.

    Args:
        args: what was given beside the query; there must be none.

    Raises:
        TypeError: *query* is no peewee query, or arguments were given beside it.
        ValueError: it is an UPDATE without columns, or an INSERT of no rows.
    """
    return _RENDERER.render(_checked(query, args))


def _checked(query: object, args: tuple[object, ...]) -> Node:
    if not isinstance(query, Node):
        raise TypeError(
            f"a query is SQL text or a peewee query, got {type(query).__name__}: {query!r:.100}"
        )
    if args:
        raise TypeError("a peewee query carries its arguments; give none beside it")
    return query


def render_part(part: Node, first: int) -> tuple[str, tuple[object, ...]]:
    """Return the text of *part* of a statement by hand, and its arguments.

    Args:
        first: the number of the first argument: 3 where the statement has `$1` and `$2`.
    """
    context: Any = SQLContext(**context_options())
    sql, values = context.sql(part).query(first)
    return sql, tuple(values)
