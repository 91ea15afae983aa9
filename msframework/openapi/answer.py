"""What an operation answers: each success in its envelope, each failure by status.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from marshmallow import Schema

from msframework.compile.request import text_params
from msframework.envelope import DefaultEnvelope, Envelope, ErrorFacts
from msframework.exceptions import (
    Code,
    Forbidden,
    InvalidInput,
    MalformedJSON,
    NotFound,
    PayloadTooLarge,
    ServerError,
    ServiceException,
    ServiceUnavailable,
    Unauthorized,
    UnsupportedMediaType,
    default_code,
)
from msframework.openapi.components import Registry
from msframework.openapi.converter import View
from msframework.operation import Answer, Operation, Source
from msframework.types import JSONObject

_BODILESS = (204, 205, 304)
_BODIES = (Source.BODY, Source.FORM, Source.FILES)
_LOCATIONS = ("path", "query", "headers", "cookies", "body", "form", "files")
_AT_LEAST_ONE: JSONObject = {"type": "integer", "minimum": 1}
_AT_LEAST_NONE: JSONObject = {"type": "integer", "minimum": 0}


@dataclass(frozen=True, slots=True)
class Case:
    """One failure of an operation, as the document shows it."""

    name: str
    status: int
    code: Code
    message: str
    description: str
    error: Any = None


def build_responses(operation: Operation, registry: Registry) -> JSONObject:
    """Return the responses of *operation* by status, successes first."""
    envelope = operation.envelope or DefaultEnvelope()
    found: JSONObject = {}
    for number, answer in enumerate(operation.answers):
        paged = operation.page is not None and number == 0
        found[str(answer.status)] = _success(answer, operation, envelope, registry, paged=paged)
    cases: dict[int, list[Case]] = {}
    for case in _cases(operation):
        cases.setdefault(case.status, []).append(case)
    for status in sorted(cases):
        found[str(status)] = _shared_failure(cases[status], envelope, registry)
    return found


def _success(
    answer: Answer, operation: Operation, envelope: Envelope, registry: Registry, *, paged: bool
) -> JSONObject:
    found: JSONObject = {"description": answer.description or _phrase(answer.status)}
    if answer.status in _BODILESS:
        return found
    data = None if answer.schema is None else registry.refer(answer.schema, View())
    if paged:
        rows = data if _is_many(answer.schema) else {"type": "array", "items": data or {}}
        schema = envelope.document_page(rows or {}, _pagination(operation, registry))
    else:
        schema = envelope.document_data(data)
    return {**found, "content": {"application/json": {"schema": schema}}}


def _is_many(schema: Schema | None) -> bool:
    return schema is not None and bool(schema.many)


def _pagination(operation: Operation, registry: Registry) -> JSONObject:
    names = {"page": _AT_LEAST_ONE, "per_page": _AT_LEAST_ONE}
    if operation.page is not None and operation.page.total:
        names |= {"total": _AT_LEAST_NONE, "pages": _AT_LEAST_NONE}
    properties = {name: dict(schema) for name, schema in names.items()}
    body = {"type": "object", "properties": properties, "required": list(names)}
    return registry.refer_own("Pagination", body)


def _cases(operation: Operation) -> Iterator[Case]:
    """Yield what may go wrong: what was declared, then what every operation of its kind has."""
    for failure in operation.failures:
        yield _case(failure.exception, failure.description)
    sources = [item.source for item in operation.inputs]
    if Source.BODY in sources:
        yield _case(MalformedJSON, "The body is no JSON.")
    if operation.security:
        yield _case(Unauthorized, "Credentials are missing or wrong.")
        yield _case(Forbidden, "The caller may not do this.")
    if operation.path_params:
        yield _case(NotFound, "There is no such resource.")
    if any(source in _BODIES for source in sources):
        yield _case(PayloadTooLarge, "The body is larger than the service takes.")
        yield _case(UnsupportedMediaType, "The body is of another media type.")
    error = _example_error(operation)
    if error is not None:
        yield _case(InvalidInput, "The input is refused; `error` says where and why.", error)
    yield _case(ServerError, "The service failed.")
    yield _case(ServiceUnavailable, "The service, or what it needs, cannot answer now.")


def _case(exception: type[ServiceException], description: str, error: Any = None) -> Case:
    status = exception.status_code
    code = default_code(status) if exception.code is None else exception.code
    message = exception.message
    return Case(exception.__name__, status, code, message, description or message, error)


def _example_error(operation: Operation) -> Any:
    """Return errors such as this operation's inputs could give, `None` where none can be wrong."""
    for item in operation.inputs:
        needed = [field for field in item.schema.load_fields.values() if field.required]
        if needed and not item.partial:
            key = needed[0].data_key or needed[0].name
            return {item.source.value: {key: ["Missing data for required field."]}}
    for item in operation.inputs:
        for field in item.schema.load_fields.values():
            key = field.data_key or field.name
            return {item.source.value: {key: ["Field may not be null."]}}
    if operation.page is not None:
        return {"query": {"page": ["Not a valid integer."]}}
    if operation.inputs:
        return {operation.inputs[0].source.value: {"name": ["Unknown field."]}}
    names = text_params(operation.path_params)
    return {"path": {names[0]: ["Null characters are not allowed."]}} if names else None


