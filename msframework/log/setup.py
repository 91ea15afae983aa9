"""`logging.yml` becomes the configuration of the process. Runs at start-up, in each worker."""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

import yaml

from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.log.encode import MAX_LINE, cut_text
from msframework.log.formatter import JsonFormatter
from msframework.log.redact import Redactor
from msframework.log.text import TextFormatter, is_terminal, wants_color
from msframework.log.writer import Writer, may_block
from msframework.tracing.lines import ATTRIBUTE

# As in `settings/logging.yml`.
DEFAULT: Final[Mapping[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "msframework.log.LineFormatter"}},
    "handlers": {"console": {"class": "msframework.log.ConsoleHandler", "formatter": "lines"}},
    "root": {"level": "INFO", "handlers": ["console"]},
    "loggers": {
        "msframework": {"level": "INFO"},
        "msframework.access": {"level": "INFO"},
        "zipkin": {"level": "INFO"},
        "sanic.root": {"level": "INFO"},
        "sanic.error": {"level": "INFO"},
        "sanic.access": {"level": "WARNING"},
        "sanic.server": {"level": "INFO"},
        "sanic.websockets": {"level": "INFO"},
        "asyncio": {"level": "WARNING"},
    },
}


class LineFormatter(JsonFormatter):
    """Writes JSON; `setup_logging` puts a `TextFormatter` in its place where people look at it."""


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever `sys.stderr` is at the moment, as tests and daemons replace it.

    Where somebody must read for writing to go on, a thread writes; a line without room is left
    out; `dropped` counts its lines.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self._known: TextIO | None = None
        self._writer: Writer | None = None

    @property
    def dropped(self) -> int:
        """The lines that were lost."""
        return 0 if self._writer is None else self._writer.dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*, or have it written."""
        stream = self.stream
        if stream is not self._known:
            self._follow(stream)
        if self._writer is None:
            super().emit(record)
            return
        try:
            self._writer.write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as a line that is no longer than lines may be."""
        text = super().format(record)
        if len(text) > MAX_LINE and not hasattr(record, ATTRIBUTE):
            text = cut_text(text, MAX_LINE)
        return text

    def flush(self) -> None:
        """Wait a moment for the lines that the thread has still to write."""
        if self._writer is None:
            super().flush()
        else:
            self._writer.flush()

    def close(self) -> None:
        """Write the lines that wait, and end the thread."""
        if self._writer is not None:
            self._writer.close()
        super().close()

    def _follow(self, stream: TextIO) -> None:
        if self._writer is not None:
            self._writer.close()
        self._known = stream
        self._writer = Writer(stream, self._note) if may_block(stream) else None

    def _note(self, count: int) -> str:
        text = "%d lines were left out, as nobody read standard error in time"
        record = logging.LogRecord(__name__, logging.WARNING, "", 0, text, (count,), None)
        return f"{self.format(record)}\n"

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The process's standard error."""
        return sys.stderr


def setup_logging(settings: Settings) -> None:
    """Configure logging from `LOGGING_CONFIG`, or with lines on standard error.

    Without `LOGGING_CONFIG`, a program that gave the root logger handlers keeps its configuration.
    Formatters of ours learn the service's name and which keys are never written; those that left
    it open become JSON or text, as `LOG_FORMAT` says.

    Raises:
        ImproperlyConfigured: the file is not there, is no YAML, or logging refuses it.
    """
    path = settings.log.config
    if path is not None:
        _apply(read_config(Path(path)), path)
    elif not logging.root.handlers:
        _apply(dict(DEFAULT), "the default")
    redactor = Redactor(settings.log.redact)
    for handler in _handlers():
        if isinstance(handler.formatter, LineFormatter):
            _choose_format(handler, settings.log.format)
        if isinstance(handler.formatter, TextFormatter):
            handler.addFilter(_is_no_span)
        if isinstance(handler.formatter, JsonFormatter):
            handler.formatter.adopt(settings.service_name, redactor)


def _choose_format(handler: logging.Handler, wanted: str) -> None:
    """Give *handler* a formatter for people where `LOG_FORMAT`, or its terminal, asks for it."""
    stream = getattr(handler, "stream", None)
    if wanted == "text" or (wanted == "auto" and is_terminal(stream)):
        handler.setFormatter(TextFormatter(color=wants_color(stream)))


def _is_no_span(record: logging.LogRecord) -> bool:
    """Keep spans, which only a machine reads, out of the lines for people."""
    return not (record.name == "zipkin" and ATTRIBUTE in record.__dict__)


def _apply(config: dict[str, Any], where: str) -> None:
    try:
        logging.config.dictConfig(config)
    except (ValueError, TypeError, AttributeError, ImportError) as exc:
        cause = f" ({exc.__cause__})" if exc.__cause__ is not None else ""
        raise ImproperlyConfigured(
            f"LOGGING_CONFIG: {where}: logging refuses it: {exc}{cause}. "
            "See logging.config's dictionary schema; a folder for log files has to exist."
        ) from exc


def read_config(path: Path) -> dict[str, Any]:
    """Read a logging configuration; existing loggers stay on unless it says otherwise.

    Raises:
        ImproperlyConfigured: as `setup_logging`.
    """
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ImproperlyConfigured(
            f"LOGGING_CONFIG: {path} cannot be read ({exc.strerror}). "
            "Give a path that exists, or leave the setting out for lines on standard error."
        ) from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise ImproperlyConfigured(f"LOGGING_CONFIG: {path} is no YAML: {exc}") from exc
    if not isinstance(config, dict):
        raise ImproperlyConfigured(
            f"LOGGING_CONFIG: {path} holds {type(config).__name__}, not a mapping "
            "with 'version', 'formatters', 'handlers', 'loggers' and 'root'."
        )
    return {"version": 1, "disable_existing_loggers": False, **config}


def _handlers() -> Iterator[logging.Handler]:
    """Yield every handler of every logger, and those behind a MemoryHandler."""
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in known:
        for handler in getattr(logger, "handlers", ()):
            yield handler
            target = getattr(handler, "target", None)
            if isinstance(target, logging.Handler):
                yield target
