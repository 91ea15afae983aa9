"""JSON lines that are ready, handed to a logger many at a time.

Runs in the tasks that write access lines and spans, never in a request. A record of these has the
attribute `json_lines`; a formatter that knows it has the attribute too, and writes the message
as it is.
"""

from __future__ import annotations

import logging
from typing import Final

ATTRIBUTE: Final = "json_lines"


def write_lines(logger: logging.Logger, block: str) -> None:
    """Write each line of *block* to *logger* at INFO; to streams and files all at once."""
    if not block:
        return
    for line in [block] if _takes_blocks(logger) else block.split("\n"):
        logger.handle(_record(logger, line))


def _record(logger: logging.Logger, message: str) -> logging.LogRecord:
    record = logging.LogRecord(logger.name, logging.INFO, "", 0, message, None, None)
    record.__dict__[ATTRIBUTE] = True
    return record


def _takes_blocks(logger: logging.Logger) -> bool:
    """Return whether all that *logger* does with a line is to write it to streams as it is."""
    if logger.filters:
        return False
    current: logging.Logger | None = logger
    while current is not None:
        if not all(map(_writes_unchanged, current.handlers)):
            return False
        current = current.parent if current.propagate else None
    return True


def _writes_unchanged(handler: logging.Handler) -> bool:
    """Return whether *handler* is a stream's, looks at no record, and adds nothing to a line."""
    formatter = handler.formatter
    return (
        isinstance(handler, logging.StreamHandler)
        and not handler.filters
        and (formatter is None or hasattr(formatter, ATTRIBUTE))
    )
