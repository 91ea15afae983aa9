"""Access lines as JSON. Runs in the access log's task, for blocks of requests that are over.

PERF: msgspec writes a block of lines at once; numbers below a thousand and the second that is
written are looked up (benchmarks/tracing.py, row "access line").
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter, time
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.json import Encoder

from msframework.log.encode import MAX_LINE, cut_text, safe_text
from msframework.log.formatter import to_the_second

# When it ended and when it began (`perf_counter` seconds), method, path, status, bytes, address,
# request id, span.
AccessEntry = tuple[float, float | None, str, str, int, int, str, Any, Any]
_MAX_PATH: Final = 2048
_THREE_DIGITS: Final = tuple(f"{number:03d}" for number in range(1000))
_encode_lines: Final = Encoder().encode_lines


class _AccessRecord(Struct, rename={"timestamp": "@timestamp"}, gc=False):
    """The members of a line, in their order."""

    timestamp: str
    level: str
    logger: str
    service: str
    message: str
    method: str
    path: str
    status: int
    bytes: int
    duration_ms: float | None
    client_ip: str
    request_id: str
    trace_id: str | UnsetType
    span_id: str | UnsetType


class AccessLines:
    """Writes entries of the access log of *service* as lines of JSON."""

    def __init__(self, service: str) -> None:
        self._service = safe_text(service)

    def format(self, entries: Iterable[AccessEntry]) -> str:
        """Return one line for each of *entries*; there is no break after the last."""
        service, three = self._service, _THREE_DIGITS
        offset = time() - perf_counter()
        second, stamp = -1, ""
        lines = []
        for ended, began, method, path, status, size, address, request_id, span in entries:
            when = int((ended + offset) * 1000)
            if when // 1000 != second:
                second = when // 1000
                stamp = to_the_second(second)
            lines.append(
                _AccessRecord(
                    f"{stamp}.{three[when % 1000]}Z",
                    "INFO",
                    "msframework.access",
                    service,
                    f"{method} {path} {status}",
                    method,
                    path,
                    status,
                    size,
                    None if began is None else int((ended - began) * 1e6) / 1000,
                    address if address.__class__ is str else safe_text(address),
                    request_id if request_id.__class__ is str else safe_text(request_id),
                    UNSET if span is None else span.trace_id or UNSET,
                    UNSET if span is None else span.span_id or UNSET,
                )
            )
        try:
            block = _encode_lines(lines)
        except (TypeError, UnicodeEncodeError):
            block = _encode_lines([_clean(line) for line in lines])
        if len(block) > MAX_LINE:  # or none of its lines is too long
            block = b"".join(map(_bounded, lines))
        return block[:-1].decode()


def _bounded(line: _AccessRecord) -> bytes:
    """Return *line* as JSON, with a path that is far too long cut."""
    if len(line.path) > _MAX_PATH:
        line = _clean(line)
        line.path = cut_text(line.path, _MAX_PATH)
        line.message = f"{line.method[:_MAX_PATH]} {line.path} {line.status}"
        line.method = line.method[:_MAX_PATH]
    try:
        return _encode_lines([line])
    except (TypeError, UnicodeEncodeError):
        return _encode_lines([_clean(line)])


def _clean(line: _AccessRecord) -> _AccessRecord:
    """Return *line* with the values that msgspec refuses as plain text and numbers."""
    for name in line.__struct_fields__:
        value = getattr(line, name)
        if isinstance(value, str):
            setattr(line, name, safe_text(value))
        elif isinstance(value, int):
            setattr(line, name, int(value))
    return line
