"""The one strict reader of request heads, for the fast path and Sanic's alike (RFC 9112, 2 to 6).

`read_field` runs for every header line that was not seen before; the rest for every request that
Sanic serves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sanic.exceptions import BadRequest

from msframework.headers import TOKEN

# Name and value of each header, in their order.
FieldPairs = list[tuple[str, str]]
CHUNKED: Final = -1  # stands where a length would
HEAD_END: Final = b"\r\n\r\n"

_HOST = (
    r"(?:\[[0-9A-Fa-f:.]{2,45}\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)(?::[0-9]{0,5})?"
)
_is_token = re.compile(TOKEN).fullmatch
_is_host = re.compile(_HOST).fullmatch
# NOTE: browsers leave more as it is than RFC 3986 allows, so all is let in that can be seen, but
# for what begins a fragment.
_is_visible = re.compile(r"[!\"$-~]+").fullmatch
# NOTE: octets beyond ASCII are opaque (RFC 9110, 5.5), so it matters not what they decode to.
_is_value = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*").fullmatch
_is_number = re.compile(r"[0-9]+").fullmatch
_absolute = re.compile(r"https?://([^/?]+)(.*)", re.IGNORECASE).fullmatch
# What stands in no head: it may be refused before it is whole.
_find_broken = re.compile(rb"(?<!\r)\n|\r[^\n]|\x00").search
_LONGEST_NUMBER = 18  # digits of a length that is read
_LONGEST_SHOWN = 200  # characters of what a message repeats


class HeadRefused(BadRequest):
    """A head that is no HTTP, or more than is read; its connection is closed after the answer."""

    def __init__(self, message: str, status_code: int = 400) -> None:
        super().__init__(message)
        self.status_code = status_code


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """How much of a head is read: its bytes, the characters of its target, its header lines."""

    size: int
    target: int
    lines: int


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A head as it was understood.

    Attributes:
        target: path and query; `*` for the server itself, the authority for CONNECT.
        pairs: the headers; `Host` is that of an absolute target.
        length: bytes of the body that follows; `None` without one, `CHUNKED` where it comes so.
        keep_alive: whether the client leaves the connection open.
        expects: whether the client waits for a 100 before it sends the body.
    """

    method: str
    target: str
    version: str
    pairs: FieldPairs
    length: int | None
    keep_alive: bool
    expects: bool


