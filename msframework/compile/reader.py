"""Reads registered routes into frozen Operations, and finds every mistake in their declarations.

Runs at start-up.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from marshmallow import Schema

from msframework._imports import import_object
from msframework._place import place_of
from msframework.compile.operation_id import operation_id
from msframework.compile.provider import add_security, is_failure, read_provisions
from msframework.compile.request import find_unreadable
from msframework.compile.returns import check_returns
from msframework.compile.signature import check_path_taken, read_arguments
from msframework.doc import Notes, notes_of
from msframework.envelope import Bare, Envelope
from msframework.exceptions import ImproperlyConfigured, ServiceException
from msframework.headers import OwnHeaders
from msframework.operation import Answer, Failure, Input, Operation, Source, path_params
from msframework.provider import ProvidedValue
from msframework.resource import Resource
from msframework.response import BODYLESS
from msframework.schemas import as_schema
from msframework.schemas.model import SENSITIVE_FIELDS
from msframework.types import UNSET, Handler

BODY_SOURCES = (Source.BODY, Source.FORM, Source.FILES)
_DECORATORS = {Source.BODY: "consumes"}


class KnownSchemas(dict[Any, Schema]):
    """The schemas that were made already, by what declares them.

    Args:
        sensitive: columns that a model's schema never dumps.
    """

    def __init__(self, sensitive: Collection[str] = SENSITIVE_FIELDS) -> None:
        super().__init__()
        self.sensitive = sensitive


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
    id: str = ""

    @property
    def where(self) -> str:
        """File, line and name of the handler, for messages."""
        return place_of(self.handler, self.name)


def read_envelope(value: Any, where: str) -> Envelope:
    """Return the envelope that a setting or a Resource names; `None` means bare bodies."""
    if isinstance(value, str):
        value = import_object(value, where=where)
    if value is None:
        return Bare()
    envelope = value() if isinstance(value, type) else value
    missing = [
        name for name in ("around_data", "around_page", "error") if not hasattr(envelope, name)
    ]
    if missing:
        raise ImproperlyConfigured(
            f"{where}: {value!r} is no envelope: it has no {', '.join(missing)}. "
            "Derive it from msframework.envelope.DefaultEnvelope."
        )
    return envelope  # type: ignore[no-any-return]


def read_operations(
    endpoints: Iterable[Endpoint],
    envelope: Envelope,
    problems: list[str],
    schemas: KnownSchemas | None = None,
) -> tuple[Operation, ...]:
    """Read every endpoint; append to *problems* whatever is wrong, and read on.

    Args:
        schemas: the schemas of earlier readings; those that are declared alike are made once.
    """
    schemas = KnownSchemas() if schemas is None else schemas
    operations = []
    for endpoint in endpoints:
        before = len(problems)
        operation = _read(endpoint, envelope, problems, schemas)
        if len(problems) == before:
            operations.append(operation)
    return tuple(operations)


def _read(
    endpoint: Endpoint, service_envelope: Envelope, problems: list[str], schemas: KnownSchemas
) -> Operation:
    handler, where = endpoint.handler, endpoint.where
    notes = notes_of(handler)
    owner = getattr(handler, "__self__", None)
    resource = type(owner) if isinstance(owner, Resource) else None
    shared = notes_of(resource) if resource is not None else Notes()
    params = path_params(endpoint.path)
    outer = endpoint.notes
    tags = notes.tags or shared.tags or outer.tags
    tags = tags or ([endpoint.blueprint] if endpoint.blueprint else [])
    for mistake in (*notes.mistakes, *shared.mistakes, *outer.mistakes):
        problems.append(f"{where}: {mistake}")
    _check_notes(notes, endpoint, problems)
    if resource is not None:
        _check_shared(shared, f"{resource.__module__}.{resource.__qualname__}", problems)
    _check_shared(outer, f"blueprint {endpoint.blueprint!r}", problems)
    check_returns(handler, where, problems)
    arguments = read_arguments(handler, where, params, notes, endpoint.providers, problems)
    provisions = read_provisions(arguments, endpoint.providers, params, where, problems)
    check_path_taken(arguments, provisions, params, where, problems)
    values = [provision.value for provision in provisions]
    raised = [Failure(each) for value in values for each in value.raises if is_failure(each)]
    return Operation(
        id=notes.operation_id or endpoint.id or operation_id(endpoint.blueprint, endpoint.name),
        where=where,
        name=endpoint.name,
        blueprint=endpoint.blueprint,
        method=endpoint.method,
        path=endpoint.path,
        handler=handler,
        arguments=arguments,
        path_params=params,
        inputs=_read_inputs(notes, endpoint, problems, schemas),
        answers=_read_answers(notes, where, problems, schemas),
        failures=_read_failures(
            (*notes.failures, *shared.failures, *outer.failures, *raised), where, problems
        ),
        page=notes.page,
        envelope=_read_resource_envelope(resource, service_envelope, where, problems),
        summary=(notes.summary or _first_line(handler) or shared.summary or _first_line(resource)),
        description=(
            notes.description or _own_doc(handler) or shared.description or _own_doc(resource)
        ),
        tags=tuple(tags),
        blueprint_description=outer.description,
        deprecated=notes.deprecated or shared.deprecated or outer.deprecated,
        hosts=endpoint.hosts,
        security=add_security(_nearest(notes.security, shared.security, outer.security), values),
        provisions=provisions,
    )


def _check_notes(notes: Notes, endpoint: Endpoint, problems: list[str]) -> None:
    where = endpoint.where
    for name in notes.repeated:
        problems.append(f"{where}: its {name} is declared twice. Keep one of the decorators.")
    given = [source for source in BODY_SOURCES if source in notes.inputs]
    if Source.BODY in given and len(given) > 1:
        problems.append(
            f"{where}: it declares both a JSON body and a form. A request has one body: "
            "keep @doc.consumes, or @doc.form and @doc.files."
        )
    if given and endpoint.method == "GET":
        problems.append(
            f"{where}: a GET request has no body (RFC 9110, 9.3.1), but @doc declares "
            f"{given[0].value}. Use @doc.query, or another method."
        )
    page = notes.page
    if page is not None and (page.per_page < 1 or page.max_per_page < 1):
        problems.append(f"{where}: @doc.paginate needs per_page and max_per_page of 1 or more.")


def _check_shared(notes: Notes, owner: str, problems: list[str]) -> None:
    """Refuse notes on a class or blueprint that belong on a method."""
    given = [f"@doc.{_DECORATORS.get(source, source.value)}" for source in notes.inputs]
    given += ["@doc.produces"] if notes.produces else []
    given += ["@doc.paginate"] if notes.page is not None else []
    given += ["@doc.operation_id"] if notes.operation_id else []
    problems.extend(
        f"{owner}: {decorator} stands on it, where it says nothing of its methods. Put it on each "
        "method."
        for decorator in given
    )


def _read_inputs(
    notes: Notes, endpoint: Endpoint, problems: list[str], schemas: KnownSchemas
) -> tuple[Input, ...]:
    inputs = []
    for source, thing in notes.inputs.items():
        schema = _schema(
            thing, source.value, endpoint.where, True, problems, schemas, source is not Source.BODY
        )
        if schema is None:
            continue
        if schema.many and source is not Source.BODY:
            problems.append(
                f"{endpoint.where}: {source.value} cannot be read through a list ({thing!r}). "
                "Pass one Schema."
            )
        problems.extend(
            f"{endpoint.where}: {source.value} cannot be read through {thing!r}: {why}. "
            "Take a text or a list of texts (a file or a list of files), or @doc.consumes."
            for why in find_unreadable(source, schema)
        )
        if source is Source.QUERY and notes.page is not None:
            named = {field.data_key or name for name, field in schema.load_fields.items()}
            problems.extend(
                f"{endpoint.where}: @doc.paginate reads {name!r} of the query, as does @doc.query. "
                "Drop one of them, or rename the field."
                for name in ("page", "per_page")
                if name in named
            )
        partial = endpoint.method == "PATCH" and source in BODY_SOURCES
        inputs.append(Input(source, schema, partial))
    return tuple(inputs)


def _read_answers(
    notes: Notes, where: str, problems: list[str], schemas: KnownSchemas
) -> tuple[Answer, ...]:
    answers: dict[int, Answer] = {}
    for status, thing, text in notes.produces:
        if status not in range(200, 400):
            problems.append(
                f"{where}: @doc.produces got the status {status!r}; a success is 200 to 399. "
                "Failures are declared with @doc.raises."
            )
            continue
        if status in answers:
            problems.append(f"{where}: @doc.produces names the status {status} twice.")
        schema = None
        if thing is not None:
            schema = _schema(thing, f"produces (status {status})", where, False, problems, schemas)
        if schema is not None and status in BODYLESS:
            problems.append(f"{where}: an answer with status {status} has no body, so no schema.")
        if notes.page is not None and schema is not None and not schema.many:
            problems.append(
                f"{where}: a page is a list, but @doc.produces got {thing!r}. "
                "Pass a schema with many=True, or drop @doc.paginate."
            )
        answers[status] = Answer(status, schema, text, notes.answer_headers.get(status, ()))
    return tuple(answers.values()) or (Answer(200),)


def _schema(
    thing: Any,
    what: str,
    where: str,
    for_load: bool,
    problems: list[str],
    schemas: KnownSchemas,
    for_texts: bool = False,
) -> Schema | None:
    key = _schema_key(thing, for_load)
    if for_texts and key is not None:
        key = ("texts", key)
    if key in schemas:
        return schemas[key]
    try:
        schema = as_schema(
            thing,
            where=where,
            for_load=for_load,
            sensitive=schemas.sensitive,
            for_texts=for_texts,
        )
    except (TypeError, ValueError, ImproperlyConfigured) as exc:
        text = str(exc)
        if not text.startswith(where):
            text = f"{where}: {what}: {text}"
        problems.append(text)
        return None
    if key is not None:
        schemas[key] = schema
    return schema


def _schema_key(thing: Any, for_load: bool) -> Any:
    """Return the key of all declarations that mean the same; `None` where that is not clear."""
    if isinstance(thing, type):
        return thing if issubclass(thing, Schema) else (thing, for_load)
    if isinstance(thing, (list, tuple)) and len(thing) == 1:
        inner = _schema_key(thing[0], for_load)
        return None if inner is None else ("list", inner)
    if type(thing) is not dict:
        return None
    inner = tuple(_schema_key(value, for_load) for value in thing.values())
    return None if None in inner else ("dict", for_load, tuple(thing), inner)


def _nearest(*declared: Any) -> tuple[Any, ...]:
    """Return the first that was declared at all; an empty one counts."""
    return tuple(next((each for each in declared if each is not None), ()))


def _read_failures(
    failures: Iterable[Failure], where: str, problems: list[str]
) -> tuple[Failure, ...]:
    """Return the failures once each; those come first that stand nearest to the method."""
    good: list[Failure] = []
    constraints: set[str] = set()
    for failure in failures:
        exception: Any = failure.exception
        if isinstance(exception, type) and issubclass(exception, ServiceException):
            if failure.constraint in constraints or _is_told(failure, good):
                continue
            good.append(failure)
            if failure.constraint is not None:
                constraints.add(failure.constraint)
            try:
                OwnHeaders(exception.headers, f"{exception.__module__}.{exception.__qualname__}")
            except ValueError as exc:
                problems.append(f"{where}: @doc.raises: {exc}")
        else:
            problems.append(
                f"{where}: @doc.raises got {exception!r}, which is no exception of a service. "
                "Derive it from msframework.ServiceException."
            )
    return tuple(good)


def _is_told(failure: Failure, others: Iterable[Failure]) -> bool:
    """Tell whether one of *others* says all that *failure* says."""
    return any(
        other.exception is failure.exception
        and other.constraint == failure.constraint
        and failure.description in ("", other.description)
        for other in others
    )


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


def _first_line(thing: Any) -> str:
    return _own_doc(thing).partition("\n")[0].rstrip(".")
