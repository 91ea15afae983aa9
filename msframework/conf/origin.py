"""The names that the origin's settings modules use become ours. Runs at start-up.

`DB_CONFIG` holds the options of the origin's `asyncpg.create_pool`; `APP_ID` is the service's name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from msframework.conf.catalogue import declarations
from msframework.conf.findings import HIDDEN, Findings, did_you_mean
from msframework.types import JSONValue

_ADDRESS: Final = ("host", "port", "user", "password", "database", "ssl")
_LIMITS: Final = {
    "min_size": "DB_MIN_SIZE",
    "max_size": "DB_MAX_SIZE",
    "timeout": "DB_CONNECT_TIMEOUT",
    "command_timeout": "DB_COMMAND_TIMEOUT",
    "statement_cache_size": "DB_STATEMENT_CACHE_SIZE",
    "max_inactive_connection_lifetime": "DB_IDLE_TIMEOUT",
}
_KEYS: Final = ("dsn", *_ADDRESS, *_LIMITS)


def aliases() -> Mapping[str, str]:
    """Return the second names of settings, each with the first."""
    return {item.alias: item.name for item in declarations().values() if item.alias}


def replace_origin_names(values: dict[str, Any], where: str, findings: Findings) -> None:
    """Put our names in *values* where the origin's stand; both at once are a mistake."""
    for alias, name in aliases().items():
        if alias in values:
            _put(values, name, values.pop(alias), f"from {alias}", where, findings)
    if "HOST" in values and values["HOST"] is None:
        del values["HOST"]
    config = values.pop("DB_CONFIG", None)
    if config is None:
        return
    if isinstance(config, str):
        config = _parse(config)
    if not isinstance(config, Mapping):
        advice = "Write {'host': …, 'user': …, 'database': …}, or DATABASE_URL instead."
        findings.add(where, "DB_CONFIG", HIDDEN, "a dict", advice)
        findings.names.add("DATABASE_URL")
        return
    for key, value in _expand(config, where, findings).items():
        _put(values, key, value, "from DB_CONFIG", where, findings)


def _parse(text: str) -> JSONValue:
    """Return the value of the variable `DB_CONFIG`; the text itself when it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _put(
    values: dict[str, Any], name: str, value: object, source: str, where: str, findings: Findings
) -> None:
    if name in values:
        findings.add(where, name, f"set and {source} too", "one of the two", "Remove one.")
    else:
        values[name] = value


def _expand(config: Mapping[str, Any], where: str, findings: Findings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key in _LIMITS:
            found[_LIMITS[key]] = value
        elif key not in _KEYS:
            advice = did_you_mean(str(key), _KEYS, "Remove it.")
            findings.add(where, f"DB_CONFIG[{key!r}]", "unknown", ", ".join(_KEYS), advice)
    if config.get("dsn") is not None:
        found["DATABASE_URL"] = config["dsn"]
    elif any(config.get(key) is not None for key in _ADDRESS):
        found["DATABASE_URL"] = _address({key: config.get(key) for key in _ADDRESS})
    return found


def _address(parts: Mapping[str, Any]) -> str:
    """Put the *parts* together as PostgreSQL's `postgresql://` form, each percent-encoded."""
    query: dict[str, str] = {}
    host = str(parts["host"] or "localhost")
    if host.startswith("/"):
        query["host"], host = host, ""
    elif ":" in host:
        host = f"[{host}]"
    ssl = parts["ssl"]
    if ssl is not None:
        query["sslmode"] = {True: "require", False: "disable"}.get(ssl, str(ssl))
    user = quote(str(parts["user"] or ""), safe="")
    if parts["password"] is not None:
        user += f":{quote(str(parts['password']), safe='')}"
    port = f":{parts['port']}" if parts["port"] is not None else ""
    name = quote(str(parts["database"] or ""), safe="")
    tail = f"?{urlencode(query, quote_via=quote)}" if query else ""
    return f"postgresql://{user}{'@' if user else ''}{host}{port}/{name}{tail}"
