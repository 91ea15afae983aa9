"""Decorators that only take notes: the inputs, answers and texts of an endpoint.

Nothing here wraps a handler; `compile.reader` reads the notes at start-up and finds all mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from msframework.access.guard import Guard
from msframework.decorator import check_call
from msframework.exceptions import ServiceException
from msframework.filters import FilterReader, FilterSet
from msframework.filters.declaration import read_filters
from msframework.limits.rate import PRINCIPAL, ByCaller, RateLimit
from msframework.operation import Failure, Paging, Source
from msframework.pagination import Pages
from msframework.schemas.api import (
    Boolean,
    Date,
    DateTime,
    Decimal,
    Dictionary,
    Float,
    Integer,
    List,
    Object,
    String,
)
from msframework.types import SchemaSource

__all__ = [
    "Boolean",
    "Date",
    "DateTime",
    "Decimal",
    "Dictionary",
    "Float",
    "Integer",
    "List",
    "Notes",
    "Object",
    "String",
    "consumes",
    "cookies",
    "deprecated",
    "description",
    "files",
    "filter",
    "form",
    "guards",
    "headers",
    "notes_of",
    "operation_id",
    "paginate",
    "priority",
    "produces",
    "public",
    "query",
    "raises",
    "rate_limit",
    "security",
    "summary",
    "tag",
    "unlimited",
]

T = TypeVar("T")
_ATTRIBUTE = "__msframework_notes__"


@dataclass(frozen=True, slots=True)
class InputNote:
    """One input as it was noted: its source, its schema, and the name of its argument.

    Attributes:
        partial: whether fields may be left out; `None` where the HTTP method decides.
        key: the member of a JSON body that holds the data.
    """

    source: Source
    schema: Any
    name: str
    partial: bool | None = None
    key: str | None = None


@dataclass(slots=True)
class Notes:
    """Everything that was noted on one handler, Resource class or Blueprint."""

    summary: str = ""
    description: str = ""
    tags: list[str] = field(default_factory=list)
    inputs: list[InputNote] = field(default_factory=list)
    produces: list[tuple[int, Any, str]] = field(default_factory=list)
    answer_headers: dict[int, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    answer_keys: dict[int, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    page: Paging | None = None
    deprecated: bool = False
    operation_id: str = ""
    security: list[dict[str, tuple[str, ...]]] | None = None
    guards: list[Guard] = field(default_factory=list)
    public: bool = False
    priority: str = ""
    rate_limits: list[object] = field(default_factory=list)
    unlimited: bool = False
    mistakes: list[str] = field(default_factory=list)


def notes_of(handler: object) -> Notes:
    """Return the notes of *handler*, a new empty one when there are none yet.

    Raises:
        TypeError: nothing can be noted on it.
    """
    target = getattr(handler, "__func__", handler)
    own = getattr(target, "notes", None)
    if isinstance(own, Notes):  # a Blueprint's
        return own
    if not hasattr(target, "__dict__"):
        raise TypeError(
            f"a doc decorator was given {target!r}, on which nothing can be noted. "
            "Decorate a function, a Resource class or a msframework.Blueprint."
        )
    notes = find_notes(target)
    if notes is None:
        notes = Notes()
        setattr(target, _ATTRIBUTE, notes)
    return notes


def find_notes(function: object) -> Notes | None:
    """Return the notes on *function* or class itself; `None` without any."""
    found = getattr(function, "__dict__", {}).get(_ATTRIBUTE)
    return found if isinstance(found, Notes) else None


def _note(name: str, value: object) -> Callable[[T], T]:
    def take_note(handler: T) -> T:
        setattr(notes_of(handler), name, value)
        return handler

    return take_note


def _input(
    source: Source, schema: object, name: str, partial: bool | None = None, key: str | None = None
) -> Callable[[T], T]:
    def take_note(handler: T) -> T:
        notes_of(handler).inputs.append(InputNote(source, schema, name, partial, key))
        return handler

    return take_note


def summary(text: str) -> Callable[[T], T]:
    """Give the operation a summary of a few words."""
    check_call("@doc.summary", text)
    return _note("summary", text)


def description(text: str) -> Callable[[T], T]:
    """Describe the operation; CommonMark. The docstring serves when this is left out."""
    check_call("@doc.description", text)
    return _note("description", text)


def tag(*names: str) -> Callable[[T], T]:
    """File the operation under *names*; the blueprint's name serves when this is left out."""
    check_call("@doc.tag", *names)

    def take_note(handler: T) -> T:
        notes_of(handler).tags[:0] = names
        return handler

    return take_note


