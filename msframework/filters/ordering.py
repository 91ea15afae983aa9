"""The orders in which a listing may be sorted.

`SortOrder` is made at start-up for the usual order, else per request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import peewee

from msframework.filters.columns import ColumnKind, ColumnReader, FilterColumn, quote
from msframework.models.key import primary_fields

_ORDERED: Final = frozenset(ColumnKind) - {ColumnKind.ARRAY, ColumnKind.JSONB, ColumnKind.OTHER}
_ADVICE: Final = 'Write names of columns, each with "-" before it where it falls.'
_ACROSS: Final = "Leave it out: filters and search go across foreign keys, and orders do not."


class SortKey(NamedTuple):
    """One column to sort by, and its direction.

    Attributes:
        name: its name in declarations, with `-` where it falls.
        label: the column's name in a result, likewise.
    """

    name: str
    column: str
    node: peewee.Node
    falls: bool
    label: str

    def write(self, prefix: str) -> str:
        """Return the SQL text, with *prefix* before the column."""
        return f"{prefix}{self.column} {'DESC' if self.falls else 'ASC'}"


class SortOrder(NamedTuple):
    """The order of a listing.

    Attributes:
        names: the names that it goes by, with `-` before those that fall.
        keys: those columns, and the primary key where rows could be equal without.
        nodes: the same as peewee takes them.
    """

    names: tuple[str, ...]
    keys: tuple[SortKey, ...]
    nodes: tuple[peewee.Node, ...]


class Sorting:
    """The orders that a declaration offers.

    Args:
        entries: names that may be sorted by; `-` says that one falls in the usual order.
        usual: the usual order, the first of *entries* where nothing is said.

    Attributes:
        offered: the columns, by their names on the wire, in both directions.
        usual: the usual order.
    """

    def __init__(self, reader: ColumnReader, entries: Sequence[str], usual: Sequence[str]) -> None:
        self._model = reader.model
        self.offered: dict[str, SortKey] = {}
        first: list[SortKey] = []
        for column, falls in _read(reader, entries, "sort"):
            for sign in ("", "-"):
                self.offered[f"{sign}{column.wire}"] = _key(column, falls=bool(sign))
            if not first:
                first.append(_key(column, falls=falls))
        said = [_key(column, falls=falls) for column, falls in _read(reader, usual, "default_sort")]
        self.usual = self.order(said or first)

    def order(self, keys: Iterable[SortKey]) -> SortOrder:
        """Return the order by *keys*; of two for one column, the first counts."""
        chosen: dict[str, SortKey] = {}
        for key in keys:
            chosen.setdefault(key.column, key)
        names = tuple(key.name for key in chosen.values())
        # NOTE: in the direction of the last column, as one index of both then serves the order.
        falls = bool(chosen) and list(chosen.values())[-1].falls
        primary = primary_fields(self._model)
        if not chosen.keys() >= {quote(column.column_name) for column in primary}:
            for column in primary:
                column_key = _key_of(column, column.name, falls=falls)
                chosen.setdefault(column_key.column, column_key)
        found = tuple(chosen.values())
        return SortOrder(names, found, tuple(key.node for key in found))

    def read(self, names: Iterable[str]) -> SortOrder:
        """Return the order by the offered *names*, as a caller gave them."""
        return self.order(self.offered[name] for name in names)


def _read(
    reader: ColumnReader, entries: Sequence[Any], place: str
) -> Iterable[tuple[FilterColumn, bool]]:
    if isinstance(entries, str):
        reader.refuse(place, f"is the text {entries!r}", "a tuple of names", _ADVICE)
        return
    for entry in entries:
        name = entry.removeprefix("-") if isinstance(entry, str) else entry
        if isinstance(name, str) and "." in name:
            found = f"names {name!r}, which lies behind a foreign key"
            reader.refuse(place, found, f"a column of {reader.model.__name__}", _ACROSS)
            continue
        column = reader.find(name, place)
        if column is None:
            continue
        if column.kind not in _ORDERED:
            reader.refuse(place, f"names {name!r}, which holds {column.kind.value}, in no order")
            continue
        yield column, name != entry


def _key(column: FilterColumn, *, falls: bool) -> SortKey:
    return _key_of(column.column, column.name, falls=falls)


def _key_of(column: peewee.Field, name: str, *, falls: bool) -> SortKey:
    node = column.desc() if falls else column.asc()
    sign = "-" if falls else ""
    label = f"{sign}{column.column_name}"
    return SortKey(f"{sign}{name}", quote(column.column_name), node, falls, label)
