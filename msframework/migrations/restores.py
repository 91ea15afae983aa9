"""Values of `restore` for dropped columns: the field's default, as the state recorded it.

The field itself is gone by then; only the text of its default is left. Runs when a migration is
made.
"""

from __future__ import annotations

import ast
import datetime
import decimal
import importlib
import json
import uuid
from collections.abc import Callable
from typing import Final

from msframework.migrations.fills import constant_of, has_name
from msframework.migrations.renames import Fill
from msframework.migrations.schema import Column

_EMPTY: Final[dict[str, object]] = {
    "bool": False,
    "bytes": b"",
    "dict": {},
    "float": 0.0,
    "int": 0,
    "list": [],
    "set": [],
    "str": "",
    "tuple": [],
}
_MAKERS: Final[dict[str, Callable[..., object]]] = {
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "datetime.date": datetime.date,
    "datetime.datetime": datetime.datetime,
    "datetime.time": datetime.time,
    "datetime.timedelta": datetime.timedelta,
}


def restored(column: Column) -> Fill:
    """Return the value of rows in *column* when it is added again; `None` for none.

    Nothing is known of a default that is no constant, and no function that its module still holds.
    """
    filled = column.default or column.serial or column.identity or column.generated
    if column.null or filled or column.client_default is None:
        return None
    text = column.client_default
    if text in _EMPTY:
        return _as_sql(column, _EMPTY[text])
    try:
        value = _evaluated(ast.parse(text, mode="eval").body)
    except (SyntaxError, TypeError, ValueError, decimal.InvalidOperation):
        return _function(text)
    return _as_sql(column, value)


def _evaluated(node: ast.expr) -> object:
    """Return the constant that *node* says.

    Raises:
        ValueError: it is none.
    """
    if isinstance(node, ast.Call) and not node.keywords:
        maker = _MAKERS.get(ast.unparse(node.func))
        if maker is not None:
            return maker(*(ast.literal_eval(each) for each in node.args))
    return ast.literal_eval(node)


def _function(text: str) -> Fill:
    """Return the function of the dotted name *text*, if it is still there."""
    parts = text.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None)
        return found if callable(found) and has_name(found) else None
    return None


def _as_sql(column: Column, value: object) -> str:
    if column.type in ("json", "jsonb"):
        value = json.dumps(value, ensure_ascii=False)
    elif not isinstance(value, str | bytes | bool | int | float | decimal.Decimal | list):
        value = str(value)
    return constant_of(value)
