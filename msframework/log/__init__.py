"""Logs: JSON lines with trace ids, `@logger`, and the access log."""

from msframework.log.access import AccessLog
from msframework.log.decorator import logger
from msframework.log.formatter import JsonFormatter
from msframework.log.redact import Redactor
from msframework.log.setup import ConsoleHandler, setup_logging

__all__ = ["AccessLog", "ConsoleHandler", "JsonFormatter", "Redactor", "logger", "setup_logging"]
