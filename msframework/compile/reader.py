"""Reads registered routes into frozen Operations, and finds every mistake in their declarations.

Runs at start-up.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from msframework._place import full_name, place_of
from msframework.access.registry import ServiceAccess
from msframework.compile.failures import complete_failures, read_failures
from msframework.compile.guarding import (
    Surroundings,
    find_lost_guards,
    read_access,
)
from msframework.compile.inputs import decorator_of, read_inputs, read_key
from msframework.compile.operation_id import operation_id
from msframework.compile.priority import read_priority
from msframework.compile.provider import add_security, is_failure, join_security, read_provisions
from msframework.compile.rates import asks_principal, read_rates
from msframework.compile.returns import check_returns
from msframework.compile.schema import KnownSchemas
from msframework.compile.shared import shared_notes
from msframework.compile.signature import check_path_taken, read_arguments
from msframework.doc import Notes, notes_of
from msframework.envelope import Envelope, read_envelope
from msframework.exceptions import ImproperlyConfigured
from msframework.operation import Answer, Failure, Operation, OperationText, path_params
from msframework.problem import Problem
from msframework.provider import ProvidedValue
from msframework.resource import Resource, resource_of
from msframework.response import BODYLESS
from msframework.types import UNSET, Handler


@dataclass(slots=True)
class Endpoint:
    """One method of one route, as it was registered."""

    method: str
    path: str
    handler: Handler
    blueprint: str
    name: str
    providers: Mapping[str, ProvidedValue] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    notes: Notes = field(default_factory=Notes)
    guards: object = ()
    id: str = ""

    @property
    def where(self) -> str:
        """File, line and name of the handler, for messages."""
        return place_of(self.handler, self.name)


def read_operations(
    endpoints: Iterable[Endpoint],
    envelope: Envelope,
    problems: list[str],
    schemas: KnownSchemas | None = None,
    access: ServiceAccess | None = None,
) -> tuple[Operation, ...]:
    """Read every endpoint; append to *problems* whatever is wrong, and read on.

    Args:
        access: the authenticators and guards of the service.
        schemas: the schemas of earlier readings; those that are declared alike are made once.
    """
    schemas = KnownSchemas() if schemas is None else schemas
    access = ServiceAccess() if access is None else access
    operations = []
    for endpoint in endpoints:
        before = len(problems)
        operation = _read(endpoint, envelope, problems, schemas, access)
        if len(problems) == before:
            operations.append(operation)
    return tuple(operations)


def _read(
    endpoint: Endpoint,
    service_envelope: Envelope,
    problems: list[str],
    schemas: KnownSchemas,
    service_access: ServiceAccess,
) -> Operation:
    handler, where = endpoint.handler, endpoint.where
    notes = notes_of(handler)
    resource = resource_of(handler)
    shared = shared_notes(resource)
    params = path_params(endpoint.path)
    outer = endpoint.notes
    _check_notes(notes, shared, endpoint, resource, problems)
    check_returns(handler, where, problems)
    knows_callers = bool(service_access.authenticators)
    arguments = read_arguments(
        handler, where, params, notes, endpoint.providers, problems, knows_callers=knows_callers
    )
    inputs = read_inputs(notes, where, endpoint.method, params, problems, schemas)
    answers = _read_answers(notes, where, problems, schemas)
    provisions = read_provisions(
        arguments, endpoint.providers, params, where, problems, knows_callers=knows_callers
    )
    check_path_taken(arguments, provisions, params, where, problems)
    values = [provision.value for provision in provisions]
    raised = [Failure(each) for value in values for each in value.raises if is_failure(each)]
    declared = read_failures(
        (*notes.failures, *shared.failures, *outer.failures, *raised), where, problems
    )
    around = Surroundings(
        where, notes, shared, outer, resource, endpoint.blueprint, endpoint.guards
    )
    id = notes.operation_id or endpoint.id or operation_id(endpoint.blueprint, endpoint.name)
    rates = read_rates(around, id, service_access.settings.operations.rate_limits, problems)
    access, documented = read_access(
        around,
        endpoint.method,
        params,
        values,
        service_access,
        problems,
        asks_principal=asks_principal(rates),
    )
    elsewhere = add_security(documented, values)
    return Operation(
        id=id,
        where=where,
        name=endpoint.name,
        blueprint=endpoint.blueprint,
        method=endpoint.method,
        path=endpoint.path,
        handler=handler,
        arguments=arguments,
        path_params=params,
        inputs=inputs,
        answers=answers,
        failures=complete_failures(
            declared,
            inputs,
            params,
            access,
            elsewhere,
            rates,
            strict_query=service_access.settings.server.strict_query,
        ),
        envelope=_read_resource_envelope(resource, service_envelope, where, problems),
        text=_read_text(endpoint, notes, shared, resource),
        hosts=endpoint.hosts,
        security=join_security(access.requirements, elsewhere),
        provisions=provisions,
        access=access,
        priority=read_priority(notes, resource, shared, outer, where, problems),
        rates=rates,
    )


def _read_text(
    endpoint: Endpoint, notes: Notes, shared: Notes, resource: type[Resource] | None
) -> OperationText:
    """Return the text of the method, else that of its class, else that of its blueprint."""
    handler, outer = endpoint.handler, endpoint.notes
    tags = notes.tags or shared.tags or outer.tags
    return OperationText(
        summary=notes.summary or _first_line(handler) or shared.summary or _first_line(resource),
        description=(
            notes.description or _own_doc(handler) or shared.description or _own_doc(resource)
        ),
        tags=tuple(tags or ([endpoint.blueprint] if endpoint.blueprint else [])),
        blueprint_description=outer.description,
        deprecated=notes.deprecated or shared.deprecated or outer.deprecated,
    )


def _check_notes(
    notes: Notes,
    shared: Notes,
    endpoint: Endpoint,
    resource: type[Resource] | None,
    problems: list[str],
) -> None:
    where, outer = endpoint.where, endpoint.notes
    for mistake in (*notes.mistakes, *shared.mistakes, *outer.mistakes):
        problems.append(f"{where}: {mistake}")
    find_lost_guards(endpoint.handler, where, problems)
    if notes.page is not None:
        problems.extend(f"{where}: {mistake}" for mistake in notes.page.find_mistakes())
    if resource is not None:
        _check_shared(shared, full_name(resource), problems)
    _check_shared(outer, f"blueprint {endpoint.blueprint!r}", problems)
    if outer.public:
        found = "@doc.public stands on it"
        advice = "Put it on the methods or Resource classes that anybody may call."
        problems.append(Problem(f"blueprint {endpoint.blueprint!r}", found, advice=advice))


def _check_shared(notes: Notes, owner: str, problems: list[str]) -> None:
    """Refuse notes on a class or blueprint that belong on a method."""
    given = list(dict.fromkeys(decorator_of(note.source, note.schema) for note in notes.inputs))
    given += ["@doc.produces"] if notes.produces else []
    given += ["@doc.paginate"] if notes.page is not None else []
    given += ["@doc.operation_id"] if notes.operation_id else []
    if notes.guards:
        found = "@doc.guards stands on it"
        advice = "Write guards = (…) in a class, and Blueprint(…, guards=(…))."
        problems.append(Problem(owner, found, advice=advice))
    problems.extend(
        Problem(
            owner,
            f"{decorator} stands on it, where it says nothing of its methods",
            advice="Put it on each method.",
        )
        for decorator in given
    )


def _read_answers(
    notes: Notes, where: str, problems: list[str], schemas: KnownSchemas
) -> tuple[Answer, ...]:
    answers: dict[int, Answer] = {}
    for status, thing, text in notes.produces:
        if status not in range(200, 400):
            found = f"@doc.produces got the status {status!r}; a success is 200 to 399"
            advice = "Failures are declared with @doc.raises."
            problems.append(Problem(where, found, advice=advice))
            continue
        if status in answers:
            problems.append(Problem(where, f"@doc.produces names the status {status} twice"))
        schema = None
        if thing is not None:
            schema = schemas.read(
                thing, f"produces (status {status})", where, problems, for_load=False
            )
        if schema is not None and status in BODYLESS:
            found = f"an answer with status {status} has no body, so no schema"
            problems.append(Problem(where, found))
        if notes.page is not None and schema is not None and not schema.many:
            found = f"a page is a list, but @doc.produces got {thing!r}"
            advice = "Pass a schema with many=True, or drop @doc.paginate."
            problems.append(Problem(where, found, advice=advice))
        key = read_key(notes.answer_keys.get(status), "@doc.produces", where, problems)
        if key and status in BODYLESS:
            found = f"an answer with status {status} has no body, so no key"
            problems.append(Problem(where, found))
        headers = notes.answer_headers.get(status, ())
        answers[status] = Answer(status, schema, text, headers, key)
    return tuple(answers.values()) or (Answer(200),)


def _read_resource_envelope(
    resource: type[Resource] | None, default: Envelope, where: str, problems: list[str]
) -> Envelope:
    if resource is None or resource.envelope is UNSET:
        return default
    try:
        return read_envelope(resource.envelope, f"{where}: envelope")
    except ImproperlyConfigured as exc:
        problems.extend(exc.problems)
        return default


def _own_doc(thing: Any) -> str:
    """Return the docstring of a function or class itself, not one that it inherits."""
    while isinstance(thing, partial):
        thing = thing.func
    doc = None if thing is None else inspect.unwrap(thing).__doc__
    return inspect.cleandoc(doc) if isinstance(doc, str) else ""


def _first_line(thing: object) -> str:
    return _own_doc(thing).partition("\n")[0].rstrip(".")
