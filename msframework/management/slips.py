"""The warnings of `check` about models: what peewee takes, and other libraries mean otherwise.

Runs on the command line.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final

import marshmallow
import peewee

from msframework._place import full_name
from msframework.alike import find_nearest
from msframework.models import Model

_OURS: Final = (Model, peewee.Model)
# What gives another value at each call, so that a default wants the function itself.
_CHANGING: Final = re.compile(r"now|utcnow|today|uuid\d|token_\w+")
_MUTABLE: Final = (list, dict, set, bytearray)
# The methods of a model that write statements; a field of the same name takes their place.
_METHODS: Final = re.compile(
    "alias|create|delete|filter|get|insert|insert_from|insert_many|raw|replace|replace_many|save|"
    "select|update"
)
_OPTIONS: Final = (
    "abstract",
    "comment",
    "constraints",
    "indexes",
    "primary_key",
    "schema",
    "table_name",
)


def find_slips(models: Iterable[Any]) -> list[str]:
    """Return the warnings about *models* and the classes that they derive from."""
    classes = dict.fromkeys(
        each
        for model in models
        for each in reversed(model.__mro__)
        if issubclass(each, peewee.Model) and each not in _OURS
    )
    return [slip for cls in classes for slip in (*_lost(cls), *_options(cls), *_fields(cls))]


def _lost(cls: Any) -> Iterator[str]:
    """Yield the attributes of a model that look like fields and are none."""
    place = full_name(cls)
    for name, value in vars(cls).items():
        if inspect.isclass(value):
            is_own = value.__qualname__.startswith(f"{cls.__qualname__}.")
            if issubclass(value, peewee.Field) and not is_own:
                yield (
                    f"{place}.{name} is the class {value.__name__}, not a field, so the table has "
                    f"no such column. Write `{name} = {value.__name__}()`."
                )
            elif name != "Meta" and name.lower() == "meta":
                yield f"{place}: nothing reads its class {name!r}. Call it `Meta`."
        elif isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], peewee.Field):
            yield (
                f"{place}.{name} is a tuple with a field in it, so the table has no such column. "
                "Drop the comma behind it."
            )
        elif isinstance(value, marshmallow.fields.Field):
            yield (
                f"{place}.{name} is a field of a schema, so the table has no such column. Take the "
                "field from msframework.models."
            )


def _options(cls: Any) -> Iterator[str]:
    """Yield options of a Meta that are probably misspelt; peewee keeps any name as the user's."""
    inherited = {name for base in _bases(cls) for name in _given(base)}
    for name in sorted(_given(cls) - inherited - set(_OPTIONS)):
        if meant := find_nearest(name, _OPTIONS, 0.8):
            yield f"{full_name(cls)}.Meta: nothing reads its {name!r}. Was {meant!r} meant?"


def _given(cls: Any) -> frozenset[str]:
    return getattr(cls._meta, "given", frozenset())


def _fields(cls: Any) -> Iterator[str]:
    """Yield a warning for each slip in the fields that a model declares itself."""
    called = _called_defaults(cls)
    inherited = {name for base in _bases(cls) for name in base._meta.fields}
    for name, field in cls._meta.fields.items():
        if name not in inherited:
            for slip in (*_default(field, called.get(name)), *_arguments(name, field)):
                yield f"{full_name(cls)}.{name}{slip}"


def _default(field: Any, called: str | None) -> Iterator[str]:
    default = field.default
    if isinstance(default, _MUTABLE):
        kind = type(default).__name__ if not default else f"lambda: {default!r}"
        yield (
            f": all objects share its default {default!r}, and what one of them puts into it. "
            f"Write `default={kind}`."
        )
    elif called and not callable(default) and not isinstance(default, peewee.Node):
        yield (
            f": its default {called} is called once, at the import, so that all rows get the same "
            f"value. Write `default=lambda: {called}`, or the function without parentheses."
        )


def _arguments(name: str, field: Any) -> Iterator[str]:
    if field.null not in (True, False):
        yield (
            f": {field.null!r} stands where peewee takes `null`, so the column may be NULL. Give "
            "arguments by their names."
        )
    elif field.primary_key and field.null:
        yield ": a primary key is never NULL. Drop `null=True`."
    length = getattr(field, "max_length", None)
    if length is not None and (not isinstance(length, int) or length < 1):
        yield f": its max_length is {length!r}. Write a number of at least 1, or use TextField."
    if _METHODS.fullmatch(name):
        yield (
            f" takes the place of the model's method {name}(). Call the field otherwise, with "
            f"`column_name={name!r}`."
        )


def _bases(cls: Any) -> list[Any]:
    return [each for each in cls.__mro__[1:] if hasattr(each, "_meta") and each not in _OURS]


def _called_defaults(cls: Any) -> dict[str, str]:
    """Return the fields whose default the class's text calls, and the text of that."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):  # it was made without a file
        return {}
    found: dict[str, str] = {}
    for node in getattr(tree.body[0], "body", ()):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for keyword in value.keywords if isinstance(value, ast.Call) else ():
            if keyword.arg == "default" and _is_changing(keyword.value):
                text = ast.unparse(keyword.value)
                found |= {each.id: text for each in targets if isinstance(each, ast.Name)}
    return found


def _is_changing(node: ast.expr) -> bool:
    calls = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    return any(_CHANGING.fullmatch(ast.unparse(each).rpartition(".")[2]) for each in calls)