def operation_id(name: str) -> Callable[[T], T]:
    """Name the operation in the OpenAPI document; unique in the service."""
    check_call("@doc.operation_id", name)
    return _note("operation_id", name)


@overload
def deprecated(handler: T) -> T: ...
@overload
def deprecated() -> Callable[[T], T]: ...
def deprecated(handler: object = None) -> Any:
    """Mark the operation as one that will go; parentheses may follow."""
    return _note("deprecated", True) if handler is None else _note("deprecated", True)(handler)


def security(*schemes: str, scopes: Sequence[str] = ()) -> Callable[[T], T]:
    """Require credentials of one of these schemes: of an authenticator, with these *scopes*.

    A scheme of `SECURITY_SCHEMES` is documented where something else enforces it: a provided value,
    or a gateway that it names with `"x-enforced-by": "gateway"`. Without a scheme, the method needs
    none of those that its class or blueprint requires.
    """
    check_call("@doc.security", *schemes)
    return _note("security", [{name: tuple(scopes)} for name in schemes])


def guards(*guards: Guard) -> Callable[[T], T]:
    """Let only callers run the method whom all *guards* allow, beside those further outside."""
    check_call("@doc.guards", *guards)

    def take_note(handler: T) -> T:
        notes = notes_of(handler)
        notes.guards[:0] = guards
        if not guards:
            notes.mistakes.append("@doc.guards names no guard. Name one at least.")
        return handler

    return take_note


@overload
def public(handler: T) -> T: ...
@overload
def public() -> Callable[[T], T]: ...
def public(handler: object = None) -> Any:
    """Let anybody call it, whatever guards stand further outside; parentheses may follow."""
    return _note("public", True) if handler is None else _note("public", True)(handler)


def rate_limit(
    rate: str, *, by: str | ByCaller = PRINCIPAL, scope: str = "", cost: int = 1
) -> Callable[[T], T]:
    """Let each caller call it no more often than *rate*, beside the limits further outside.

    It stands on a method, or on a Resource whose methods share the budget; see `RateLimit` for the
    arguments. A Blueprint takes `rate_limits=`, and `RATE_LIMITS` are those of the service.
    """
    check_call("@doc.rate_limit", rate)

    def take_note(handler: T) -> T:
        notes_of(handler).rate_limits[:0] = (RateLimit(rate, by, scope, cost),)
        return handler

    return take_note


@overload
def unlimited(handler: T) -> T: ...
@overload
def unlimited() -> Callable[[T], T]: ...
def unlimited(handler: object = None) -> Any:
    """Drop the rate limits that stand further outside; parentheses may follow."""
    return _note("unlimited", True) if handler is None else _note("unlimited", True)(handler)


def priority(level: str) -> Callable[[T], T]:
    """Say who is refused last where more comes than a worker can serve: high, normal or low.

    It stands on a method; for all of a Resource or a blueprint, write `priority = …` in the class
    and `Blueprint(…, priority=…)`. The nearer to the method wins.
    """
    check_call("@doc.priority", level)
    return _note("priority", level)


def consumes(
    schema: SchemaSource, *, partial: bool | None = None, key: str | None = None
) -> Callable[[T], T]:
    """Read the JSON body through *schema*: a Schema, a model, a dict, a list of one, an API class.

    The method receives the result as `body`, and as `request.data`.

    Args:
        partial: whether fields may be left out that are required; a PATCH allows it by itself.
        key: the body is an object that has the data under this key, `{"article": {…}}`.
    """
    check_call("@doc.consumes", schema)
    return _input(Source.BODY, schema, Source.BODY.value, partial, key)


def query(schema: SchemaSource, *, name: str = "query") -> Callable[[T], T]:
    """Read the query string through *schema*; the method receives it as `query`.

    The query string may be read through several schemas, each given by a *name* of its own. So may
    headers, cookies, forms and files.
    """
    check_call("@doc.query", schema)
    return _input(Source.QUERY, schema, name)


