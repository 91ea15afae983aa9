"""The names that a service answers for: `ALLOWED_HOSTS`, and those of the loopback with `DEBUG`.

A hostile page can point its own domain at 127.0.0.1 and then read what a development server
answers (DNS rebinding); its requests still carry that name as `Host`. Built at start-up; runs
per request where there is something to check.
"""

from __future__ import annotations

import re
from typing import Final

from sanic import Request

from msframework.conf.rules import is_loopback
from msframework.conf.settings import Settings
from msframework.exceptions import ServiceException
from msframework.serving.head import shorten

_MOST_KNOWN: Final = 1024
_LONGEST: Final = 255
_split = re.compile(r"(\[[^\]]*\]|[^:]*)(?::[0-9]*)?").fullmatch


class Misdirected(ServiceException):
    """The request was meant for another host (RFC 9110, 15.5.20)."""

    status_code = 421
    message = "Misdirected Request"


class Hosts:
    """Tells which values of `Host` are a service's own.

    Args:
        names: host names; `.example.com` stands for that name and all below it.
        loopback: whether this machine's own names are among them.
    """

    __slots__ = ("_exact", "_known", "_loopback", "_suffixes")

    def __init__(self, names: tuple[str, ...], *, loopback: bool) -> None:
        folded = [name.lower().rstrip(".") for name in names]
        self._exact = {name.removeprefix(".") for name in folded}
        self._suffixes = tuple(name for name in folded if name.startswith("."))
        self._loopback = loopback
        self._known: dict[str | None, bool] = {}

    def allows(self, value: str | None) -> bool:
        """Return whether a request with this `Host` is for us."""
        known = self._known.get(value)
        if known is None:
            known = self._read(value)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            if value is None or len(value) <= _LONGEST:
                self._known[value] = known
        return known

    def _read(self, value: str | None) -> bool:
        found = _split(value or "")
        if found is None or not found[1]:
            return False
        name = found[1].lower().removesuffix(".")
        if name in self._exact or name.endswith(self._suffixes):
            return True
        return self._loopback and (is_loopback(name) or name.endswith(".localhost"))


def build_hosts(settings: Settings) -> Hosts | None:
    """Return the `Hosts` of a service; `None` for one that answers for any."""
    names = settings.server.allowed_hosts
    if "*" in names or not (names or settings.debug):
        return None
    return Hosts(names, loopback=settings.debug)


def check_host(hosts: Hosts | None, request: Request) -> None:
    """Raise `Misdirected` where *request* is for another host than *hosts* allows."""
    host = request.headers.get("host")
    if hosts is not None and not hosts.allows(host):
        raise misdirected(host)


def misdirected(value: str | None) -> Misdirected:
    """Return the failure of a request for the host *value*."""
    if not value:
        return Misdirected("the request names no host; ALLOWED_HOSTS says which are answered for")
    return Misdirected(
        f"{shorten(value)!r} is no host of this service; ALLOWED_HOSTS says which are"
    )
