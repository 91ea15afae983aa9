"""The shape of a peewee query: all of it but its values.

Two queries of one shape have one SQL text, so that is rendered once. A shape is read in a fraction
of the time that peewee takes to render. What isn't on the list here, a class of nodes or the name
of one of their attributes, has no shape, and is rendered every time. Runs per query.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import peewee
from peewee import Field, Model
from playhouse import postgres_ext

from msframework.models.layout import NoShape, Reader, Shape, build_reader, find_class, unknown

_MOST_ROWS: Final = (
    50  # an INSERT of more is rendered every time: its shape would hardly come again
)
_ASSIGNED: Final = (list, dict, tuple)
_FIELD_ALIAS: Final = find_class(peewee, "FieldAlias") or ()
_FIELD_ALIAS_NAMES: Final = frozenset(("source", "model", "field"))
_JSON_NAMES: Final = ("value", "dumps")
_VALUE_NAMES: Final = ("value", "converter", "multi", "values")
_TABLE_NAMES: Final = (
    "__name__",
    "_alias",
    "_columns",
    "_model",
    "_path",
    "_primary_key",
    "_schema",
)
# What a table's other attributes say already, or what has no part in a text.
_TABLE_DERIVED: Final = frozenset(("_database", "_hash", "c", "primary_key"))

# PERF: dispatch on the exact class; a ladder of isinstance costs more than what it saves
# (benchmarks/shapes.py).
_READERS: dict[type | None, Reader] = {}


def read_shape(query: object) -> Shape:
    """Return the shape of *query*.

    Raises:
        NoShape: it has a part that isn't known here.
    """
    shape = Shape()
    _read(shape, query)
    return shape


def _read(shape: Shape, thing: object) -> None:
    """Read a node, or a value in a place where it becomes an argument."""
    reader = _READERS.get(thing.__class__)
    if reader is not None:
        reader(shape, thing)
    elif isinstance(thing, _FIELD_ALIAS):
        _read_field_alias(shape, thing)
    elif isinstance(thing, Field):
        shape.pin(thing)
    elif isinstance(thing, type) and issubclass(thing, Model):
        _read_model(shape, thing)
    else:
        raise NoShape(type(thing).__name__)


def _read_model(shape: Shape, model: Any) -> None:
    # NOTE: a service may give a model another table or schema at any time (peewee,
    # "Dynamically specifying tables").
    meta = model._meta
    shape.pin(model)
    shape.key += (meta.schema, meta.table_name)


def _read_none(shape: Shape, thing: None) -> None:
    shape.key.append(None)


def _read_leaf(shape: Shape, thing: object) -> None:
    shape.key.append(thing.__class__)
    shape.leaves.append(thing)


def _read_many(shape: Shape, things: Iterable[object]) -> None:
    things = list(things)
    shape.key.append(len(things))
    for thing in things:
        _read(shape, thing)


def _read_names(shape: Shape, things: Iterable[object]) -> None:
    """Read columns, some of which may be given as texts, and which are no arguments then."""
    things = list(things)
    shape.key.append(len(things))
    for thing in things:
        if thing.__class__ is str:
            shape.key.append(thing)
        else:
            _read(shape, thing)


def _read_assignments(shape: Shape, assigned: dict[object, object]) -> None:
    """Read a dict of columns and values."""
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


def _read_value(shape: Shape, node: object) -> None:
    held = node.__dict__
    if tuple(held) != _VALUE_NAMES:
        raise unknown(node.__class__, held)
    shape.key.append(node.__class__)
    _read_converter(shape, held["converter"])
    if held["multi"]:
        _read_many(shape, held["values"] or ())
    elif held["value"] is None:
        shape.key.append(None)
    else:
        _read_leaf(shape, held["value"])


def _read_json(shape: Shape, node: object) -> None:
    held = node.__dict__
    if tuple(held) != _JSON_NAMES:
        raise unknown(node.__class__, held)
    if held["dumps"] is not json.dumps:
        raise NoShape("a dumps of one's own")
    shape.key.append(node.__class__)
    if held["value"] is None:
        shape.key.append(None)
    else:
        _read_leaf(shape, held["value"])


def _read_converter(shape: Shape, converter: object) -> None:
    if converter is None or converter is False:
        shape.key.append(converter)
        return
    owner = getattr(converter, "__self__", None)
    if owner is None:
        shape.pin(converter)
        return
    # A method is made anew each time that it is read of its object.
    shape.pin(owner)
    function = getattr(converter, "__func__", None)
    if function is None:
        shape.key.append(getattr(converter, "__name__", ""))
    else:
        shape.pin(function)


def _read_field_alias(shape: Shape, alias: object) -> None:
    held = alias.__dict__
    if held.keys() != _FIELD_ALIAS_NAMES:
        raise unknown(alias.__class__, held)
    shape.key.append(_FIELD_ALIAS)
    shape.pin(held["field"])
    _read(shape, held["source"])


def _read_model_alias(shape: Shape, alias: object) -> None:
    """Read the alias of a model, which remembers those of its fields under their names."""
    shape.key.append(alias.__class__)
    number = shape.seen.get(id(alias))
    if number is not None:
        shape.key.append(number)
        return
    shape.seen[id(alias)] = len(shape.seen)
    held = dict(alias.__dict__)
    _read(shape, held.pop("model", None))
    _read_fact(shape, held.pop("alias", None))
    if not all(isinstance(each, _FIELD_ALIAS) for each in held.values()):
        raise unknown(alias.__class__, held)


def _read_namespace(shape: Shape, namespace: object) -> None:
    name = getattr(namespace, "_name", None)
    if name.__class__ is not str or namespace.__dict__:
        raise unknown(namespace.__class__, ("_name",))
    shape.key.append(name)


def _read_table(shape: Shape, table: object) -> None:
    """Read a table, which has its columns under their names."""
    held = dict(table.__dict__)
    for name in (*(held.get("_columns") or ()), *_TABLE_DERIVED):
        held.pop(name, None)
    if sorted(held) != list(_TABLE_NAMES):
        raise unknown(table.__class__, held)
    shape.key.append(table.__class__)
    _read(shape, held.pop("_model"))
    for name in _TABLE_NAMES:
        _read_fact(shape, held.get(name))


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


def _read_flag(shape: Shape, thing: object) -> None:
    shape.key.append(bool(thing))


def _reader(
    nodes: str,
    facts: str = "",
    *,
    names: str = "",
    assigned: str = "",
    unsaid: str = "",
    numbered: bool = False,
    **others: Reader,
) -> Reader:
    """Return the reader of a class of nodes, by the names of its attributes.

    Args:
        nodes: other nodes, and values that become arguments.
        facts: what the text says as it is.
        names: columns, some of them as texts.
        assigned: dicts of columns and values.
        unsaid: what the text doesn't depend on.
        numbered: it may stand in several places of a query, where its alias tells it apart.
        others: attributes with a reader of their own.
    """
    readers: dict[str, Reader | None] = {"_coerce": _read_flag, "_converter": None, **others}
    readers |= dict.fromkeys(nodes.split(), _read)
    readers |= dict.fromkeys(facts.split(), _read_fact)
    readers |= dict.fromkeys(names.split(), _read_names)
    readers |= dict.fromkeys(assigned.split(), _read_assignments)
    readers |= dict.fromkeys(unsaid.split())
    return build_reader(readers, numbered=numbered)


_QUERY = "_cte_list _where _order_by _limit _offset "
_SELECT = _QUERY + "_returning _from_list _group_by _having _windows _distinct _for_update "
# What runs a query, and what its rows become.
_ROWS = "_cursor_wrapper _row_type _constructor "
_READING = _ROWS + "_database _hash _load_tree _join_ctx _joins "
_WRITING = _ROWS + "_return_cursor model "

_NODES: Final[dict[str, Reader]] = {
    "Value": _read_value,
    "ModelAlias": _read_model_alias,
    "Table": _read_table,
    "ModelInsert": _reader(
        "table _returning _on_conflict _cte_list",
        names="_columns",
        unsaid=_WRITING + "_as_rowcount _where _order_by _limit _offset",
        _insert=_read_inserted,
        _database=Shape.pin,  # it writes an INSERT of defaults alone
    ),
    "NamespaceAttribute": _reader("", "_attribute", _namespace=_read_namespace),
    "ModelSelect": _reader(
        _SELECT + "model",
        "_simple_distinct _lateral _alias _is_default",
        unsaid=_READING,
        numbered=True,
    ),
    "Select": _reader(_SELECT, "_simple_distinct _lateral _alias", unsaid=_READING, numbered=True),
    "ModelCompoundSelectQuery": _reader(
        _QUERY + "lhs rhs", "op _alias", unsaid=_READING + "model", numbered=True
    ),
    "CTE": _reader(
        "_query _columns", "_alias _recursive _materialized", unsaid="_hash", numbered=True
    ),
    "ModelUpdate": _reader(
        _QUERY + "table _returning _from", assigned="_update", unsaid=_WRITING + "_database"
    ),
    "ModelDelete": _reader(_QUERY + "table _returning", unsaid=_WRITING + "_database"),
    "OnConflict": _reader(
        "_where _conflict_where",
        "_action _conflict_constraint",
        names="_preserve _conflict_target",
        assigned="_update",
    ),
    "Join": _reader("lhs rhs _on", "join_type _alias"),
    "Column": _reader("source", "name"),
    "Entity": _reader("", "_path"),
    "Star": _reader("source"),
    "Expression": _reader("lhs rhs", "op flat"),
    "StringExpression": _reader("lhs rhs", "op flat"),
    "Ordering": _reader("node", "direction collation nulls"),
    "Alias": _reader("node", "_alias"),
    "Cast": _reader("node", "_cast"),
    "Negated": _reader("node"),
    "QualifiedNames": _reader("node", "_scope"),
    "Function": _reader("arguments _filter _order_by", "name", unsaid="_python_value"),
    "NodeList": _reader("nodes", "glue parens"),
    "SQL": _reader("params", "sql"),
    "Case": _reader("predicate expression_tuples default"),
    "Window": _reader(
        "partition_by order_by start end _exclude", "frame_type _alias _inline _extends"
    ),
    "WindowAlias": _reader("window"),
    "ForUpdate": _reader("_of", "_expr _nowait _skip_locked"),
    "JSONPath": _reader("_field", "_keys _as_text"),
}
_LEAVES: Final = (str, int, float, bool, bytes, Decimal, datetime, date, time, timedelta, UUID)

_READERS.update({type(None): _read_none, list: _read_many, tuple: _read_many})
_READERS.update(dict.fromkeys(_LEAVES, _read_leaf))
_READERS.update({find_class(peewee, name): reader for name, reader in _NODES.items()})
_READERS.update({find_class(postgres_ext, "Json"): _read_json})
# PERF: the class of models, which would come last on the ladder (benchmarks/shapes.py).
_READERS[type(Model)] = _read_model
