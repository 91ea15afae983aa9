"""The layout of a node of a peewee query: the names of its attributes, and what reads each.

A node whose attributes are not all known by name has no shape. So what a new version of peewee adds
is never left out of the key of a text: its queries are rendered every time. Layouts are learned
with the first node of each, and looked up per query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


class NoShape(Exception):
    """The query has a part that isn't known here."""


class Shape:
    """The shape of one query, as it was read.

    Attributes:
        key: equal for queries whose text is the same.
        leaves: the values, which become arguments.
        pins: the objects that the key knows by their ids, which must live as long as the key.
        seen: the numbers of the parts that may stand in several places, by their ids.
    """

    __slots__ = ("key", "leaves", "pins", "seen")

    def __init__(self) -> None:
        self.key: list[object] = []
        self.leaves: list[object] = []
        self.pins: list[object] = []
        self.seen: dict[int, int] = {}

    def pin(self, thing: object) -> None:
        """Put *thing* into the key by its identity."""
        self.key.append(id(thing))
        self.pins.append(thing)


Reader = Callable[[Shape, Any], None]


class Layout:
    """The names that nodes of one class have, in their order; in keys it stands for both.

    Attributes:
        steps: each name that the text depends on, and what reads its attribute.
    """

    __slots__ = ("steps",)

    def __init__(self, steps: tuple[tuple[str, Reader], ...]) -> None:
        self.steps = steps


def build_reader(readers: Mapping[str, Reader | None], *, numbered: bool = False) -> Reader:
    """Return the reader of one class of nodes.

    Args:
        readers: what reads the attribute of each name; `None` where the text doesn't depend on it.
        numbered: such a node may stand in several places of a query, where its alias tells it
            apart.
    """
    layouts: dict[tuple[str, ...], Layout] = {}

    def learn(kind: type, names: tuple[str, ...]) -> Layout:
        if not readers.keys() >= set(names):
            raise unknown(kind, set(names) - readers.keys())
        found = [(name, reader) for name in names if (reader := readers[name]) is not None]
        return layouts.setdefault(names, Layout(tuple(found)))

    def read(shape: Shape, node: object) -> None:
        # PERF: one look-up for all names in the place of one for each (benchmarks/shapes.py).
        held = node.__dict__
        names = tuple(held)
        layout = layouts.get(names) or learn(node.__class__, names)
        key = shape.key
        key.append(layout)
        if numbered:
            known = shape.seen.get(id(node))
            if known is not None:
                key.append(known)
                return
            shape.seen[id(node)] = len(shape.seen)
        for name, reader in layout.steps:
            value = held[name]
            if value is None:
                key.append(None)
            else:
                reader(shape, value)

    return read


def find_class(module: object, name: str) -> type | None:
    """Return a class of nodes; `None` where *module* has none of that name.

    One with slots counts as none: what stands in a slot would not be among the attributes.
    """
    found = getattr(module, name, None)
    if not isinstance(found, type) or any("__slots__" in vars(each) for each in found.__mro__):
        return None
    return found


def unknown(kind: type, names: Iterable[str]) -> NoShape:
    """Return the exception for a node of *kind* whose attributes have unknown *names*."""
    return NoShape(f"{kind.__name__} with {', '.join(names)}")
