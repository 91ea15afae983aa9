"""Access lines as JSON. Runs in the access log's task, for blocks of requests that are over.

PERF: one f-string a line, of parts that are text already; numbers below a thousand and the second
that is written are looked up, and only what a caller chose is escaped (benchmarks/tracing.py, row
"access line").
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter, time
from typing import Any, Final

from msframework.log.encode import encode_json, safe_text
from msframework.log.formatter import to_the_second

# When it ended and when it began (`perf_counter` seconds), method, path, status, bytes, address,
# request id, span.
Entry = tuple[float, float | None, str, str, int, int, str, Any, Any]
_THREE_DIGITS: Final = tuple(f"{number:03d}" for number in range(1000))
_MAX_KNOWN: Final = 1024


class AccessLines:
    """Writes entries of the access log of *service* as lines of JSON."""

    def __init__(self, service: str) -> None:
        self._service = inner_json(service)
        self._heads: dict[str, tuple[str, str]] = {}
        self._addresses: dict[str, str] = {}

    def format(self, entries: Iterable[Entry]) -> list[str]:
        """Return one line for each of *entries*, without its end."""
        heads, addresses, three = self._heads, self._addresses, _THREE_DIGITS
        offset = time() - perf_counter()
        second, stamp = -1, ""
        lines = []
        for ended, began, method, path, status, size, address, request_id, span in entries:
            when = int((ended + offset) * 1000)
            if when // 1000 != second:
                second = when // 1000
                stamp = to_the_second(second)
            head, verb = heads.get(method) or self._learn_method(method)
            place = addresses.get(address)
            if place is None:
                place = self._learn_address(address)
            if not (path.isascii() and path.isprintable()) or '"' in path or "\\" in path:
                path = inner_json(path)
            if request_id.__class__ is not str or not request_id.isalnum():
                request_id = inner_json(request_id)
            if began is None:
                took = "null"
            else:
                micros = int((ended - began) * 1e6)
                took = f"{micros // 1000}.{three[micros % 1000]}"
            if span is None or not span.trace_id:
                ids = "}"
            else:
                ids = f',"trace_id":"{span.trace_id}","span_id":"{span.span_id}"}}'
            lines.append(
                f'{{"@timestamp":"{stamp}.{three[when % 1000]}{head}{path} {status}","method":"'
                f'{verb}","path":"{path}","status":{status},"bytes":{size},"duration_ms":{took}'
                f',"client_ip":"{place}","request_id":"{request_id}"{ids}'
            )
        return lines

    def _learn_method(self, method: str) -> tuple[str, str]:
        """Return what stands before the path, and the method, both as JSON."""
        verb = inner_json(method)
        head = (
            'Z","level":"INFO","logger":"msframework.access","service":"'
            f'{self._service}","message":"{verb} '
        )
        if len(self._heads) < _MAX_KNOWN:
            self._heads[method] = head, verb
        return head, verb

    def _learn_address(self, address: str) -> str:
        place = inner_json(address)
        if len(self._addresses) >= _MAX_KNOWN:
            self._addresses.clear()
        self._addresses[address] = place
        return place


def inner_json(value: object) -> str:
    """Return *value* as text between the quotes of a JSON string; cannot fail."""
    return encode_json(safe_text(value))[1:-1]
