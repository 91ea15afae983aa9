"""How a connection is opened: its class, its codecs, its limits.

Runs when a pool grows.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import asyncpg
import orjson

from msframework.conf.address import read_address
from msframework.conf.settings import DatabaseSettings
from msframework.db.opening import AddressOpener

# What asyncpg's own reset leaves: the role, temporary tables, sequence values, and statements that
# SQL's PREPARE made (DEALLOCATE ALL would take asyncpg's own as well).
_RESET_MORE = """
RESET SESSION AUTHORIZATION;
DISCARD TEMP;
DISCARD SEQUENCES;
DO $$ DECLARE one text; BEGIN
  FOR one IN SELECT name FROM pg_catalog.pg_prepared_statements WHERE from_sql LOOP
    EXECUTE pg_catalog.format('DEALLOCATE %I', one);
  END LOOP;
END $$;
"""
_FIND_HSTORE = """
SELECT n.nspname FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typname = 'hstore' AND t.typtype = 'b'
"""
# orjson reads integers beyond 64 bits as floats; these go to the standard library.
_LONG_INTEGER = re.compile(rb"\d{19}")
_MOST_DIGITS = 4000  # Python makes no integer of much more

Opener = Callable[[], Awaitable[asyncpg.Connection]]


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """asyncpg's connection, whose reset leaves nothing of the last borrower.

    Attributes:
        limit: what `TimedConnection` keeps to; without a value until a connection becomes one.
    """

    __slots__ = ("limit",)
    limit: float

    def get_reset_query(self) -> str:
        """Return the SQL that resets a connection which may hold state, before it is lent again."""
        # NOTE: the role comes first, as the rest might not be allowed to the one that was set.
        query: str = super().get_reset_query()
        return f"{_RESET_MORE}{query}"


def _timed(name: str) -> Any:
    """Return the method *name* of asyncpg's connection, with `limit` where no time is given."""
    method = getattr(asyncpg.Connection, name)

    @wraps(method)
    def call(
        self: Connection, *args: object, timeout: float | None = None, **options: object
    ) -> Any:
        seconds = self.limit if timeout is None else timeout
        return method(self, *args, timeout=seconds, **options)

    return call


class TimedConnection(Connection):
    """A connection whose methods take no longer than `limit`, unless they are told a time."""

    __slots__ = ()

    execute = _timed("execute")
    executemany = _timed("executemany")
    fetch = _timed("fetch")
    fetchrow = _timed("fetchrow")
    fetchval = _timed("fetchval")
    fetchmany = _timed("fetchmany")
    prepare = _timed("prepare")
    cursor = _timed("cursor")
    copy_from_table = _timed("copy_from_table")
    copy_from_query = _timed("copy_from_query")
    copy_to_table = _timed("copy_to_table")
    copy_records_to_table = _timed("copy_records_to_table")


def limit_time(conn: asyncpg.Connection, seconds: float) -> None:
    """Have the methods of *conn*, which is not lent again, take no longer than *seconds*."""
    # NOTE: both classes have the same fields.
    conn.limit = seconds
    conn.__class__ = TimedConnection


def connect_options(settings: DatabaseSettings, *, read_only: bool) -> dict[str, Any]:
    """Return the options of `asyncpg.connect` and `asyncpg.create_pool` alike.

    Args:
        read_only: transactions are read-only unless they say READ WRITE.
    """
    options: dict[str, Any] = {
        "timeout": settings.connect_timeout,
        "command_timeout": settings.command_timeout,
        "statement_cache_size": settings.statement_cache_size,
        "max_cached_statement_lifetime": 0,
        "connection_class": Connection,
    }
    if read_only:
        options["server_settings"] = {"default_transaction_read_only": "on"}
    return options


def build_opener(url: str, settings: DatabaseSettings, *, read_only: bool = False) -> Opener:
    """Return the coroutine function that opens one connection to *url*, ready to be lent.

    It keeps to no `DB_COMMAND_TIMEOUT`: `Deadlines` does that for a whole pool.
    """
    options = connect_options(settings, read_only=read_only) | {"command_timeout": None}
    opener = AddressOpener(read_address(url), settings.connect_timeout)

    async def open_connection() -> asyncpg.Connection:
        conn = await opener.open(**options)
        try:
            async with asyncio.timeout(settings.connect_timeout):
                await set_codecs(conn)
        except BaseException:
            conn.terminate()
            raise
        return conn

    return open_connection


async def set_codecs(conn: asyncpg.Connection) -> None:
    """Make JSON, JSONB and hstore columns Python objects on *conn*."""
    for name, encode, decode in (
        ("json", _encode_json, _decode_json),
        ("jsonb", _encode_jsonb, _decode_jsonb),
    ):
        await conn.set_type_codec(
            name, schema="pg_catalog", format="binary", encoder=encode, decoder=decode
        )
    schema = await conn.fetchval(_FIND_HSTORE)
    if schema is not None:
        await conn.set_builtin_type_codec("hstore", schema=schema, codec_name="pg_contrib.hstore")


def _encode_json(value: object) -> bytes:
    try:
        text = orjson.dumps(value)
    except TypeError:
        # Integers beyond 64 bits, and keys that are no strings; what JSON lacks stays a TypeError.
        return _refuse_nan(value, None).encode()
    if b"null" in text:  # orjson writes NaN as null
        _refuse_nan(value, str)
    return text


def _refuse_nan(value: object, default: type[str] | None) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=default)
    except ValueError as exc:
        raise TypeError("NaN and Infinity are not JSON serializable") from exc


def _decode_json(data: bytes) -> Any:
    if not _LONG_INTEGER.search(data):
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:  # a number that is larger than a double holds
            pass
    return json.loads(data, parse_int=_read_integer, parse_float=_read_real)


def _read_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _read_real(digits: str) -> float | str:
    value = float(digits)
    return value if value - value == 0 else digits


def _encode_jsonb(value: object) -> bytes:
    return b"\x01" + _encode_json(value)


def _decode_jsonb(data: bytes) -> Any:
    # The first byte is the version of jsonb's wire format, 1 since there is one.
    return _decode_json(data[1:])
