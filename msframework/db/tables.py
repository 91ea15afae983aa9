"""Rows that are on their way to JSON: numeric and uuid stay the texts that PostgreSQL sends.

A Decimal made of a text, and a text made of that, cost more than all else of a listing's row.
Runs when such a statement is prepared on a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from asyncpg import Attribute, Type
from asyncpg.pgproto.pgproto import UUID
from asyncpg.prepared_stmt import PreparedStatement

from msframework.db.rows import ColumnsAlike
from msframework.table import Texts

# By the number of their type in PostgreSQL's catalogue, its name, and the class of its values.
KEPT_AS_TEXT: Final[Mapping[int, tuple[str, type]]] = MappingProxyType(
    {1700: ("numeric", Decimal), 2950: ("uuid", UUID)}
)
# By the same number: name, encoder, decoder, and the form in which PostgreSQL sends the values.
Codecs = Mapping[int, tuple[str, Callable[..., object], Callable[..., object], str]]
TEXT_CODECS: Final[Codecs] = MappingProxyType(
    {oid: (name, str, str, "text") for oid, (name, _) in KEPT_AS_TEXT.items()}
)
_PLAIN_ARRAYS: Final = frozenset(
    ["bool[]", "date[]", "int2[]", "int4[]", "int8[]", "text[]", "timestamptz[]", "varchar[]"]
)
_RECORDS: Final = frozenset((2249, 2287))  # record, record[]


def check_names(names: Sequence[str]) -> None:
    """Raise `ValueError` where two columns are named alike."""
    if len(set(names)) < len(names):
        raise ColumnsAlike(names)


def find_texts(statement: PreparedStatement) -> Texts:
    """Return the columns that may come as texts; none where more would change with them."""
    columns = statement.get_attributes()
    if any(column.type.kind != "scalar" for column in columns) or not all(
        map(_is_apart, statement.get_parameters())
    ):
        return ()
    return tuple(
        (column.name, KEPT_AS_TEXT[column.type.oid][1])
        for column in columns
        if column.type.oid in KEPT_AS_TEXT
    )


def _is_apart(argument: Type) -> bool:
    """Tell whether an argument of this type is sent alike whatever numeric and uuid are."""
    if argument.kind == "array":
        return argument.schema == "pg_catalog" and argument.name in _PLAIN_ARRAYS
    return argument.kind == "scalar" and argument.oid not in KEPT_AS_TEXT


def is_record(column: Attribute) -> bool:
    """Tell whether *column* holds anonymous records."""
    return column.type.oid in _RECORDS
