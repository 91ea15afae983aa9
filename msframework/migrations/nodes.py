"""peewee's nodes as SQL text with their values in it, without a database. Runs at start-up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import peewee
from peewee import Node, PostgresqlDatabase

from msframework._tested import demand
from msframework.migrations.scanner import Unreadable
from msframework.migrations.sql import literal

# NOTE: importing this must not fail where peewee lacks a name; reading models does, and says why.
_CONTEXT: Any = getattr(peewee, "Context", object)


class DefinitionContext(_CONTEXT):  # type: ignore[misc]
    """peewee's writer for statements that take no parameters: values are written into the text."""

    __slots__ = ()
    _sql: list[str]

    def value(
        self,
        value: object,
        converter: Callable[[object], object] | bool | None = None,
        add_param: bool = True,
    ) -> object:
        """Write *value* as a constant; those of raw SQL replace its `%s` one after the other."""
        used = self.state.converter if converter is None else converter
        if callable(used):
            value = used(value)
        if isinstance(value, Node) or (isinstance(value, type) and issubclass(value, peewee.Model)):
            with self.scope_values(converter=None):
                return self.sql(value)
        # NOTE: psycopg wants a sign of per cent doubled, and the text is as if it had read it.
        text = constant(value).replace("%", "%%")
        if add_param or not self._sql or "%s" not in self._sql[-1]:
            return self.literal(text)
        before, _, after = self._sql[-1].partition("%s")
        self._sql[-1:] = [before, text, after]
        return self


class _ColumnDefinition(Node):
    """The definition of one column in CREATE TABLE."""

    def __init__(self, field: peewee.Field) -> None:
        self._field = field

    def __sql__(self, context: Any) -> object:
        return context.sql(self._field.ddl(context))


def write_column(field: peewee.Field) -> str:
    """Return the definition of the column of *field* as SQL.

    Raises:
        Unreadable: it holds a value that cannot be written as a constant.
    """
    return write_node(field.model, _ColumnDefinition(field))


def write_node(model: type[peewee.Model], node: object) -> str:
    """Return *node*, a part of the declaration of *model*, as SQL.

    Raises:
        Unreadable: it holds a value that cannot be written as a constant.
        ImproperlyConfigured: peewee is not a version that is known.
    """
    demand("peewee", "rendering a query")
    bound = model._meta.database
    database = bound if isinstance(bound, PostgresqlDatabase) else PostgresqlDatabase(None)
    context: Any = DefinitionContext(**database.get_context_options())
    with context.scope_values():
        context.sql(node)
    text: str = context.query()[0]
    return text.replace("%%", "%")


def constant(value: object) -> str:
    """Return *value* as SQL.

    Raises:
        Unreadable: it is of a class that has no constants.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return rf"'\x{bytes(value).hex()}'"
    if isinstance(value, datetime):
        return literal(value.isoformat(" "))
    if isinstance(value, timedelta):
        return literal(f"{value.days} days {value - timedelta(days=value.days)}")
    if isinstance(value, (str, date, time, UUID)):
        return literal(str(value))
    if isinstance(value, (dict, list)):
        return literal(json.dumps(value))
    raise Unreadable(f"a {type(value).__name__} cannot be written as a constant of SQL")
