"""The sort keys of a query, up to one by which no two rows are alike. Runs per request.

The keys are those of the query's own ORDER BY, and behind them the primary key of its model. Where
a column that is sorted by is not selected, it is under a name of ours, and hidden from the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import peewee
from peewee import SQL, Field, Ordering

from msframework.models.sql import render
from msframework.pagination.key import Key, collate

_NAME: Final = re.compile(r'"?(\w+)"?').fullmatch
_ORDERED: Final = re.compile(r"\b(asc|desc|nulls|using)\b", re.IGNORECASE).search
_OUTER: Final = re.compile(r"\b(LEFT|RIGHT|FULL)\b").search
_HIDDEN: Final = "__key_"


class OrderReader:
    """Reads the sort keys of one select.

    Attributes:
        keys: those that were read.
        hidden: the columns to select besides, by their names.
    """

    __slots__ = ("_columns", "_inner", "_model", "hidden", "keys")

    def __init__(self, select: Any) -> None:
        self._model = getattr(select, "model", None)
        self._columns = tuple(select._returning or ())
        # Fields of the model are NULL where it says so, unless a join makes rows without it.
        self._inner = not any(_OUTER(join.join_type) for join in joins_of(select))
        self.keys: list[Key] = []
        self.hidden: dict[str, Any] = {}

    def read(self, ordering: Iterable[object]) -> None:
        """Read the keys of an ORDER BY.

        Raises:
            TypeError: it cannot be told what an item sorts by, or how.
        """
        for item in ordering:
            node = item.node if isinstance(item, Ordering) else item
            if not any(_is_same(bare(node), key.node) for key in self.keys if not key.collation):
                self._add(item)

    def add_unique(self, fields: Iterable[Any]) -> None:
        """Add the *fields* that tell rows apart, in the direction of the last key."""
        descending = bool(self.keys) and self.keys[-1].descending
        known = [key.node for key in self.keys if key.collation is None]
        for field in fields:
            if not any(_is_same(field, node) for node in known):
                self._add(field.desc() if descending else field)

    @property
    def is_unique(self) -> bool:
        """Whether one of the keys is of a unique column of the model."""
        return any(
            isinstance(key.node, Field)
            and not isinstance(key.node.model._meta.primary_key, peewee.CompositeKey)
            and _is_of(key.node, self._model)
            and (key.node.primary_key or key.node.unique)
            and not key.nullable
            and key.collation is None
            for key in self.keys
        )

    def _add(self, item: Any) -> None:
        node, direction, nulls, collation = item, "ASC", None, None
        if isinstance(item, Ordering):
            node, direction = item.node, item.direction.upper()
            nulls, collation = item.nulls, item.collation
        node, name = self._resolve(node)
        descending = direction == "DESC"
        nulls_first = descending if nulls is None else nulls.lower() == "first"
        if not name or collation is not None:
            name = f"{_HIDDEN}{len(self.keys)}"
            self.hidden[name] = node if collation is None else collate(node, collation)
        is_field = isinstance(node, Field)
        self.keys.append(
            Key(
                node,
                name,
                is_field and _is_indexed(node),
                descending,
                nulls_first,
                not (is_field and self._is_set(node)),
                collation,
                (_sign_of(node), descending, nulls_first, collation),
            )
        )

    def _resolve(self, node: Any) -> tuple[Any, str]:
        """Return the expression of an item of ORDER BY, and the column that holds its values."""
        if isinstance(node, SQL):
            matched = _NAME(node.sql)
            name = matched[1] if matched else ""
            for column in self._columns:
                if name and name_of(column) == name:
                    return bare(column), name
        node = bare(node)
        if not isinstance(node, peewee.ColumnBase) or (
            isinstance(node, SQL) and _ORDERED(node.sql)
        ):
            found = node.sql if isinstance(node, SQL) else node
            raise TypeError(
                f"a listing by cursors is ordered by {found!r:.100}, of which neither column nor "
                "direction can be told. Order it by fields and expressions of peewee: "
                "User.name, User.id.desc(), fn.LOWER(User.name).asc()."
            )
        names = (name_of(each) for each in self._columns if _is_same(bare(each), node))
        return node, next((name for name in names if name), "")

    def _is_set(self, field: Any) -> bool:
        """Whether *field* is never NULL."""
        return self._inner and not field.null


def joins_of(select: Any) -> Iterator[Any]:
    """Yield the joins of *select*, the last one first."""
    for source in getattr(select, "_from_list", ()):
        while isinstance(source, peewee.Join):
            yield source
            source = source.lhs


def primary_key_of(model: Any) -> tuple[Any, ...]:
    """Return the fields of the primary key of *model*, or of the alias of one."""
    return tuple(getattr(model, field.name) for field in model._meta.get_primary_keys())


def bare(node: Any) -> Any:
    """Return *node* without its alias."""
    return node.node if isinstance(node, peewee.Alias) else node


def name_of(column: Any) -> str:
    """Return the name of a *column* of a select; an empty text where only PostgreSQL knows it."""
    if isinstance(column, peewee.Alias):
        return str(column.name)
    if isinstance(column, Field):
        return str(column.column_name)
    return str(column.name) if isinstance(column, peewee.Column) else ""


def _is_of(field: Any, model: object) -> bool:
    return getattr(field, "source", field.model) is model


def _is_indexed(field: Any) -> bool:
    """Whether a unique index has *field*."""
    return field.unique or any(field.name == key.name for key in primary_key_of(field.model))


def _is_same(one: Any, other: Any) -> bool:
    """Whether two nodes are one column. NOTE: `==` would make an expression of them."""
    if one is other:
        return True
    if not (isinstance(one, Field) and isinstance(other, Field)):
        return False
    return _is_of(one, getattr(other, "source", other.model)) and one.name == other.name


def _sign_of(node: Any) -> object:
    """Return the signature of the expression *node*, which is the same in every process."""
    if isinstance(node, Field):
        meta = node.model._meta
        return (meta.schema, meta.table_name, node.column_name)
    return render(peewee.Select(columns=[node]))
