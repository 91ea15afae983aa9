"""The named schemas of a document, and their names. Runs at start-up.

Every schema that an operation names becomes a node, once for each `View`. Nodes that come out alike
share one component: `User` unless loading differs (`UserIn`) or a partial body does (`UserPatch`).
The meaning of a name does not depend on the operations that use it: the other views are rendered as
well, to compare with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

from apispec.ext.marshmallow.common import make_schema_key
from marshmallow import Schema
from marshmallow.utils import is_collection

from msframework.codec.known import DUMPS, LOADS, overrides
from msframework.openapi.converter import Converter, Partial, View
from msframework.schemas.description import DescribedSchema
from msframework.types import JSONObject, JSONValue

_NODE = "#/node/"
_ANONYMOUS = "GeneratedSchema"
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9._-]")


class Side(IntEnum):
    """Which way a component goes; the value is its rank when names are given."""

    DUMP = 0
    LOAD = 1
    PATCH = 2


_SUFFIX = {Side.DUMP: "", Side.LOAD: "In", Side.PATCH: "Patch"}


@dataclass(slots=True)
class Node:
    """One schema in one view. `base` is empty where the schema has no name of its own."""

    index: int
    base: str
    side: Side
    rank: tuple[int | str, ...]
    body: JSONObject = field(default_factory=dict)


class Registry:
    """Gathers nodes while operations are read, then names them and resolves the references."""

    def __init__(self, converter: Converter) -> None:
        self._converter = converter
        self._nodes: list[Node] = []
        self._known: dict[object, Node] = {}
        self._waiting: list[tuple[Node, Schema, View]] = []
        self._roots: set[int] = set()
        self._names: dict[int, str] = {}
        self._shared: dict[object, JSONObject] = {}
        self._resolved: dict[int, JSONObject] = {}
        converter.refer = self._refer_node

    def refer(self, schema: Schema, view: View) -> JSONObject:
        """Return a reference to *schema* in *view*, an array of it where it is `many`."""
        found = self._refer_node(schema, view)
        self._render_waiting()
        self._roots.add(_index_of(found["$ref"]))
        if not schema.many:
            return found
        most = getattr(schema, "max_items", None)  # of a body that a collection bounds
        return {"type": "array", "items": found} | ({} if most is None else {"maxItems": most})

    def refer_own(self, base: str, body: JSONObject) -> JSONObject:
        """Return a reference to *body*, a schema of the framework's own that is called *base*."""
        key = (base, json.dumps(body, sort_keys=True))
        if key not in self._known:
            # Ranked behind all others, so that a service's own schema keeps its name.
            self._known[key] = self._add(base, Side.DUMP, (2, key[1]))
            self._known[key].body = body
        node = self._known[key]
        self._roots.add(node.index)
        return {"$ref": f"{_NODE}{node.index}"}

    def share(self, key: object, make: Callable[[], JSONObject]) -> JSONObject:
        """Return the result of *make* for *key*; it stands in many places, resolved once."""
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = make()
        return found

    def inline(self, schema: Schema, view: View) -> JSONObject:
        """Return the body of *schema* itself, for places that take no reference (form bodies)."""
        body = self._converter.render(schema, view)
        self._render_waiting()
        self._roots.update(_references(body))
        return body

    def finish(self) -> dict[str, JSONObject]:
        """Name the schemas of the operations; return each component by name, leaves first."""
        same = self._classify()
        emitted = self._name(same)
        self._resolved = {id(part): self.resolve(part) for part in self._shared.values()}
        resolved = {name: self.resolve(node.body) for name, node in emitted.items()}
        return {name: resolved[name] for name in _leaves_first(resolved)}

    def resolve(self, value: JSONValue, within: frozenset[int] = frozenset()) -> JSONValue:
        """Return *value* with every node replaced: by its component's name, or by its body."""
        if isinstance(value, list):
            return [self.resolve(item, within) for item in value]
        if not isinstance(value, dict):
            return value
        if id(value) in self._resolved:
            return self._resolved[id(value)]
        rest = {key: self.resolve(item, within) for key, item in value.items() if key != "$ref"}
        reference = value.get("$ref")
        if not (isinstance(reference, str) and reference.startswith(_NODE)):
            return rest if reference is None else {"$ref": reference, **rest}
        index = _index_of(reference)
        if index in self._names:
            return {"$ref": f"#/components/schemas/{self._names[index]}", **rest}
        if index in within:  # a nameless schema inside itself ends here
            return {"type": "object", **rest}
        return {**self.resolve(self._nodes[index].body, within | {index}), **rest}

    def _add(self, base: str, side: Side, rank: tuple[int | str, ...]) -> Node:
        node = Node(len(self._nodes), base, side, rank)
        self._nodes.append(node)
        return node

    def _refer_node(self, schema: Schema, view: View) -> JSONObject:
        if view.load and view.partial is False and schema.partial:
            view = replace(view, partial=_partial(schema.partial))
        elif not view.load:
            view = replace(view, partial=False)
        key = (make_schema_key(schema), schema.unknown, view)
        if key not in self._known:
            side = Side.DUMP if not view.load else Side.PATCH if view.partial else Side.LOAD
            node = self._known[key] = self._add(_base_name(schema), side, _rank(schema))
            self._waiting.append((node, schema, view))
            if view.load:
                self._refer_node(schema, View(unknown=view.unknown))
            if view.partial and not schema.partial:
                self._refer_node(schema, replace(view, partial=False))
        return {"$ref": f"{_NODE}{self._known[key].index}"}

    def _render_waiting(self) -> None:
        while self._waiting:
            node, schema, view = self._waiting.pop()
            if overrides(schema, *(LOADS if view.load else DUMPS)):
                node.body = self._converter.render_texts(schema)
            else:
                node.body = self._converter.render(schema, view)

    def _classify(self) -> list[int]:
        """Return a class for each node; nodes of one class are alike, references included.

        Partition refinement: all of one name are alike until their bodies show a difference.
        """
        same = _numbered([node.base for node in self._nodes])
        while True:
            signs = []
            for node in self._nodes:
                body = _with_classes(node.body, same)
                signs.append((same[node.index], json.dumps(body, sort_keys=True)))
            finer = _numbered(signs)
            if max(finer, default=0) == max(same, default=0):
                return finer
            same = finer

    def _name(self, same: list[int]) -> dict[str, Node]:
        used = self._reachable()
        groups: dict[int, list[Node]] = {}
        for node in self._nodes:
            groups.setdefault(same[node.index], []).append(node)
        order = sorted(
            (
                min(node.rank for node in group),
                min(node.side for node in group),
                min(node.side for node in group if node.index in used),
                self._sign(group[0]),
                number,
            )
            for number, group in groups.items()
            if group[0].base and any(node.index in used for node in group)
        )
        emitted: dict[str, Node] = {}
        for _, side, used_side, _, number in order:
            group = groups[number]
            name = next(n for n in _candidates(group[0].base, side, used_side) if n not in emitted)
            emitted[name] = next(node for node in group if node.index in used)
            self._names.update((node.index, name) for node in group)
        return emitted

    def _sign(self, node: Node) -> str:
        """Return the body of *node* as text, independent of the order in which nodes were made."""
        return json.dumps(_with_classes(node.body, [other.base for other in self._nodes]))

    def _reachable(self) -> set[int]:
        found: set[int] = set()
        waiting = sorted(self._roots)
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting.extend(_references(self._nodes[index].body))
        return found


