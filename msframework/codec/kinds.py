"""Which values are objects, and which are lists, to a schema that dumps them.

Runs per request, for values that are no plain dict or list.
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Iterable,
    Iterator,
    Mapping,
    MappingView,
    Sequence,
    Set,
)
from enum import Enum
from functools import lru_cache
from numbers import Number
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Final
from uuid import UUID

from asyncpg import Record
from peewee import Model, Node

_LATER: Final = (Awaitable, AsyncIterator)
# Values that nobody means to send, although some can be iterated, and all have attributes.
_NO_DATA: Final = (
    BaseException,
    type,
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    ModuleType,
)
_SCALARS: Final = (str, bytes, bytearray, memoryview, Number, dt.timedelta, dt.tzinfo, UUID)
_LISTS: Final = (Sequence, Set, MappingView, Iterator)


class WrongKind(TypeError):
    """A method returned another kind of data than it promised."""

    def place(self, where: str) -> None:
        """Say which method it was, unless that is said already."""
        text = str(self)
        if not text.startswith(where):
            self.args = (f"{where}: {text}",)


@lru_cache(maxsize=1024)
def is_data(kind: type) -> bool:
    """Tell whether values of *kind* are data at all: no coroutine, exception, class or query."""
    return not is_unfinished(kind) and not issubclass(kind, _NO_DATA)


@lru_cache(maxsize=1024)
def is_unfinished(kind: type) -> bool:
    """Tell whether values of *kind* have yet to be awaited, or run as a query."""
    # NOTE: to peewee, a model is a node of a query too.
    return issubclass(kind, _LATER) or (issubclass(kind, Node) and not issubclass(kind, Model))


@lru_cache(maxsize=1024)
def is_object(kind: type) -> bool:
    """Tell whether values of *kind* may be one object: a mapping, a row, or anything with members.

    A tuple with names is one, a plain tuple is not.
    """
    if kind is type(None) or not is_data(kind):
        return False
    if issubclass(kind, (Mapping, Enum, Record)):
        return True
    if issubclass(kind, tuple):
        return hasattr(kind, "_fields")
    return not issubclass(kind, (*_SCALARS, *_LISTS))


@lru_cache(maxsize=1024)
def is_list(kind: type) -> bool:
    """Tell whether values of *kind* may be a list of objects: whatever gives them one by one."""
    if not is_data(kind) or issubclass(kind, (Mapping, Record, *_SCALARS)):
        return False
    if issubclass(kind, tuple):
        return not hasattr(kind, "_fields")
    return issubclass(kind, Iterable)


def name_kind(value: object) -> str:
    """Name the kind of *value* in words, without its content; a coroutine is closed.

    NOTE: Python would warn of a coroutine that nobody awaited, after it was said here.
    """
    if inspect.iscoroutine(value):
        value.close()
        return "a coroutine that was not awaited (await it)"
    kind = type(value)
    if isinstance(value, Node) and not isinstance(value, Model):
        return f"a query that was not run ({kind.__name__})"
    for known, text in _NAMES:
        if isinstance(value, known):
            return text.format(kind.__name__)
    return f"{'an' if kind.__name__[0] in 'aeiouAEIOU' else 'a'} {kind.__name__}"


_NAMES: Final[tuple[tuple[type[object], str], ...]] = (
    (type(None), "None"),
    (Awaitable, "a {} that was not awaited (await it)"),
    (AsyncIterator, "an {} that was not iterated"),
    (BaseException, "the exception {} (raise it)"),
    (type, "a class"),
    (bool, "a bool"),
    (str, "a text"),
    (Record, "a row (Record)"),
)
