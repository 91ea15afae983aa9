"""Logs: lines of JSON or text with trace ids, `@logger`, and the access log."""

from msframework.log.access import AccessLog
from msframework.log.decorator import logger
from msframework.log.formatter import JsonFormatter
from msframework.log.redact import Redactor
from msframework.log.setup import ConsoleHandler, LineFormatter, setup_logging
from msframework.log.text import TextFormatter

__all__ = [
    "AccessLog",
    "ConsoleHandler",
    "JsonFormatter",
    "LineFormatter",
    "Redactor",
    "TextFormatter",
    "logger",
    "setup_logging",
]