def _partial(value: object) -> Partial:
    return frozenset(value) if is_collection(value) else bool(value)


def _base_name(schema: Schema) -> str:
    """Return `User` for `UserSchema`; nothing for one made from a dict, written in place."""
    name = type(schema).__name__
    if name == _ANONYMOUS:
        return ""
    return _NOT_A_NAME.sub("_", name.removesuffix("Schema") or name)


def _rank(schema: Schema) -> tuple[int | str, ...]:
    """Return the rank among schemas that want one name: the unmodified first, then A to Z."""
    options = schema.opts
    only = "" if schema.only is None else ",".join(sorted(schema.only))
    changes = [
        ",".join(sorted(set(getattr(schema, name)) - set(getattr(options, name))))
        for name in ("exclude", "load_only", "dump_only")
    ]
    modified = bool(only or any(changes))
    cls = type(schema)
    foreign = issubclass(cls, DescribedSchema)  # an API class: another service's object
    return (int(modified), int(foreign), cls.__module__, cls.__qualname__, only, *changes)


def _candidates(base: str, side: Side, used_side: Side) -> Iterator[str]:
    yield base + _SUFFIX[side]
    yield base + _SUFFIX[used_side]
    number = 2
    while True:
        yield f"{base}{_SUFFIX[used_side]}{number}"
        number += 1


def _numbered(signs: Iterable[object]) -> list[int]:
    numbers: dict[object, int] = {}
    return [numbers.setdefault(sign, len(numbers)) for sign in signs]


def _index_of(reference: str) -> int:
    return int(reference.removeprefix(_NODE))


def _with_classes(value: JSONValue, same: Sequence[object]) -> JSONValue:
    if isinstance(value, list):
        return [_with_classes(item, same) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: same[_index_of(item)]
        if key == "$ref" and isinstance(item, str) and item.startswith(_NODE)
        else _with_classes(item, same)
        for key, item in value.items()
    }


def _references(value: JSONValue, start: str = _NODE) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item, start)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref" and isinstance(item, str) and item.startswith(start):
                name = item.removeprefix(start)
                yield int(name) if start == _NODE else name
            else:
                yield from _references(item, start)


def _leaves_first(bodies: dict[str, JSONObject]) -> Iterable[str]:
    placed: dict[str, None] = {}
    entered: set[str] = set()

    def place(name: str) -> None:
        if name in entered:  # placed already, or part of a circle
            return
        entered.add(name)
        for inner in _references(bodies[name], "#/components/schemas/"):
            place(inner)
        placed[name] = None

    for name in sorted(bodies):
        place(name)
    return placed
