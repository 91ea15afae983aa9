"""The checks of the settings of rate limits; they never show a password. Runs at start-up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import urlsplit

from msframework.conf.operations import OperationsSettings
from msframework.limits.rate import EXTRA, as_rate_limit, find_mistakes

_SCHEMES: Final = ("redis", "rediss", "valkey", "valkeys")
_AUTHORITY_END: Final = re.compile(r"[/?#]")
_UNIX: Final = ("redis+unix", "valkey+unix")
_EXPECTED: Final = (
    "expected memory://, or the address of a Redis or Valkey. Write redis://:password@host:6379/0, "
    "rediss://… for TLS, valkey://…, or redis+unix:///path/of.sock."
)


def find_rate_faults(settings: OperationsSettings) -> Iterator[tuple[str, str]]:
    """Yield the name of each setting that is wrong, and why."""
    if settings.rate_limits and find_spec("limits") is None:
        text = f"RATE_LIMITS needs the package 'limits', which is not installed. {_INSTALL}"
        yield "RATE_LIMITS", text
        return
    for text in settings.rate_limits:
        for found, advice in find_mistakes(as_rate_limit(text)):
            yield "RATE_LIMITS", f"RATE_LIMITS: {found}. {advice}"
    url = settings.rate_limit_storage
    if url == "memory://":
        return
    fault = _storage_fault(url)
    missing = [package for package in ("limits", "redis") if find_spec(package) is None]
    if fault is None and not missing and "?" in url and not _knows_options(url):
        fault = "an address with an option behind the ? that the client of Redis refuses"
    if fault is not None:
        yield "RATE_LIMIT_STORAGE", f"RATE_LIMIT_STORAGE is {fault}; {_EXPECTED}"
        return
    for package in missing:
        text = f"needs the package {package!r}, which is not installed. {_INSTALL}"
        yield "RATE_LIMIT_STORAGE", f"RATE_LIMIT_STORAGE {text}"


_INSTALL: Final = f"Install it: {EXTRA}."


def _storage_fault(url: str) -> str | None:
    """Name the kind of *url* where no store can be at it, else `None`; nothing of it is shown."""
    start, _, rest = url.partition("://")
    authority = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    if start in _SCHEMES and "@" in rest[len(authority) :]:
        return (
            "an address with a character in its user name or password that must be percent-encoded "
            "(@ as %40, / as %2F, ? as %3F, # as %23)"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "an address that cannot be read"
    if parts.scheme in _UNIX:
        return None if len(parts.path) > 1 else "an address without the path of a socket"
    if parts.scheme not in _SCHEMES:
        return "an address of another kind"
    if not parts.hostname or port == 0:
        return "an address without a host, or with the port 0"
    number = parts.path[1:]
    if parts.fragment or (number and not number.isdecimal()):
        return (
            "an address with something else behind the host than the number of a database (in a "
            "password, @ is written as %40, / as %2F, # as %23)"
        )
    return None


def _knows_options(url: str) -> bool:
    """Return whether a client takes the options of *url*; one is made, which does not connect.

    NOTE: else a wrong one would look like a store that is away, and only in the log.
    """
    # PERF: the client takes a while to import, and options are rare.
    from redis.asyncio import ConnectionPool
    from redis.exceptions import RedisError

    from msframework.limits.store import client_address

    try:
        pool: Any = ConnectionPool.from_url(client_address(url))
        pool.make_connection()
    except (TypeError, ValueError, RedisError):
        return False
    return True