def _shared_failure(cases: Sequence[Case], envelope: Envelope, registry: Registry) -> JSONObject:
    if any(case.error is not None for case in cases):
        return _failure(cases, envelope, registry)
    # PERF: most operations fail in the same ways (benchmarks/startup.py).
    key = (id(envelope), *cases)
    return registry.share(key, lambda: _failure(cases, envelope, registry))


def _failure(cases: Sequence[Case], envelope: Envelope, registry: Registry) -> JSONObject:
    schemas: list[JSONObject] = []
    examples: JSONObject = {}
    for case in cases:
        own = case.name == InvalidInput.__name__ and case.error is not None
        schema = _error_schema(envelope, registry, own=own)
        if schema not in schemas:
            schemas.append(schema)
        facts = ErrorFacts(case.status, case.code, case.message, case.error)
        shown = {"summary": case.description, "value": envelope.error(facts)}
        examples.setdefault(_free_name(case.name, shown, examples), shown)
    described = dict.fromkeys(case.description for case in cases)
    media = {
        "schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas},
        "examples": examples,
    }
    return {
        "description": " ".join(text if text.endswith(".") else f"{text}." for text in described),
        "content": {envelope.error_content_type: media},
    }


def _error_schema(envelope: Envelope, registry: Registry, *, own: bool) -> JSONObject:
    def make() -> JSONObject:
        name, error = ("InvalidInput", _input_errors(registry)) if own else ("Error", None)
        return registry.refer_own(_maker(envelope) + name, envelope.document_error(error))

    return registry.share((id(envelope), own), make)


def _maker(envelope: Envelope) -> str:
    """Return what tells the errors of an envelope from those of the default one."""
    owner = type(envelope).document_error.__qualname__.rpartition(".")[0].rpartition(".")[2]
    return "" if owner == DefaultEnvelope.__name__ else owner.removesuffix("Envelope")


def _free_name(name: str, shown: JSONObject, examples: JSONObject) -> str:
    candidate, number = name, 2
    while candidate in examples and examples[candidate] != shown:
        candidate, number = f"{name}{number}", number + 1
    return candidate


def _input_errors(registry: Registry) -> JSONObject:
    """Return the schema of errors by location: marshmallow's messages, nested as the input is."""
    texts: JSONObject = {"type": "array", "items": {"type": "string"}}
    inner = {"anyOf": [texts, {"type": "object"}]}
    messages = registry.refer_own("Messages", {"type": "object", "additionalProperties": inner})
    places = {name: dict(messages) for name in _LOCATIONS}
    return {"type": "object", "properties": places, "additionalProperties": False}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
