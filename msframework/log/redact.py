"""The redactor of log lines, spans and errors; see `msframework.tracing.redact`."""

from msframework.tracing.redact import HIDDEN, Redactor

__all__ = ["HIDDEN", "Redactor"]
