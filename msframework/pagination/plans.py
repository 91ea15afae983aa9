"""The sort keys of queries that were seen before: orders by fields of one table. Runs per request.

PERF: reading the keys of a query costs more than writing its page; most listings have few orders
(benchmarks/README.md, row list).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from peewee import Field, FieldAlias, Ordering

from msframework.pagination.key import Key

_MOST: Final = 512


class KeyPlan(NamedTuple):
    """The keys of an order.

    Attributes:
        hidden: the columns to select besides, by their names.
        digest: tells the order from others.
    """

    keys: tuple[Key, ...]
    hidden: Mapping[str, Any]
    digest: bytes


class KeyPlans:
    """The plans of the orders that were seen, the oldest forgotten first."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        # NOTE: nodes are told apart by their identity, as `==` makes an expression of them; each
        # plan is kept with its nodes, so that no other node gets the identity of one.
        self._known: dict[Hashable, tuple[KeyPlan, object]] = {}

    def find(self, sign: Hashable) -> KeyPlan | None:
        """Return the plan of the order with *sign*."""
        found = self._known.get(sign)
        return None if found is None else found[0]

    def keep(self, sign: Hashable, plan: KeyPlan, nodes: object) -> None:
        """Keep *plan*, and the *nodes* that *sign* is made of."""
        if len(self._known) >= _MOST:
            del self._known[next(iter(self._known))]
        self._known[sign] = plan, nodes


def sign_of(select: Any, ordering: Sequence[Any]) -> Hashable | None:
    """Return the signature of the order of *select*; `None` where it may not be remembered.

    It may where all of it is of fields of the one model that is read.
    """
    model = getattr(select, "model", None)
    sources: Sequence[object] = getattr(select, "_from_list", ())
    if not isinstance(model, type) or len(sources) != 1 or sources[0] is not model:
        return None
    parts: list[Hashable] = [id(model)]
    for item in ordering:
        node = item
        if isinstance(item, Ordering):
            node = item.node
            parts += (item.direction, item.collation, item.nulls)
        if not _is_plain(node):
            return None
        parts.append(id(node))
    parts.append(None)
    for column in select._returning:
        if not _is_plain(column):
            return None
        parts.append(id(column))
    return tuple(parts)


def _is_plain(node: object) -> bool:
    return isinstance(node, Field) and not isinstance(node, FieldAlias)
