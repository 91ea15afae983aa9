"""Envelopes: the shape of answers, `{code, data}`, and of failures, `{code, message, error}`.

An envelope is asked at start-up for the bytes that stand around the data, and for its part of the
OpenAPI document; per request only `error` runs, and only where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol

from msframework._imports import import_object
from msframework.exceptions import Code, ImproperlyConfigured
from msframework.types import JSONObject, JSONValue

# The JSON Schema of a code. The document says `integer` where a service declares no other codes.
CODE: Final[JSONObject] = {"anyOf": [{"type": "integer"}, {"type": "string"}]}


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """The facts of a failure that an envelope may show."""

    status: int
    code: Code
    message: str
    error: JSONValue = None
    path: str = ""
    traceback: str | None = None


class Envelope(Protocol):
    """How answers are wrapped. `ENVELOPE` and a Resource's `envelope` name an implementation."""

    error_content_type: str

    def around_data(self) -> tuple[bytes, bytes]:
        """Return the bytes before and after the JSON of the data."""

    def around_page(self) -> tuple[bytes, bytes, bytes]:
        """Return the bytes before the data, between data and pagination, and after it."""

    def numbers(self, pagination: Mapping[str, object]) -> JSONValue:
        """Return the pagination of a page as it is written, between the last bytes around it."""

    def error(self, facts: ErrorFacts) -> JSONObject:
        """Return the body of a failure."""

    def document_data(self, data: JSONObject | None) -> JSONObject:
        """Return the JSON Schema of a success whose data has the schema *data*."""

    def document_page(self, data: JSONObject, pagination: JSONObject) -> JSONObject:
        """Return the JSON Schema of a page."""

    def document_error(self, error: JSONObject | None) -> JSONObject:
        """Return the JSON Schema of a failure whose `error` has the schema *error*."""

    def unwrap(self, body: JSONValue) -> JSONValue:
        """Return the data of a success that was sent in this envelope."""


class DefaultEnvelope:
    """`{"code": 0, "data": …}`, and `{"code", "message", "error"}` for failures."""

    error_content_type = "application/json"

    def around_data(self) -> tuple[bytes, bytes]:
        return b'{"code":0,"data":', b"}"

    def around_page(self) -> tuple[bytes, bytes, bytes]:
        return b'{"code":0,"data":', b',"pagination":', b"}"

    def numbers(self, pagination: Mapping[str, object]) -> JSONValue:
        return pagination

    def error(self, facts: ErrorFacts) -> JSONObject:
        body: JSONObject = {"code": facts.code, "message": facts.message}
        if facts.error is not None:
            body["error"] = facts.error
        if facts.traceback is not None:
            body["traceback"] = facts.traceback
        return body

    def document_data(self, data: JSONObject | None) -> JSONObject:
        return {
            "type": "object",
            "properties": {"code": {"type": "integer", "enum": [0]}, "data": data or {}},
            "required": ["code", "data"],
        }

    def document_page(self, data: JSONObject, pagination: JSONObject) -> JSONObject:
        schema = self.document_data(data)
        schema["properties"]["pagination"] = pagination
        schema["required"] = ["code", "data", "pagination"]
        return schema

    def document_error(self, error: JSONObject | None) -> JSONObject:
        return {
            "type": "object",
            "properties": {
                "code": CODE,
                "message": {"type": "string"},
                "error": error or {},
            },
            "required": ["code", "message"],
        }

    def unwrap(self, body: JSONValue) -> JSONValue:
        return body["data"] if isinstance(body, dict) and "data" in body else body


class Bare(DefaultEnvelope):
    """The envelope of `ENVELOPE = None`: the data as it is; failures keep the default's body."""

    def around_data(self) -> tuple[bytes, bytes]:
        return b"", b""

    def around_page(self) -> tuple[bytes, bytes, bytes]:
        return b'{"data":', b',"pagination":', b"}"

    def document_data(self, data: JSONObject | None) -> JSONObject:
        return data or {}

    def document_page(self, data: JSONObject, pagination: JSONObject) -> JSONObject:
        return {
            "type": "object",
            "properties": {"data": data, "pagination": pagination},
            "required": ["data", "pagination"],
        }

    def unwrap(self, body: JSONValue) -> JSONValue:
        return body


class ProblemDetails(Bare):
    """Bare data, and failures as RFC 9457 problem details (`application/problem+json`)."""

    error_content_type = "application/problem+json"

    def error(self, facts: ErrorFacts) -> JSONObject:
        body: JSONObject = {
            "type": "about:blank",
            "title": _phrase(facts.status) or facts.message,
            "status": facts.status,
            "detail": facts.error if isinstance(facts.error, str) else facts.message,
            "instance": facts.path,
            "code": facts.code,
        }
        if facts.error is not None and not isinstance(facts.error, str):
            body["errors"] = facts.error
        if facts.traceback is not None:
            body["traceback"] = facts.traceback
        return body

    def document_error(self, error: JSONObject | None) -> JSONObject:
        return {
            "type": "object",
            "properties": {
                "type": {"type": "string", "format": "uri-reference"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "instance": {"type": "string", "format": "uri-reference"},
                "code": CODE,
                "errors": error or {},
            },
            "required": ["type", "title", "status"],
        }


def read_envelope(value: object, where: str) -> Envelope:
    """Return the envelope that a setting or a Resource names; `None` means bare bodies."""
    if isinstance(value, str):
        value = import_object(value, where=where)
    if value is None:
        return Bare()
    envelope: Any = value() if isinstance(value, type) else value
    missing = [
        name for name in ("around_data", "around_page", "error") if not hasattr(envelope, name)
    ]
    if missing:
        raise ImproperlyConfigured(
            f"{where}: {value!r} is no envelope: it has no {', '.join(missing)}. "
            "Derive it from msframework.envelope.DefaultEnvelope."
        )
    named: Envelope = envelope
    return named


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
