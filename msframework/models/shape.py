"""The shape of a peewee query: all of it but its values.

Two queries of one shape have one SQL text, so that is rendered once. A shape is read in a fraction
of the time that peewee takes to render. What isn't on the list here has no shape, and is rendered
every time. Runs per query.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import peewee
from peewee import Field, FieldAlias, ModelAlias, Value
from playhouse.postgres_ext import Json

_MOST_ROWS = 50  # an INSERT of more is rendered every time: its shape would hardly come again


class NoShape(Exception):
    """The query has a part that isn't known here."""


class Shape:
    """What was read of one query.

    Attributes:
        key: equal for queries whose text is the same.
        leaves: the values, which become arguments.
        pins: what the key knows by its id, and what must therefore live as long as the key.
    """

    __slots__ = ("key", "leaves", "pins", "seen")

    def __init__(self) -> None:
        self.key: list[Any] = []
        self.leaves: list[Any] = []
        self.pins: list[Any] = []
        self.seen: dict[int, int] = {}

    def pin(self, thing: Any) -> None:
        """Put *thing* into the key by its identity."""
        self.key.append(id(thing))
        self.pins.append(thing)


Reader = Callable[[Shape, Any], None]
# PERF: dispatch on the exact class; a ladder of isinstance costs more than what it saves
# (benchmarks/render.py).
_READERS: dict[type, Reader] = {}


def read_shape(query: Any) -> Shape:
    """Return the shape of *query*.

    Raises:
        NoShape: it has a part that isn't known here.
    """
    shape = Shape()
    _read(shape, query)
    return shape


def _read(shape: Shape, thing: Any) -> None:
    """Read a node, or a value in a place where it becomes an argument."""
    reader = _READERS.get(thing.__class__)
    if reader is not None:
        reader(shape, thing)
    elif isinstance(thing, FieldAlias):
        shape.key.append(FieldAlias)
        shape.pin(thing.field)
        _read(shape, thing.source)
    elif isinstance(thing, Field) or (isinstance(thing, type) and issubclass(thing, peewee.Model)):
        shape.pin(thing)
    else:
        raise NoShape(type(thing).__name__)


def _read_none(shape: Shape, thing: None) -> None:
    shape.key.append(None)


def _read_leaf(shape: Shape, thing: Any) -> None:
    shape.key.append(thing.__class__)
    shape.leaves.append(thing)


def _read_many(shape: Shape, things: Iterable[Any]) -> None:
    things = list(things)
    shape.key.append(len(things))
    for thing in things:
        _read(shape, thing)


def _read_names(shape: Shape, things: Any) -> None:
    """Read columns, some of which may be given as texts, and which are no arguments then."""
    if things is None:
        shape.key.append(None)
        return
    things = list(things)
    shape.key.append(len(things))
    for thing in things:
        if thing.__class__ is str:
            shape.key.append(thing)
        else:
            _read(shape, thing)


def _read_assignments(shape: Shape, assigned: Any) -> None:
    """Read a dict of columns and values."""
    if assigned is None:
        shape.key.append(None)
        return
    if assigned.__class__ is not dict:
        raise NoShape(type(assigned).__name__)
    _read_names(shape, assigned)
    for thing in assigned.values():
        # NOTE: a list in an assignment is one value, a list elsewhere is several.
        if thing.__class__ in _ASSIGNED:
            _read_leaf(shape, thing)
        else:
            _read(shape, thing)


def _read_inserted(shape: Shape, rows: Any) -> None:
    """Read what an INSERT holds: a dict, several, or a query."""
    if rows.__class__ is not list:
        if rows.__class__ is dict:
            _read_assignments(shape, rows)
        else:
            _read(shape, rows)
        return
    if len(rows) > _MOST_ROWS:
        raise NoShape("many rows")
    shape.key.append(len(rows))
    for row in rows:
        _read_assignments(shape, row)


def _read_value(shape: Shape, value: Value) -> None:
    shape.key.append(Value)
    _read_converter(shape, value.converter)
    if value.multi:
        _read_many(shape, value.values or ())
    elif value.value is None:
        shape.key.append(None)
    else:
        _read_leaf(shape, value.value)


def _read_json(shape: Shape, node: Json) -> None:
    if node.dumps is not json.dumps:
        raise NoShape("a dumps of one's own")
    shape.key.append(Json)
    if node.value is None:
        shape.key.append(None)
    else:
        _read_leaf(shape, node.value)


def _read_converter(shape: Shape, converter: Any) -> None:
    if converter is None or converter is False:
        shape.key.append(converter)
        return
    owner = getattr(converter, "__self__", None)
    shape.pin(converter if owner is None else owner)
    shape.key.append(getattr(converter, "__name__", ""))