def headers(schema: SchemaSource, *, name: str = "headers") -> Callable[[T], T]:
    """Read request headers through *schema* (`x_token` reads X-Token), given as `headers`."""
    check_call("@doc.headers", schema)
    return _input(Source.HEADERS, schema, name)


def cookies(schema: SchemaSource, *, name: str = "cookies") -> Callable[[T], T]:
    """Read cookies through *schema*; the method receives them as `cookies`."""
    check_call("@doc.cookies", schema)
    return _input(Source.COOKIES, schema, name)


def form(schema: SchemaSource, *, name: str = "form") -> Callable[[T], T]:
    """Read a form body (urlencoded or multipart) through *schema*, given as `form`."""
    check_call("@doc.form", schema)
    return _input(Source.FORM, schema, name)


def files(schema: SchemaSource, *, name: str = "files") -> Callable[[T], T]:
    """Read the uploaded files of a multipart body through *schema*, given as `files`."""
    check_call("@doc.files", schema)
    return _input(Source.FILES, schema, name)


def filter(filters: type[FilterSet] | FilterReader, *, name: str = "filters") -> Callable[[T], T]:
    """Read filters, sort and search of the query as *filters* declare; given as `filters`."""
    check_call("@doc.filter", filters)
    return _input(Source.QUERY, read_filters(filters), name)


def produces(
    schema: SchemaSource | None = None,
    *,
    status: int = 200,
    description: str = "",
    headers: Mapping[str, str] | None = None,
    key: str | None = None,
) -> Callable[[T], T]:
    """Answer *status* with data of *schema*; repeat it for several statuses, the first is usual.

    Args:
        headers: the headers that the method may send with it, each with its purpose; an empty
            text is enough for those that the framework knows, such as `Location`.
        key: the data stands under this key of an object, `{"article": {…}}`.
    """
    check_call("@doc.produces", schema)

    def take_note(handler: T) -> T:
        notes = notes_of(handler)
        notes.produces.insert(0, (status, schema, description))
        if headers:
            notes.answer_headers[status] = tuple(headers.items())
        if key is not None:
            notes.answer_keys[status] = key
        return handler

    return take_note


def paginate(
    *given: object,
    per_page: int = 20,
    max_per_page: int = 100,
    total: str | bool = "exact",
    max_page: int = 10_000,
) -> Callable[[T], T]:
    """Read from the query which page is asked for; the method receives that as `page`.

    Args:
        given: `Pages(…)`, `Cursors(…)` or `Offsets(…)`; without one, numbered pages of the others.
        per_page: rows on a page when the caller does not say.
        max_per_page: the most that a caller may ask for; more is a 422.
        total: count all rows for `total` and `pages`: "exact", "estimate" or "none".
        max_page: the last page that a caller may ask for; PostgreSQL reads all rows before it.
    """
    check_call("@doc.paginate", *given)
    pages = Pages(per_page, max_per_page, total, max_page)
    paging = given[0] if given else pages
    known = hasattr(paging, "document_pagination") and not isinstance(paging, type)
    if len(given) > 1 or (given and pages != Pages()) or not known:
        raise TypeError("paginate takes sizes by name, or one of Pages(…), Cursors(…), Offsets(…)")
    return _note("page", paging)


def raises(
    *exceptions: type[ServiceException], constraint: str | None = None, description: str = ""
) -> Callable[[T], T]:
    """Document *exceptions*; with *constraint*, raise the one where PostgreSQL reports that.

    It stands on a method, on a Resource for all of its methods, or on a Blueprint
    (`blueprint.raises(…)`) for all of its operations; the nearer to the method wins.
    """
    check_call("@doc.raises", *exceptions)

    def take_note(handler: T) -> T:
        notes = notes_of(handler)
        if not exceptions:
            notes.mistakes.append("@doc.raises names no exception. Name one at least.")
        if constraint is not None and len(exceptions) > 1:
            notes.mistakes.append(
                f"@doc.raises names several exceptions for the constraint {constraint!r}; expected "
                "one, which is raised for it. Write a decorator for each constraint."
            )
        notes.failures[:0] = [Failure(each, constraint, description) for each in exceptions]
        return handler

    return take_note
