"""Names of operations that people can read, each by the declarations of its own blueprint.

    books      at /               at /<id>          at /<id>/reviews    at /<id>/lend, post alone
    GET        books_list         books_read        books_reviews_list
    POST       books_create                         books_reviews_create  books_lend
    PUT                           books_replace
    PATCH                         books_update
    DELETE                        books_delete

A GET of a path that ends in no parameter and answers one object is `read`. Functions are called as
their author called them, behind the blueprint's name. Neither other blueprints nor settings change
a name. Runs at start-up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

from marshmallow import Schema

from msframework._place import origin_of
from msframework.doc import notes_of
from msframework.operation import path_params
from msframework.resource import METHODS, Resource

_NOT_A_WORD: Final = re.compile(r"\W+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_VERBS: Final = {"POST": "create", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}


class Named(Protocol):
    """The facts that an operation id is made of, and the id."""

    id: str

    @property
    def method(self) -> str: ...
    @property
    def handler(self) -> object: ...
    @property
    def blueprint(self) -> str: ...
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def name_operations(endpoints: Sequence[N]) -> None:
    """Give each of *endpoints* its id; those of one blueprint that want the same are told apart."""
    _settle(endpoints, _usual_id)
    for tell_apart in (_by_parameters, _by_class):
        wanted: dict[tuple[str, str], list[N]] = {}
        for endpoint in endpoints:
            if not notes_of(endpoint.handler).operation_id:
                wanted.setdefault((endpoint.blueprint, endpoint.id), []).append(endpoint)
        _settle((one for alike in wanted.values() if len(alike) > 1 for one in alike), tell_apart)


def operation_id(blueprint: str, name: str) -> str:
    """Return the id of an operation by the name of its function, or of its class and method."""
    return _words(f"{blueprint}.{name}".strip("."))


def _settle(endpoints: Iterable[Named], make: Callable[[Named], str]) -> None:
    for endpoint in endpoints:
        endpoint.id = make(endpoint)


def _usual_id(endpoint: Named) -> str:
    owner = getattr(endpoint.handler, "__self__", None)
    if not isinstance(owner, Resource):
        return operation_id(endpoint.blueprint, endpoint.name)
    steps = [step for step in _path_of(endpoint, owner).split("/") if step]
    is_item = bool(steps) and steps[-1].startswith("<")
    nouns = [_words(step) for step in steps if not step.startswith("<")]
    if nouns and nouns[0] == _words(endpoint.blueprint):
        del nouns[0]
    if endpoint.method == "GET":
        verb = "read" if is_item or _answers_one(endpoint.handler) else "list"
    else:
        verb = _VERBS.get(endpoint.method, endpoint.method.lower())
    only_posts = [method for method in METHODS if hasattr(owner, method)] == ["post"]
    if nouns and only_posts and not is_item and any(step.startswith("<") for step in steps):
        verb = nouns.pop()
    return "_".join(filter(None, [_words(endpoint.blueprint), *nouns, verb]))


def _path_of(endpoint: Named, owner: Resource) -> str:
    """Return the path that *endpoint* is mounted at, below its blueprint's."""
    origin = origin_of(endpoint.handler)
    return owner.mounted_at if origin is None else origin.mounted_at


def _by_parameters(endpoint: Named) -> str:
    owner = getattr(endpoint.handler, "__self__", None)
    if not isinstance(owner, Resource):
        return endpoint.id
    names = [param.name for param in path_params(_path_of(endpoint, owner))]
    return f"{endpoint.id}_by_{_words('_and_'.join(names))}" if names else endpoint.id


def _by_class(endpoint: Named) -> str:
    return operation_id(endpoint.blueprint, endpoint.name)


def _answers_one(handler: object) -> bool:
    """Whether *handler* declares that it answers one object, no list."""
    notes = notes_of(handler)
    if notes.page is not None or not notes.produces:
        return False
    thing = notes.produces[0][1]
    is_list = isinstance(thing, (list, tuple)) or (isinstance(thing, Schema) and bool(thing.many))
    return thing is not None and not is_list


def _words(text: str) -> str:
    return _NOT_A_WORD.sub("_", _CAMEL.sub("_", text)).strip("_").lower()
