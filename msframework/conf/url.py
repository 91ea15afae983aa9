"""Checks of the addresses of HTTP services; they never show a password. Runs at start-up."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, urlsplit

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
