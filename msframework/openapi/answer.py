"""The answers of an operation: each success in its envelope, each failure by status.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from marshmallow import Schema

from msframework.envelope import CODE, DefaultEnvelope, Envelope, ErrorFacts
from msframework.exceptions import Code, Forbidden, InvalidInput, Unauthorized, default_code
from msframework.openapi.components import Registry
from msframework.openapi.converter import View
from msframework.openapi.headers import (
    OF_RATES,
    describe_challenge,
    describe_headers,
    failure_headers,
)
from msframework.openapi.security import read_challenge, read_scope_challenge
from msframework.operation import Answer, Failure, Operation, Paging
from msframework.response import BODYLESS
from msframework.types import JSONObject

_INTEGER: JSONObject = {"type": "integer"}
_LOCATIONS = ("path", "query", "headers", "cookies", "body", "form", "files")


@dataclass(frozen=True, slots=True)
class Case:
    """One failure of an operation, as the document shows it."""

    name: str
    status: int
    code: Code
    message: str
    description: str
    error: object = None
    headers: tuple[str, ...] = ()
    challenge: str = ""


def code_schema(operations: Iterable[Operation]) -> JSONObject:
    """Return the schema of the codes of a service: whole numbers, where it declares no others."""
    declared = {failure.exception.code for one in operations for failure in one.failures}
    return _INTEGER if all(isinstance(code, int | None) for code in declared) else CODE


def build_responses(operation: Operation, registry: Registry, code: JSONObject) -> JSONObject:
    """Return the responses of *operation* by status, successes first."""
    envelope = operation.envelope or DefaultEnvelope()
    found: JSONObject = {}
    limits = OF_RATES if operation.rates else ()
    for number, answer in enumerate(operation.answers):
        paging = operation.page if number == 0 else None
        found[str(answer.status)] = _success(answer, paging, envelope, registry, limits)
    cases: dict[int, list[Case]] = {}
    challenges = {
        Unauthorized.status_code: read_challenge(operation),
        Forbidden.status_code: read_scope_challenge(operation),
    }
    for case in (_case(failure, challenges, limits) for failure in operation.failures):
        cases.setdefault(case.status, []).append(case)
    for status in sorted(cases):
        found[str(status)] = _shared_failure(cases[status], envelope, registry, code)
    return found


def _success(
    answer: Answer,
    paging: Paging | None,
    envelope: Envelope,
    registry: Registry,
    limits: tuple[str, ...],
) -> JSONObject:
    found: JSONObject = {"description": answer.description or _phrase(answer.status)}
    general = limits if paging is None else (*limits, "Link")
    if answer.headers or general:
        found["headers"] = describe_headers({**dict.fromkeys(general, ""), **dict(answer.headers)})
    if answer.status in BODYLESS:
        return found
    data = None if answer.schema is None else registry.refer(answer.schema, View())
    many = _is_many(answer.schema)
    if answer.key:
        data = under_key(answer.key, data or {})
    if paging is not None:
        rows = data if many or answer.key else {"type": "array", "items": data or {}}
        pagination = registry.refer_own(paging.component, paging.document_pagination())
        schema = envelope.document_page(rows or {}, pagination)
    else:
        schema = envelope.document_data(data)
    return {**found, "content": {"application/json": {"schema": schema}}}


def under_key(key: str, schema: JSONObject) -> JSONObject:
    """Return the schema of an object that has data of *schema* under *key*, and nothing else."""
    return {
        "type": "object",
        "properties": {key: schema},
        "required": [key],
        "additionalProperties": False,
    }


def _is_many(schema: Schema | None) -> bool:
    return schema is not None and bool(schema.many)


def _case(failure: Failure, challenges: Mapping[int, str], limits: tuple[str, ...]) -> Case:
    exception = failure.exception
    status, message = exception.status_code, exception.message
    code = default_code(status) if exception.code is None else exception.code
    description = failure.description or message
    headers = (*exception.headers, *(limits if status == 429 else ()))
    return Case(
        exception.__name__,
        status,
        code,
        message,
        description,
        exception.error if failure.example is None else failure.example,
        headers,
        # A service raises its own kinds of 403 for other reasons than scopes.
        challenges.get(status, "") if status == 401 or exception is Forbidden else "",
    )


def _shared_failure(
    cases: Sequence[Case], envelope: Envelope, registry: Registry, code: JSONObject
) -> JSONObject:
    if any(case.error is not None for case in cases):
        return _failure(cases, envelope, registry, code)
    # PERF: most operations fail in the same ways (benchmarks/startup.py).
    key = (id(envelope), *cases)
    return registry.share(key, lambda: _failure(cases, envelope, registry, code))


def _failure(
    cases: Sequence[Case], envelope: Envelope, registry: Registry, code: JSONObject
) -> JSONObject:
    schemas: list[JSONObject] = []
    examples: JSONObject = {}
    for case in cases:
        own = case.name == InvalidInput.__name__ and case.error is not None
        schema = _error_schema(envelope, registry, code, own=own)
        if schema not in schemas:
            schemas.append(schema)
        _add_example(examples, case, envelope)
    described = dict.fromkeys(case.description for case in cases)
    media = {
        "schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas},
        "examples": examples,
    }
    headers = failure_headers(cases[0].status, (name for case in cases for name in case.headers))
    for challenge in filter(None, (case.challenge for case in cases)):
        headers |= describe_challenge(cases[0].status, challenge)
    return {
        "description": " ".join(text if text.endswith(".") else f"{text}." for text in described),
        **({"headers": headers} if headers else {}),
        "content": {envelope.error_content_type: media},
    }


def _add_example(examples: JSONObject, case: Case, envelope: Envelope) -> None:
    """Show *case* by its exception's name; of two classes of one name the codes tell them apart."""
    facts = ErrorFacts(case.status, case.code, case.message, case.error)
    value = envelope.error(facts)
    for name in (case.name, f"{case.name}_{case.code}"):
        shown = examples.setdefault(name, {"summary": case.description, "value": value})
        if shown["value"] == value:
            return


def _error_schema(
    envelope: Envelope, registry: Registry, code: JSONObject, *, own: bool
) -> JSONObject:
    def make() -> JSONObject:
        name, error = ("InvalidInput", _input_errors(registry)) if own else ("Error", None)
        body = envelope.document_error(error)
        members = body.get("properties", {})
        if members.get("code") == CODE:
            body = {**body, "properties": {**members, "code": code}}
        return registry.refer_own(_prefix_of(envelope) + name, body)

    return registry.share((id(envelope), own), make)


def _prefix_of(envelope: Envelope) -> str:
    """Return the prefix of the names of an envelope's errors; none for the default one's."""
    owner = type(envelope).document_error.__qualname__.rpartition(".")[0].rpartition(".")[2]
    return "" if owner == DefaultEnvelope.__name__ else owner.removesuffix("Envelope")


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
