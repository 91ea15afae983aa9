"""What is wrong with an address in the settings; never shows its password. Runs at start-up."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, urlsplit


def http_fault(url: Any) -> str | None:
    """Return what *url* is instead of the plain address of an HTTP service, `None` if it is one."""
    parts = _split(url)
    if isinstance(parts, str):
        return parts
    if "@" in url:
        return "an address with a user name or password in it"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return repr(url)
    if parts.query or parts.fragment:
        return f"{url!r}, with a query or fragment"
    return None


def database_fault(url: str) -> str | None:
    """Return what *url* is instead of PostgreSQL's form of an address, `None` if it is one."""
    parts = _split(url)
    if isinstance(parts, str):
        return parts
    if parts.scheme in ("postgresql", "postgres"):
        return None
    # NOTE: nothing of it is shown, as "name:password@host" without a scheme parses too.
    return "an address of another kind"


def _split(url: Any) -> SplitResult | str:
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
