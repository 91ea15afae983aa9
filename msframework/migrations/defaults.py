"""Python's defaults of fields as text, the same in every run.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from uuid import UUID

_CONSTANTS = (str, bytes, bool, int, float, Decimal, date, time, timedelta, UUID)


def describe_default(value: object) -> str | None:
    """Return the default *value* of a field as text; `None` for none.

    Constants are written as Python writes them, functions by their dotted name, the built-in ones
    by their own: `'x'`, `7`, `list`, `uuid.uuid4`, `apps.users.models.User.<lambda>`.
    """
    return None if value is None else _text(value)


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return _text(value.value)
    if value is None or isinstance(value, _CONSTANTS):
        return repr(value)
    if isinstance(value, partial):
        given = [_text(each) for each in value.args]
        given += [f"{name}={_text(each)}" for name, each in value.keywords.items()]
        return f"partial({', '.join([_text(value.func), *given])})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(k)}: {_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(_text, value)))}}}"
    return _dotted(value)


def _dotted(value: object) -> str:
    """Return the name of a function or class, or that of the class of any other object."""
    name = getattr(value, "__qualname__", None)
    if not isinstance(name, str):
        return f"{_dotted(type(value))}()"
    owner = getattr(value, "__self__", None)
    module = getattr(value, "__module__", None)
    if module is None and isinstance(owner, type):  # datetime.now: a method of a built-in class
        module = owner.__module__
    return name if module in (None, "builtins") else f"{module}.{name}"