def _read_fact(shape: Shape, thing: Any) -> None:
    """Read what the text of the query says as it is: an operator, a name, a flag."""
    if thing.__class__ in (list, tuple):
        shape.key.append(len(thing))
        for item in thing:
            _read_fact(shape, item)
    elif thing is None or thing.__class__ in (str, bool, int):
        # NOTE: 1 and True are equal, and must not be here.
        shape.key.append(thing.__class__)
        shape.key.append(thing)
    else:
        raise NoShape(type(thing).__name__)


def _build_reader(
    nodes: str, facts: str = "", *, names: str = "", assigned: str = "", numbered: bool = False
) -> Reader:
    """Return the reader of a class of nodes, by the names of its attributes.

    Args:
        nodes: other nodes, and values that become arguments.
        facts: what the text says as it is.
        names: columns, some of them as texts.
        assigned: dicts of columns and values.
        numbered: it may stand in several places of a query, where its alias tells it apart.
    """
    node_names, fact_names = tuple(nodes.split()), tuple(facts.split())
    column_names, assigned_names = tuple(names.split()), tuple(assigned.split())

    def read(shape: Shape, node: Any) -> None:
        key = shape.key
        key.append(node.__class__)
        held = node.__dict__
        if numbered:
            known = shape.seen.get(id(node))
            if known is not None:
                key.append(known)
                return
            shape.seen[id(node)] = len(shape.seen)
        if "_coerce" in held:
            key.append(held["_coerce"])
        for name in fact_names:
            _read_fact(shape, held.get(name))
        for name in node_names:
            _read(shape, held.get(name))
        for name in column_names:
            _read_names(shape, held.get(name))
        for name in assigned_names:
            _read_assignments(shape, held.get(name))

    return read


def _read_insert(shape: Shape, query: Any) -> None:
    _HEAD_OF_INSERT(shape, query)
    _read_inserted(shape, query._insert)


def _read_namespace(shape: Shape, node: Any) -> None:
    shape.key.append(node._namespace._name)
    _read_fact(shape, node._attribute)


_QUERY = "_cte_list _where _order_by _limit _offset "
_SELECT = _QUERY + "_returning _from_list _group_by _having _windows _distinct _for_update"
_HEAD_OF_INSERT = _build_reader("table _returning _on_conflict _cte_list", names="_columns")
_ASSIGNED = (list, dict, tuple)

_READERS.update(
    {
        type(None): _read_none,
        list: _read_many,
        tuple: _read_many,
        Value: _read_value,
        Json: _read_json,
        peewee.ModelInsert: _read_insert,
        peewee.NamespaceAttribute: _read_namespace,
        ModelAlias: _build_reader("model", "alias", numbered=True),
        peewee.ModelSelect: _build_reader(
            _SELECT, "_simple_distinct _lateral _alias _is_default", numbered=True
        ),
        peewee.Select: _build_reader(_SELECT, "_simple_distinct _lateral _alias", numbered=True),
        peewee.ModelCompoundSelectQuery: _build_reader(
            _QUERY + "lhs rhs", "op _alias", numbered=True
        ),
        peewee.CTE: _build_reader(
            "_query _columns", "_alias _recursive _materialized", numbered=True
        ),
        peewee.ModelUpdate: _build_reader(_QUERY + "table _returning _from", assigned="_update"),
        peewee.ModelDelete: _build_reader(_QUERY + "table _returning"),
        peewee.OnConflict: _build_reader(
            "_where _conflict_where",
            "_action _conflict_constraint",
            names="_preserve _conflict_target",
            assigned="_update",
        ),
        peewee.Table: _build_reader("_model", "_path _alias"),
        peewee.Join: _build_reader("lhs rhs _on", "join_type _alias"),
        peewee.Column: _build_reader("source", "name"),
        peewee.Entity: _build_reader("", "_path"),
        peewee.Star: _build_reader("source"),
        peewee.Expression: _build_reader("lhs rhs", "op flat"),
        peewee.StringExpression: _build_reader("lhs rhs", "op flat"),
        peewee.Ordering: _build_reader("node", "direction collation nulls"),
        peewee.Alias: _build_reader("node", "_alias"),
        peewee.Cast: _build_reader("node", "_cast"),
        peewee.Negated: _build_reader("node"),
        peewee.QualifiedNames: _build_reader("node", "_scope"),
        peewee.Function: _build_reader("arguments _filter _order_by", "name"),
        peewee.NodeList: _build_reader("nodes", "glue parens"),
        peewee.SQL: _build_reader("params", "sql"),
        peewee.Case: _build_reader("predicate expression_tuples default"),
        peewee.Window: _build_reader(
            "partition_by order_by start end _exclude", "frame_type _alias _inline _extends"
        ),
        peewee.WindowAlias: _build_reader("window"),
        peewee.ForUpdate: _build_reader("_of", "_expr _nowait _skip_locked"),
        peewee.JSONPath: _build_reader("_field", "_keys _as_text"),
    }
)
for _kind in (str, int, float, bool, bytes, Decimal, datetime, date, time, timedelta, UUID):
    _READERS[_kind] = _read_leaf
