"""Checks of the addresses in the settings; they never show a password. Runs at start-up."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from msframework.conf.findings import shown


def http_fault(url: Any) -> str | None:
    """Name the kind of *url* where it is no plain address of an HTTP service, else `None`."""
    parts = _split(url)
    if isinstance(parts, str):
        return parts
    if "@" in url:
        return "an address with a user name or password in it"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return shown(url.partition("?")[0]).removesuffix(" (type str)")
    if parts.query or parts.fragment:
        return f"{url.partition('?')[0].partition('#')[0]!r}, with a query or fragment"
    return None


def database_fault(url: str) -> str | None:
    """Name the kind of *url* where it is no address in PostgreSQL's form, else `None`."""
    parts = _split(url)
    if isinstance(parts, str):
        return parts
    if parts.scheme in ("postgresql", "postgres"):
        behind = f"{parts.path}{parts.fragment}"
        marks = parts.netloc.count("@")
        if marks > 1 or "@" in behind or (not marks and "@" in parts.query):
            return (
                "an address with a character in its user name or password that must be "
                "percent-encoded (@ as %40, / as %2F, ? as %3F, # as %23)"
            )
        return None
    # NOTE: nothing of it is shown, as "name:password@host" without a scheme parses too.
    return "an address of another kind"


def place_of(url: str) -> str:
    """Return where the database of *url* is: host, port and name, for messages."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    host = parts.hostname or query.get("host") or "localhost"
    name = unquote(parts.path.removeprefix("/")) or query.get("dbname") or parts.username or ""
    where = host if host.startswith("/") else f"{host}:{parts.port or query.get('port') or 5432}"
    return f"{where}, database {name!r}"


def _split(url: object) -> SplitResult | str:
    if url is None or url == "":
        return "missing"
    if not isinstance(url, str):
        return f"of type {type(url).__name__}"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "an address that cannot be read"
    return parts
