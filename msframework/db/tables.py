"""Rows that are on their way to JSON: numeric and uuid stay the texts that PostgreSQL sends.

A Decimal made of a text, and a text made of that, cost more than all else of a listing's row.
Runs when such a statement is prepared on a connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from asyncpg.pgproto.pgproto import UUID

from msframework.db.lease import Lease
from msframework.db.rows import ColumnsAlike
from msframework.table import Texts

# By the number of their type in PostgreSQL's catalogue, its name, and the class of its values.
KEPT_AS_TEXT: Final[Mapping[int, tuple[str, type]]] = MappingProxyType(
    {1700: ("numeric", Decimal), 2950: ("uuid", UUID)}
)
# By the same number: name, encoder, decoder, and the form in which PostgreSQL sends the values.
Codecs = Mapping[int, tuple[str, Any, Any, str]]
TEXT_CODECS: Final[Codecs] = MappingProxyType(
    {oid: (name, str, str, "text") for oid, (name, _) in KEPT_AS_TEXT.items()}
)
_PLAIN_ARRAYS: Final = frozenset(
    ["bool[]", "date[]", "int2[]", "int4[]", "int8[]", "text[]", "timestamptz[]", "varchar[]"]
)
_RECORDS: Final = frozenset((2249, 2287))  # record, record[]


async def prepare_table(lease: Lease, query: str, timeout: float | None) -> tuple[Any, Texts]:
    """Return *query* prepared on *lease*, and which of its columns come as texts."""
    conn = lease.conn
    statement = await conn.prepare(query, timeout=timeout)
    check_names([column.name for column in statement.get_attributes()])
    texts = _find_texts(statement)
    if not texts or lease.retired or _has_records(lease):
        return statement, ()
    # NOTE: a statement keeps the codecs that there are while it is prepared, and nothing else is
    # prepared on the connection meanwhile.
    with lent_codecs(conn, TEXT_CODECS):
        return await conn.prepare(query, timeout=timeout), texts


@contextmanager
def lent_codecs(conn: Any, codecs: Codecs) -> Iterator[None]:
    """Have *conn* prepare statements with *codecs* for a while."""
    settings = conn._protocol.get_settings()
    try:
        for oid, (name, encode, decode, form) in codecs.items():
            settings.add_python_codec(oid, name, "pg_catalog", [], "scalar", encode, decode, form)
        yield
    finally:
        for oid, (name, *_) in codecs.items():
            settings.remove_python_codec(oid, name, "pg_catalog")


def check_names(names: Sequence[str]) -> None:
    """Raise `ValueError` where two columns are named alike."""
    if len(set(names)) < len(names):
        raise ColumnsAlike(names)


def _find_texts(statement: Any) -> Texts:
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


def _is_apart(argument: Any) -> bool:
    """Tell whether an argument of this type is sent alike whatever numeric and uuid are."""
    if argument.kind == "array":
        return argument.schema == "pg_catalog" and argument.name in _PLAIN_ARRAYS
    return argument.kind == "scalar" and argument.oid not in KEPT_AS_TEXT


def _has_records(lease: Lease) -> bool:
    """Tell whether statements are kept that look for codecs while they run: anonymous records do.

    NOTE: a change of codecs makes asyncpg forget all types that are made of others, and it finds
    them again only when a statement is prepared.
    """
    return any(
        column.type.oid in _RECORDS
        for statement in (*lease.prepared.values(), *lease.tables.values())
        for column in statement.get_attributes()
    )
