"""`Remote`: objects of other services that are answered within a row, as collections declare them.

Read at start-up.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import peewee
from marshmallow import Schema

from msframework.client import Client
from msframework.client.address import Address
from msframework.client.plan import split_path
from msframework.collection.batches import Batch
from msframework.collection.expansion import BatchedExpansion
from msframework.collection.remote_calls import RemoteBatch, RemoteCalls, RemoteSource
from msframework.exceptions import ImproperlyConfigured
from msframework.headers import FRAMING, TOKEN
from msframework.models.key import referenced_field
from msframework.problem import Problem
from msframework.schemas import as_schema
from msframework.types import SchemaSource

MOST: Final = 100
_KEYS: Final = (peewee.CharField, peewee.IntegerField, peewee.TextField, peewee.UUIDField)
_NO_SCHEMA: Final = (TypeError, ValueError, ImproperlyConfigured)
_is_token = re.compile(TOKEN).fullmatch
# Parameters of a call, which no name in a path can be.
_OPTIONS: Final = frozenset(inspect.signature(Client.call).parameters)
# Headers of one message or one connection (RFC 9110, 7.6.1 and 8).
_UNSHARED: Final = FRAMING.union(
    ("accept-encoding", "content-encoding", "content-type", "expect", "host")
)


class Remote(BatchedExpansion):
    """An object of another service that is answered within a row, beside its key.

        expand = {
            "city": Remote("regions", "/cities/", key="city_id", schema=CityApi),
            "role": Remote("roles", "/roles/{id}", key="role_id", schema=RoleApi),
        }

    A path without a parameter is that of a list, which is asked for all keys of an answer at once:
    `GET /cities/?id__in=1,2&per_page=2`, without `per_page` where the path has a query of its own.
    A path with one is that of an object, and is asked once for each key. Where the other service
    has no such object, it is null.

    Args:
        service: the name of the other service, as in `SERVICES`.
        path: the path of its list, or that of one object: `/roles/{id}`.
        key: the column that holds the key.
        schema: the object: an API class, a Schema, a model or a dict such as `{"id": int}`.
        by: the member of the objects of a list that is their key, by which it is filtered.
        forward: the headers of the request that are passed on; none by default.
        always: whether it is answered without being asked for.
        batch_size: how many keys a list is asked for at once.
        at_once: how many calls run at the same time.
        timeout: seconds for all calls of one answer together.
    """

    __slots__ = ("key", "source")

    def __init__(
        self,
        service: str,
        path: str,
        *,
        key: str,
        schema: SchemaSource,
        by: str = "id",
        forward: Sequence[str] = (),
        always: bool = False,
        batch_size: int = MOST,
        at_once: int = 8,
        timeout: float = 5.0,
    ) -> None:
        described: Any = schema
        with suppress(*_NO_SCHEMA):  # `why_wrong` tells it, with all other mistakes
            described = as_schema(schema, where="Remote", for_load=False)
        super().__init__(described, scope=None, always=always)
        self.key = key
        self.source = RemoteSource(
            service, path, by, forward, batch_size, at_once, timeout, described
        )

    def why_wrong(self, model: type[peewee.Model]) -> tuple[str, ...]:
        """Return the first mistake, what is expected and what to do; nothing without one."""
        return next(_mistakes(self, model), ())

    def find_key(self, model: type[peewee.Model]) -> peewee.Field:
        """Return the column of *model* that holds the key."""
        found: peewee.Field = model._meta.combined[self.key]
        return found

    def batch(self, path: str, model: type[peewee.Model]) -> Batch:
        """Return the batch that asks for the objects at *path* of rows of *model*."""
        return RemoteBatch(path, self.find_key(model), self.always, RemoteCalls(self.source))


class _Number(NamedTuple):
    """The bounds of an option."""

    name: str
    least: float
    most: float
    kinds: tuple[type, ...]


_NUMBERS: Final = (
    _Number("batch_size", 1, MOST, (int,)),
    _Number("at_once", 1, MOST, (int,)),
    _Number("timeout", 0.001, 60, (int, float)),
)


def find_unknown_services(blueprints: Iterable[object], clients: object) -> Iterator[Problem]:
    """Yield the objects among *blueprints* of services that *clients* lack.

    Nothing is checked where a part that replaces the clients is no mapping.
    """
    if not isinstance(clients, Mapping):
        return
    names = sorted(clients)
    classes = [cls for each in blueprints for cls in getattr(each, "collections", ())]
    for cls in classes:
        expand = getattr(cls, "expand", {})
        for path, given in expand.items() if isinstance(expand, Mapping) else ():
            if isinstance(given, Remote) and given.source.service not in names:
                yield Problem(
                    cls.__qualname__,
                    f"expand[{path!r}] asks {given.source.service!r}, which SERVICES lacks",
                    f"one of {', '.join(names)}" if names else "",
                    f"Write SERVICES = {{{given.source.service!r}: {{'url': …}}}} in the settings.",
                )


Mistake = tuple[str, str, str]


def _mistakes(given: Remote, model: type[peewee.Model]) -> Iterator[Mistake]:
    """Yield the mistakes of one declaration: what was found, what is expected, what to do."""
    source: Any = given.source
    yield from _wrong_key(given.key, model)
    if not isinstance(source.service, str) or not source.service:
        yield f"is of the service {source.service!r:.100}", "a name in SERVICES", ""
    yield from _wrong_path(source.path)
    if not isinstance(source.by, str) or not source.by:
        yield f"has by={source.by!r:.100}", "the name of a member of the other objects", ""
    yield from _wrong_forward(source.forward)
    for each in _NUMBERS:
        value = getattr(source, each.name)
        right = isinstance(value, each.kinds) and not isinstance(value, bool)
        if not right or not each.least <= value <= each.most:
            found = f"has {each.name}={value!r:.100}"
            yield found, f"a number from {each.least:g} to {each.most:g}", ""
    yield from _wrong_schema(source.schema)


def _wrong_schema(schema: Any) -> Iterator[Mistake]:
    if not isinstance(schema, Schema):
        try:
            as_schema(schema, where="its schema", for_load=False)
        except _NO_SCHEMA as exc:
            yield "cannot be shown", "", str(exc)
    elif schema.many:
        yield "has the schema of a list", "that of one object", ""


def _wrong_key(key: Any, model: type[peewee.Model]) -> Iterator[Mistake]:
    fields = model._meta.combined
    if not isinstance(key, str) or key not in fields:
        columns = ", ".join(field.column_name for field in model._meta.sorted_fields)
        yield f"has the key {key!r:.100}, no column of {model.__name__}", f"one of {columns}", ""
    elif not _is_written_alike(fields[key]):
        found = f"has the key {key!r}, a {type(fields[key]).__name__}"
        yield found, "a column of integers, texts or UUIDs", ""


def _is_written_alike(field: peewee.Field) -> bool:
    """Tell whether the values of a column have one text, whoever writes it."""
    key = referenced_field(field)
    # NOTE: PostgreSQL fills character(n) up with blanks.
    return isinstance(key, _KEYS) and not isinstance(key, peewee.FixedCharField)


def _wrong_path(path: Any) -> Iterator[Mistake]:
    expected = "a path such as '/cities/', or '/roles/{id}' with one parameter"
    if not isinstance(path, str) or path[:1] != "/" or path[:2] == "//":
        yield f"has the path {path!r:.100}", expected, ""
        return
    parts = split_path(path)
    names, rest = parts[1::2], "".join(parts[::2])
    if len(names) > 1 or "{" in rest or "}" in rest:
        yield f"has the path {path!r:.100}", expected, ""
    elif names and (not names[0].isidentifier() or names[0] in _OPTIONS):
        found = f"has the path {path!r:.100}, whose parameter cannot be called {names[0]!r}"
        yield found, "", "Rename it."
    else:
        try:
            Address("http://other", "Remote").path_of(path.replace("{", "").replace("}", ""))
        except ValueError as exc:
            yield f"has the path {path!r:.100}", "", str(exc)


def _wrong_forward(forward: Any) -> Iterator[Mistake]:
    if isinstance(forward, str) or not isinstance(forward, Sequence):
        advice = f"Write forward=({forward!r},)." if isinstance(forward, str) else ""
        yield f"has forward={forward!r:.100}", "a tuple of names of headers", advice
        return
    for name in forward:
        if not isinstance(name, str) or _is_token(name) is None:
            yield f"forwards {name!r:.100}", "the name of a header", ""
        elif name.lower() in _UNSHARED:
            found = f"forwards {name}, which says how one message is framed or written"
            yield found, "", "Drop it."
