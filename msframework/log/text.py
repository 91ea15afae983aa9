"""Log records as lines for people, in colour on a terminal. Runs per log line."""

from __future__ import annotations

import json
import logging
import os
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TextIO

from msframework.log.encode import MAX_LINE, cut_text, encode_json
from msframework.log.formatter import JsonFormatter
from msframework.tracing.lines import ATTRIBUTE

_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_LEVELS: Final = {
    "DEBUG": "\x1b[36m",
    "INFO": "\x1b[32m",
    "WARNING": "\x1b[33m",
    "ERROR": "\x1b[31m",
    "CRITICAL": "\x1b[1;31m",
}
_STATUSES: Final = {"4": _LEVELS["WARNING"], "5": _LEVELS["ERROR"]}
_SHORT: Final = 8  # characters of a trace id
_LONGEST: Final = 200  # characters of one extra
# The fields that the line shows in another place, or that only a machine asks for.
_ELSEWHERE: Final = frozenset(
    (
        *("@timestamp", "level", "logger", "message", "service"),
        *("trace_id", "span_id", "request_id", "exception", "stack", "stack_info"),
        *("category", "description", "type", "function"),
    )
)


class TextFormatter(JsonFormatter):
    """Writes each record as one line: time, level, logger, message, extras, trace id.

    A traceback follows in lines of its own. Control characters are written as escapes.

    Args:
        color: whether levels are coloured; `setup_logging` decides it for the console.
    """

    def __init__(self, *args: Any, color: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.color = color

    def format(self, record: logging.LogRecord) -> str:
        """Return *record*, or each of the JSON lines that it holds, as a line of text."""
        try:
            if ATTRIBUTE in record.__dict__:
                return "\n".join(map(self._ready, str(record.msg).split("\n")))
            return cut_text(self._line(self._fields(record), record.created), MAX_LINE)
        except Exception:
            return printable(super().format(record))

    def _ready(self, line: str) -> str:
        """Return a ready line of JSON as text: an access line as such, any other as it is."""
        fields = json.loads(line)
        if "status" not in fields or "@timestamp" not in fields:
            return printable(line)
        when = datetime.fromisoformat(fields["@timestamp"]).timestamp()
        status, took = str(fields["status"]), fields.get("duration_ms")
        said = f"{printable(fields['method'])} {printable(fields['path'])} "
        said += self._paint(_STATUSES.get(status[0], ""), status)
        if took is not None:
            said += f" {took:.1f} ms"
        return self._join(when, fields, "access", said, {})

    def _line(self, fields: Mapping[str, Any], created: float) -> str:
        extras = {name: value for name, value in fields.items() if name not in _ELSEWHERE}
        name = str(fields["logger"])
        if kind := fields.get("type"):
            name = f"{kind} {name}"
        line = self._join(created, fields, name, printable(str(fields["message"])), extras)
        for key in ("exception", "stack_info"):
            if text := fields.get(key):
                line += "\n" + "\n".join(map(printable, str(text).splitlines()))
        return line

    def _join(
        self, when: float, fields: Mapping[str, Any], name: str, said: str, extras: dict[str, Any]
    ) -> str:
        moment = datetime.fromtimestamp(when)
        level = str(fields["level"])
        parts = [
            self._paint(_DIM, f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"),
            self._paint(_LEVELS.get(level, ""), f"{level:7}"),
            self._paint(_DIM, f"{printable(name)}:"),
            said,
        ]
        parts += [self._paint(_DIM, _shown(key, value)) for key, value in extras.items()]
        if trace := fields.get("trace_id"):
            parts.append(self._paint(_DIM, f"trace={printable(str(trace)[:_SHORT])}"))
        return " ".join(parts)

    def _paint(self, code: str, text: str) -> str:
        return f"{code}{text}{_RESET}" if self.color and code else text


def _shown(name: str, value: object) -> str:
    text = printable(value if isinstance(value, str) else encode_json(value))
    return f"{printable(name)}={text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}"


def printable(text: str) -> str:
    """Return *text* with escapes for characters that cannot be printed, line breaks included."""
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(char: str) -> str:
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return char.encode("unicode_escape", "backslashreplace").decode()


def wants_color(stream: TextIO | None) -> bool:
    """Tell whether *stream* takes colours: `NO_COLOR` forbids, `FORCE_COLOR` asks for them."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a person looks at *stream*."""
    try:
        return stream is not None and bool(stream.isatty())
    except (AttributeError, ValueError):  # no file, or one that is closed
        return False
