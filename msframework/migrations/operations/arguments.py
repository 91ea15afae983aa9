"""Checks of the arguments of operations, as migrations may be written by hand.

Run when a migration is loaded, so that a wrong value is found before anything is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.schema import Column, Constraint, EnumType, ForeignKey, Index, Table
from msframework.migrations.sql import canonical_words
from msframework.migrations.types import SERIALS

T = TypeVar("T")
_LONGEST: Final = 63  # bytes of a name; PostgreSQL cuts off the rest, and looks for another one
_LONGEST_LABEL: Final = 63  # bytes of a value of an enumerated type
_COUNTED: Final = ("smallint", "integer", "bigint")
_IDENTITIES: Final = (None, "always", "by default")
_DEFERRALS: Final = (None, "immediate", "deferred")
_CONSTRAINTS: Final = (("check",), ("unique",), ("primary",), ("exclude",))
_ACTION: Final = re.compile(
    r"(NO\s+ACTION|RESTRICT|CASCADE|SET\s+(NULL|DEFAULT)(\s*\([^()]+\))?)\Z", re.IGNORECASE
)


def refuse(where: str, what: str, found: object, expected: str) -> ImproperlyConfigured:
    """Return the exception for the value *found*."""
    return ImproperlyConfigured(f"{where}: {what} is {found!r}; expected {expected}.")


def check_kind(where: str, what: str, value: object, kind: type[T], text: str) -> T:
    """Return *value*, an instance of *kind*.

    Raises:
        ImproperlyConfigured: it is something else.
    """
    if not isinstance(value, kind):
        raise refuse(where, what, value, text)
    return value


def check_name(where: str, what: str, value: object) -> str:
    """Return *value*, the bare name of a column, an index or a constraint.

    Raises:
        ImproperlyConfigured: PostgreSQL takes no such name.
    """
    name = check_kind(where, what, value, str, "a name")
    if not name or "\0" in name or len(name.encode()) > _LONGEST:
        raise refuse(where, what, name, f"a name of 1 to {_LONGEST} bytes")
    return name


def check_table_name(where: str, value: object, what: str = "table") -> str:
    """Return *value*, the name of a table or a type, with or without its schema.

    Raises:
        ImproperlyConfigured: PostgreSQL takes no such name.
    """
    name = check_kind(where, what, value, str, "a name such as 'users' or 'shop.notes'")
    for part in name.split(".", 1):
        check_name(where, what, part)
    return name


def check_sql(where: str, what: str, value: object) -> str:
    """Return *value*, a text of SQL.

    Raises:
        ImproperlyConfigured: it is no text, or an empty one.
    """
    if not isinstance(value, str) or not value.strip():
        raise refuse(where, what, value, "SQL as text (a string in it in quotes: \"'new'\")")
    return value


def check_fill(
    where: str, what: str, value: object, column: Column
) -> str | Callable[[], object] | None:
    """Return *value*, which existing rows of *column* get.

    Raises:
        ImproperlyConfigured: it is neither SQL nor a function, or the column has values of its own.
    """
    if value is None:
        return None
    if column.generated is not None:
        raise refuse(where, what, value, f"none, as {column.name} is generated")
    if callable(value):
        return value
    if not isinstance(value, str) or not value.strip():
        raise refuse(
            where,
            what,
            value,
            'SQL as text ("0", "\'\'"), or a function without arguments, called for each row',
        )
    return value


def check_column(where: str, value: object, what: str = "column") -> Column:
    """Return *value*, a column that PostgreSQL can have.

    Raises:
        ImproperlyConfigured: it is none.
    """
    column = check_kind(where, what, value, Column, "a Column")
    check_name(where, f"the name of the {what}", column.name)
    where = f"{where}: column {column.name!r}"
    check_sql(where, "its type", column.type)
    if column.type.lower() in SERIALS:
        counted = SERIALS[column.type.lower()]
        raise refuse(where, "its type", column.type, f"{counted!r}, with serial=True")
    for name in ("default", "generated", "collation"):
        if getattr(column, name) is not None:
            check_sql(where, name, getattr(column, name))
    if column.comment is not None:
        check_kind(where, "comment", column.comment, str, "a text, or None")
    if column.identity not in _IDENTITIES:
        raise refuse(where, "identity", column.identity, "'always', 'by default' or None")
    sources = [
        name
        for name in ("default", "serial", "identity", "generated")
        if getattr(column, name) not in (None, False)
    ]
    if len(sources) > 1:
        raise ImproperlyConfigured(
            f"{where}: has {' and '.join(sources)}, and can have one of these only."
        )
    if column.serial or column.identity:
        if column.type not in _COUNTED:
            raise refuse(where, "its type", column.type, f"one of {', '.join(_COUNTED)}")
        if column.null:
            raise refuse(where, "null", column.null, f"False, as it is {sources[0]}")
    return column


def check_index(where: str, value: object) -> Index:
    """Return *value*, an index with a name and elements.

    Raises:
        ImproperlyConfigured: it is none.
    """
    index = check_kind(where, "index", value, Index, "an Index")
    check_name(where, "the name of the index", index.name)
    where = f"{where}: index {index.name!r}"
    _check_texts(where, "elements", index.elements, 1)
    _check_texts(where, "include", index.include)
    _check_texts(where, "storage", index.storage)
    check_name(where, "method", index.method)
    if index.where is not None:
        check_sql(where, "where", index.where)
    return index


def check_constraint(where: str, value: object) -> Constraint | ForeignKey:
    """Return *value*, a constraint of a table.

    Raises:
        ImproperlyConfigured: it is none.
    """
    if isinstance(value, Constraint):
        check_name(where, "the name of the constraint", value.name)
        where = f"{where}: constraint {value.name!r}"
        first = canonical_words(check_sql(where, "definition", value.definition))[:1]
        if first not in _CONSTRAINTS:
            raise refuse(where, "definition", value.definition, "such as 'CHECK (age > 0)'")
        return value
    key = check_kind(where, "constraint", value, ForeignKey, "a Constraint or a ForeignKey")
    check_name(where, "the name of the foreign key", key.name)
    where = f"{where}: foreign key {key.name!r}"
    _check_texts(where, "columns", key.columns, 1)
    _check_texts(where, "target_columns", key.target_columns, 1)
    check_table_name(where, key.target, "target")
    if len(key.columns) != len(key.target_columns):
        raise refuse(where, "target_columns", key.target_columns, f"{len(key.columns)} of them")
    for name in ("on_delete", "on_update"):
        action = getattr(key, name)
        if action is not None and not _ACTION.match(check_sql(where, name, action)):
            raise refuse(where, name, action, "such as 'CASCADE' or 'SET NULL'")
    if key.deferrable not in _DEFERRALS:
        raise refuse(where, "deferrable", key.deferrable, "'immediate', 'deferred' or None")
    return key


def check_table(where: str, value: object) -> Table:
    """Return *value*, a table with all its parts.

    Raises:
        ImproperlyConfigured: a part of it is wrong.
    """
    table = check_kind(where, "table", value, Table, "a Table")
    check_table_name(where, table.name)
    where = f"{where} of {table.name}"
    for column in check_kind(where, "columns", table.columns, tuple, "a tuple of Column"):
        check_column(where, column)
    for constraint in check_kind(where, "constraints", table.constraints, tuple, "a tuple"):
        check_constraint(where, constraint)
    for index in check_kind(where, "indexes", table.indexes, tuple, "a tuple of Index"):
        check_index(where, index)
    _check_texts(where, "storage", table.storage)
    _check_once(where, "column", (each.name for each in table.columns))
    _check_once(where, "constraint", (each.name for each in table.constraints))
    return table


def check_enum(where: str, value: object, what: str = "enum") -> EnumType:
    """Return *value*, an enumerated type.

    Raises:
        ImproperlyConfigured: it is none, or has a value twice.
    """
    enum = check_kind(where, what, value, EnumType, "an EnumType")
    check_table_name(where, enum.name, f"the name of the {what}")
    where = f"{where} of {enum.name}"
    values = check_kind(where, "values", enum.values, tuple, "a tuple of texts")
    for each in values:
        if not isinstance(each, str) or not each or len(each.encode()) > _LONGEST_LABEL:
            raise refuse(where, "a value", each, f"a text of 1 to {_LONGEST_LABEL} bytes")
    _check_once(where, "value", values)
    return enum


def _check_texts(where: str, what: str, value: object, least: int = 0) -> None:
    texts = check_kind(where, what, value, tuple, "a tuple of texts")
    if len(texts) < least:
        raise refuse(where, what, texts, f"at least {least}")
    for each in texts:
        check_sql(where, f"one of {what}", each)


def _check_once(where: str, what: str, names: Iterable[str]) -> None:
    found: set[str] = set()
    for name in names:
        if name in found:
            raise ImproperlyConfigured(f"{where}: the {what} {name!r} is given twice.")
        found.add(name)
