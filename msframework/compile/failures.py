"""The failures of an operation: those that are declared, and those of all operations of its kind.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from msframework._place import full_name
from msframework.access.policy import Access
from msframework.exceptions import (
    BadRequest,
    Forbidden,
    InvalidInput,
    MalformedJSON,
    NotFound,
    PayloadTooLarge,
    RequestTimeout,
    ServerError,
    ServiceException,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)
from msframework.headers import OwnHeaders
from msframework.limits.rate import RatePolicy
from msframework.operation import Failure, Input, PathParam, Source, text_params
from msframework.problem import Problem
from msframework.schemas.naming import wire_name
from msframework.schemas.storable import NUL

_BODIES: Final = frozenset((Source.BODY, Source.FORM, Source.FILES))
_REQUIRED: Final = ["Missing data for required field."]
_NULL: Final = ["Field may not be null."]


def read_failures(
    failures: Iterable[Failure], where: str, problems: list[str]
) -> tuple[Failure, ...]:
    """Return the failures without repetitions, in their order: the nearest to the method first."""
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
                OwnHeaders(exception.headers, full_name(exception))
            except ValueError as exc:
                problems.append(f"{where}: @doc.raises: {exc}")
        else:
            found = f"@doc.raises got {exception!r}, which is no exception of a service"
            advice = "Derive it from msframework.ServiceException."
            problems.append(Problem(where, found, advice=advice))
    return tuple(good)


def _is_told(failure: Failure, others: Iterable[Failure]) -> bool:
    """Tell whether one of *others* says all that *failure* says."""
    return any(
        other.exception is failure.exception
        and other.constraint == failure.constraint
        and failure.description in ("", other.description)
        for other in others
    )


def complete_failures(
    declared: Sequence[Failure],
    inputs: Sequence[Input],
    params: tuple[PathParam, ...],
    access: Access,
    elsewhere: Sequence[Mapping[str, tuple[str, ...]]],
    rates: Sequence[RatePolicy] = (),
    *,
    strict_query: bool = False,
) -> tuple[Failure, ...]:
    """Return the *declared* failures, and those that any operation with these facts has.

    Args:
        elsewhere: the credentials that provided values or a gateway ask for.
        rates: the rate limits of the operation.
        strict_query: whether any query may be refused.
    """
    known = {failure.exception for failure in declared}
    general = (
        *_failures_of_inputs(
            inputs,
            params,
            asks=access.can_ask or bool(elsewhere),
            refuses=access.can_refuse or bool(elsewhere),
            strict_query=strict_query,
        ),
        *([_general(TooManyRequests, _limits_text(rates))] if rates else ()),
        _general(ServerError, "The service failed."),
        _general(ServiceUnavailable, "The service, or what it needs, cannot answer now."),
    )
    return (*declared, *(failure for failure in general if failure.exception not in known))


def _limits_text(rates: Sequence[RatePolicy]) -> str:
    return f"The caller asks more often than it may: {'; '.join(each.text for each in rates)}."


def _general(
    exception: type[ServiceException], description: str, example: object = None
) -> Failure:
    return Failure(exception, None, description, example, is_general=True)


def _failures_of_inputs(
    inputs: Sequence[Input],
    params: tuple[PathParam, ...],
    *,
    asks: bool,
    refuses: bool,
    strict_query: bool,
) -> Iterator[Failure]:
    """Yield the failures before the method runs."""
    sources = {item.source for item in inputs}
    yield _general(BadRequest, "The request is malformed.")
    if Source.BODY in sources:
        yield _general(MalformedJSON, "The body is no JSON.")
    if asks:
        yield _general(Unauthorized, "Credentials are missing or wrong.")
    if refuses:
        yield _general(Forbidden, "The caller may not do this.")
    if params:
        yield _general(NotFound, "There is no such resource.")
    if sources & _BODIES:
        yield _general(RequestTimeout, "The body did not arrive in time.")
        yield _general(PayloadTooLarge, "The body is larger than the service takes.")
        yield _general(UnsupportedMediaType, "The body is of another media type.")
    example = _example_error(inputs, params)
    if example is None and strict_query:
        example = {"query": {"name": ["Unknown parameter."]}}
    if example is not None:
        text = "The input is refused; `error` says where and why."
        yield _general(InvalidInput, text, example)


def _within(item: Input, errors: Any) -> Any:
    """Return *errors* of an object where they stand in those of *item*: by index, under its key."""
    if item.schema.many:
        errors = {"0": errors}
    return {item.key: errors} if item.key else errors


def _example_error(inputs: Sequence[Input], params: tuple[PathParam, ...]) -> Any:
    """Return errors such as these inputs could give, `None` where none can be wrong."""
    through = [(item, item.schema.load_fields) for item in inputs if item.reader is None]
    for item, fields in through:
        needed = [wire_name(field, name) for name, field in fields.items() if field.required]
        if needed and not item.partial:
            return {item.source.value: _within(item, {needed[0]: _REQUIRED})}
    for item, fields in through:
        for name, field in fields.items():
            return {item.source.value: _within(item, {wire_name(field, name): _NULL})}
    for item in inputs:
        if item.reader is not None:
            return item.reader.example_error()
    if inputs:
        return {inputs[0].source.value: {"name": ["Unknown field."]}}
    names = text_params(params)
    return {"path": {names[0]: [NUL]}} if names else None