def shorten(text: str) -> str:
    """Return as much of *text*, which a client chose, as a message repeats."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def read_field(line: str) -> tuple[str, str]:
    """Return name, in small letters, and value of a header line.

    Raises:
        ValueError: it is none.
    """
    name, value = line.split(":", 1)
    if _is_token(name) is None:
        raise ValueError("its name is no token right before the colon")
    field = name.lower()
    if _is_value(value) is None:
        raise ValueError("its value has a control character")
    value = value.strip(" \t")
    if field == "host" and _is_host(value) is None:
        raise ValueError("its value is no host with or without a port")
    return field, value


def check_start(start: bytes | bytearray, limits: HeadLimits, seen: int = 0) -> None:
    """Look at the *start* of a head, or at all of it and its end, for what nothing could mend.

    Args:
        start: the bytes that arrived.
        limits: how much is read.
        seen: how many of the bytes were looked at before.

    Raises:
        HeadRefused: it cannot become a head.
    """
    # PERF: counting is a tenth of searching.
    new = max(seen - 1, 0)
    ends = start.count(b"\r\n", new)
    if not start.count(b"\n", new) == start.count(b"\r", new) == ends or start.count(0, new):
        broken = _find_broken(start, new, limits.size + len(HEAD_END))
        if broken is not None:
            at = broken.start()
            raise HeadRefused(f"The head has a bare CR or LF, or a NUL, at byte {at}.")
    if len(start) > limits.size + len(HEAD_END):
        line, ended, _ = bytes(start[: limits.size]).partition(b"\r\n")
        if not ended or max(map(len, line.split(b" "))) > limits.target:
            raise _too_long(limits)
        raise HeadRefused(f"The head is longer than {limits.size} bytes.", 431)


def read_head(head: bytes, limits: HeadLimits) -> RequestHead:
    """Read a whole *head*, without the empty line at its end.

    Raises:
        HeadRefused: it is no head, or larger than is read.
    """
    first, *lines = head.decode(errors="surrogateescape").split("\r\n")
    method, target, version = _read_first(first, limits)
    if len(lines) > limits.lines:
        raise HeadRefused(f"The head has more than {limits.lines} headers.", 431)
    pairs: FieldPairs = []
    for number, line in enumerate(lines, 1):
        try:
            pairs.append(read_field(line))
        except ValueError as exc:
            reason = exc if ":" in line else "it has no colon"
            raise HeadRefused(f"Line {number} of the headers is none: {reason}.") from None
    target, pairs = _read_target(method, target, version, pairs)
    length = _read_length(version, pairs)
    return RequestHead(
        method,
        target,
        version,
        pairs,
        length,
        _read_keep_alive(version, pairs),
        _read_expects(version, pairs, length),
    )


def _read_first(first: str, limits: HeadLimits) -> tuple[str, str, str]:
    """Return method, target and version out of the request line."""
    parts = first.split(" ")
    if len(parts) != 3:
        raise HeadRefused("The request line is not a method, a target and a version.")
    method, target, protocol = parts
    if _is_token(method) is None:
        raise HeadRefused("The method is no token.")
    if protocol not in ("HTTP/1.1", "HTTP/1.0"):
        raise HeadRefused("The version is neither HTTP/1.1 nor HTTP/1.0.")
    if len(target) > limits.target:
        raise _too_long(limits)
    if _is_visible(target) is None:
        raise HeadRefused("The target has a character that no target may have.")
    return method, target, protocol[5:]


def _too_long(limits: HeadLimits) -> HeadRefused:
    return HeadRefused(f"The target is longer than {limits.target} characters.", 414)


def _read_target(
    method: str, target: str, version: str, pairs: FieldPairs
) -> tuple[str, FieldPairs]:
    """Check *target* and `Host`; return the target without its origin, and the headers with it."""
    hosts = sum(name == "host" for name, _ in pairs)
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise HeadRefused(f"The head has {hosts} Host headers; it needs one.")
    if method == "CONNECT":
        host, _, port = target.rpartition(":")
        if not (host and port and _is_host(target)):
            raise HeadRefused("The target of CONNECT is no host with a port.")
    elif target == "*":
        if method != "OPTIONS":
            raise HeadRefused(f"The target * is for OPTIONS, not for {shorten(method)}.")
    elif not target.startswith("/"):
        return _read_absolute(method, target, pairs)
    return target, pairs


def _read_absolute(method: str, target: str, pairs: FieldPairs) -> tuple[str, FieldPairs]:
    """Return the path of an absolute target, and the headers with its host (RFC 9112, 3.2.2)."""
    found = _absolute(target)
    if found is None or _is_host(found[1]) is None or found[1].startswith(":"):
        raise HeadRefused("The target is neither a path nor the URL of one.")
    host, path = found.groups()
    pairs = [("host", host), *(pair for pair in pairs if pair[0] != "host")]
    if not path:
        return "*" if method == "OPTIONS" else "/", pairs
    return path if path.startswith("/") else f"/{path}", pairs


def _read_length(version: str, pairs: FieldPairs) -> int | None:
    """Return how long the body is (RFC 9112, 6.1 to 6.3)."""
    lengths = [value for name, value in pairs if name == "content-length"]
    codings = _read_list("transfer-encoding", pairs)
    if codings is not None:
        if lengths or version == "1.0" or codings.count("chunked") != 1 or codings[-1] != "chunked":
            raise HeadRefused("Transfer-Encoding must end in chunked, and be alone, on HTTP/1.1.")
        if len(codings) > 1:
            raise HeadRefused("Only chunked is known as Transfer-Encoding.", 501)
        return CHUNKED
    if not lengths:
        return None
    if len(lengths) > 1 or _is_number(lengths[0]) is None:
        raise HeadRefused("Content-Length is not one number of bytes.")
    return int(lengths[0]) if len(lengths[0]) <= _LONGEST_NUMBER else _read_long(lengths[0])


def _read_long(digits: str) -> int:
    """Return a length of many *digits*; NOTE: Python refuses to read more than some thousand."""
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER


def _read_keep_alive(version: str, pairs: FieldPairs) -> bool:
    options = _read_list("connection", pairs) or []
    return "close" not in options and (version == "1.1" or "keep-alive" in options)


def _read_expects(version: str, pairs: FieldPairs, length: int | None) -> bool:
    expected = _read_list("expect", pairs)
    if expected is None or version == "1.0":
        return False
    if expected != ["100-continue"]:
        raise HeadRefused("Expect knows 100-continue only.", 417)
    return bool(length)


def _read_list(header: str, pairs: FieldPairs) -> list[str] | None:
    """Return the members of a list, in small letters; `None` where no line has the *header*."""
    values = [value for name, value in pairs if name == header]
    if not values:
        return None
    return [member.strip(" \t") for member in ",".join(values).lower().split(",")]
