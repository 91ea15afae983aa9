"""The heads of lean requests. Runs per request; the lines that all of them share are made once.

Headers that we may not write, or that are none at all, are left to aiohttp: `are_plain` says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from multidict import CIMultiDict

from msframework.client.plan import CallPlan
from msframework.headers import TOKEN

# Headers that aiohttp derives something from, and those that say how the message is framed.
_RESERVED: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Headers that differ from call to call; an entry that fixes one of them is left to aiohttp.
_OWN: Final = frozenset(
    {
        "b3",
        "baggage",
        "content-type",
        "traceparent",
        "tracestate",
        "x-b3-flags",
        "x-b3-parentspanid",
        "x-b3-sampled",
        "x-b3-spanid",
        "x-b3-traceid",
        "x-request-id",
    }
)
_NAME: Final = re.compile(TOKEN).fullmatch
_VALUE: Final = re.compile(r"[^\x00\r\n]*").fullmatch


def are_plain(headers: Any, *, fixed: bool = False) -> bool:
    """Tell whether *headers* can be written as they are: a mapping of legal names and values.

    Args:
        fixed: they go out with every call, so they may not be one of those that change.
    """
    if not isinstance(headers, Mapping):
        return False
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            return False
        folded = name.lower()
        if folded in _RESERVED or (fixed and folded in _OWN):
            return False
        if _NAME(name) is None or _VALUE(value) is None:
            return False
    return True


def parse_lines(lines: str) -> list[tuple[str, str]]:
    """Return the names and values of *lines* as they stand in a message."""
    parts = (line.partition(": ") for line in lines.split("\r\n") if line)
    return [(name, value) for name, _, value in parts]


def write_lines(headers: Mapping[str, str]) -> str:
    """Return *headers* as they stand in a message."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


class HeadWriter:
    """The writer of the heads of all requests to one service.

    Args:
        fixed: the headers that go out with every call.
    """

    __slots__ = ("_fixed", "_lines")

    def __init__(self, fixed: Mapping[str, str]) -> None:
        self._fixed: CIMultiDict[str] = CIMultiDict(fixed)
        self._lines = f" HTTP/1.1\r\n{write_lines(fixed)}"

    def write(
        self, plan: CallPlan, path: str, lines: str, given: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the head of a call.

        Args:
            path: path and query behind the prefix of the service, percent-encoded.
            lines: the headers of this call.
            given: the headers of the caller, which replace all others.
        """
        if given is None:
            return f"{plan.start}{path}{self._lines}{lines}\r\n".encode()
        headers = self._fixed.copy()
        headers.update(parse_lines(lines))
        headers.update(given)
        return f"{plan.start}{path} HTTP/1.1\r\n{write_lines(headers)}\r\n".encode()
