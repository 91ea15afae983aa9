"""Log records as JSON lines, for Elasticsearch and its like. Runs per log line."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from sanic.request import Request

from msframework.log.encode import (
    MAX_LINE,
    cut_text,
    encode_json,
    escape_surrogates,
    safe_text,
)
from msframework.log.redact import HIDDEN, Redactor
from msframework.tracing.context import current_span
from msframework.tracing.lines import ATTRIBUTE

DEFAULT_REDACT: Final = ("password", "token", "authorization", "cookie", "secret")
_STANDARD: Final = frozenset(
    (*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", ATTRIBUTE)
)
# NOTE: Sanic documents no way to the request that doesn't raise where there is none.
_CURRENT: Final = getattr(Request, "_current", None)
_MOST_TEXT: Final = 4 * MAX_LINE  # characters of a text that are looked at
_MOST_FIELDS: Final = 64  # of a line that is too long
_LEAST: Final = 64
_ROOMS: Final = (8192, 1024, _LEAST)  # bytes of each field; the first that is small enough
_IDS: Final = ("trace_id", "span_id", "request_id")


class JsonFormatter(logging.Formatter):
    """Writes each record as one JSON object; cannot fail.

    The fields are `@timestamp` (RFC 3339, UTC), `level`, `logger`, `message`, `service`, `trace_id`
    and `span_id` where a span is current, `request_id` in a request, `exception` (text) and `stack`
    (its lines) where there is one, and everything given as `extra`.

    Args:
        service: the name of the service; that of the settings when it is left out.
        redact: keys whose values are never written; `setup_logging` likewise.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: str = "%",
        validate: bool = True,
        *,
        defaults: Mapping[str, Any] | None = None,
        service: str = "",
        redact: Iterable[str] = DEFAULT_REDACT,
    ) -> None:
        # NOTE: fmt and its like are taken for logging.config's sake; the fields are fixed.
        super().__init__()
        self.service, self._named = service, bool(service)
        self.redactor = Redactor(redact)

    # Read by `tracing.lines`: this formatter leaves ready lines as they are.
    json_lines = True

    def adopt(self, service: str, redactor: Redactor) -> None:
        """Take over the settings: the name, unless one was given, and the keys to hide."""
        if not self._named:
            self.service = service
        self.redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as a line of JSON; lines that are JSON already stay as they are."""
        if ATTRIBUTE in record.__dict__:
            return escape_surrogates(record.msg)
        try:
            line = encode_json(self._fields(record))
            return line if len(line) <= MAX_LINE else self._shorten(record)
        except Exception as exc:
            return encode_json(
                {
                    "@timestamp": timestamp(record.created),
                    "level": safe_text(record.levelname),
                    "logger": safe_text(record.name),
                    "message": safe_text(record.msg),
                    "format_error": safe_text(exc),
                }
            )

    def _shorten(self, record: logging.LogRecord) -> str:
        """Return *record* as a line that is not too long: its longest fields are cut."""
        fields = self._fields(record)
        fields.pop("stack", None)  # the traceback is there as text, too
        some = dict(islice(fields.items(), _MOST_FIELDS))
        for room in _ROOMS:
            short = {key[:_LEAST]: _short(value, room) for key, value in some.items()}
            cut = [key[:_LEAST] for key in some if short[key[:_LEAST]] is not some[key]]
            line = encode_json({**short, "cut": cut})
            if len(line) <= MAX_LINE:
                break
        return line

    def _clean(self, text: str) -> str:
        """Return *text* without secrets; only beginning and end of one that is far too long."""
        return self.redactor.scrub(cut_text(text, _MOST_TEXT))

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        given = record.__dict__
        fields: dict[str, Any] = {
            "@timestamp": timestamp(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": self._clean(_message(record)),
        }
        if self.service:
            fields["service"] = self.service
        found = _current_ids()
        for name in _IDS:
            value = given.get(name) or found.get(name)
            if value:
                fields[name] = value
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            text = self._clean(record.exc_text)
            fields["exception"], fields["stack"] = text, text.splitlines()
        if record.stack_info:
            fields["stack_info"] = self._clean(record.stack_info)
        for name, value in given.items():
            if name not in _STANDARD and name not in fields and name not in _IDS:
                hidden = self.redactor.hides(name)
                fields[name] = HIDDEN if hidden else self.redactor.redact(value)
        return fields


def _short(value: object, room: int) -> object:
    """Return *value*, or its text in about *room* characters where it is longer as JSON."""
    text = encode_json(value)
    if len(text) <= room:
        return value
    return cut_text(value if isinstance(value, str) else text, room // 2)


def timestamp(seconds: float) -> str:
    """Return *seconds* since the epoch in RFC 3339, in UTC, to the millisecond."""
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{to_the_second(whole)}.{milliseconds:03d}Z"


# PERF: lines come many to a second (benchmarks/tracing.py, row "access line").
@lru_cache(maxsize=16)
def to_the_second(seconds: int) -> str:
    """Return *seconds* since the epoch as RFC 3339 has them, without a zone."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:
        return f"{safe_text(record.msg)} {safe_text(record.args)}"


def _current_ids() -> dict[str, str]:
    """Return the ids of the current span and request; those of a request that is over don't count.

    A connection's task keeps Sanic's variable between its requests, hence the look at the stream;
    a task that the request began keeps the span.
    """
    ids: dict[str, str] = {}
    span = current_span()
    trace_id = getattr(span, "trace_id", None)
    if span is not None and trace_id:
        ids["trace_id"], ids["span_id"] = trace_id, span.span_id
    request: Any = None if _CURRENT is None else _CURRENT.get(None)
    if request is not None and (request.stream is not None or trace_id):
        ids["request_id"] = str(request.id)
    return ids
