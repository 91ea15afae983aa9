"""Decorators that only take notes: what an endpoint reads, answers and says of itself.

Nothing here wraps a handler; `compile.reader` reads the notes at start-up and finds all mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msframework.exceptions import ServiceException
from msframework.operation import Failure, PageRule, Source
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
    "form",
    "headers",
    "notes_of",
    "operation_id",
    "paginate",
    "produces",
    "query",
    "raises",
    "security",
    "summary",
    "tag",
]

T = TypeVar("T", bound=Callable[..., Any])
_ATTRIBUTE = "__msframework_notes__"


@dataclass(slots=True)
class Notes:
    """Everything that was noted on one handler or Resource class."""

    summary: str = ""
    description: str = ""
    tags: list[str] = field(default_factory=list)
    inputs: dict[Source, Any] = field(default_factory=dict)
    produces: list[tuple[int, Any, str]] = field(default_factory=list)
    answer_headers: dict[int, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    page: PageRule | None = None
    deprecated: bool = False
    operation_id: str = ""
    security: list[dict[str, tuple[str, ...]]] | None = None
    repeated: list[str] = field(default_factory=list)


def notes_of(handler: Any) -> Notes:
    """Return the notes of *handler*, a new empty one when there are none yet."""
    target = getattr(handler, "__func__", handler)
    notes = target.__dict__.get(_ATTRIBUTE)
    if notes is None:
        notes = Notes()
        setattr(target, _ATTRIBUTE, notes)
    return notes  # type: ignore[no-any-return]


def _note(name: str, value: Any) -> Callable[[T], T]:
    def take_note(handler: T) -> T:
        setattr(notes_of(handler), name, value)
        return handler

    return take_note


def _input(source: Source, schema: Any) -> Callable[[T], T]:
    def take_note(handler: T) -> T:
        notes = notes_of(handler)
        if source in notes.inputs:
            notes.repeated.append(source.value)
        notes.inputs[source] = schema
        return handler

    return take_note


def summary(text: str) -> Callable[[T], T]:
    """Say in a few words what the operation does."""
    return _note("summary", text)


def description(text: str) -> Callable[[T], T]:
    """Describe the operation; CommonMark. The docstring serves when this is left out."""
    return _note("description", text)


def tag(*names: str) -> Callable[[T], T]:
    """File the operation under *names*; the blueprint's name serves when this is left out."""

    def take_note(handler: T) -> T:
        notes_of(handler).tags[:0] = names
        return handler

    return take_note


def operation_id(name: str) -> Callable[[T], T]:
    """Name the operation in the OpenAPI document; unique in the service."""
    return _note("operation_id", name)


def deprecated(handler: T) -> T:
    """Mark the operation as one that will go."""
    notes_of(handler).deprecated = True
    return handler


def security(*schemes: str, scopes: Sequence[str] = ()) -> Callable[[T], T]:
    """Require one of the security schemes that `SECURITY_SCHEMES` names; none for public."""
    return _note("security", [{name: tuple(scopes)} for name in schemes])


def consumes(schema: Any) -> Callable[[T], T]:
    """Read the JSON body through *schema*: a Schema, a model, a dict, a list of one, an API class.

    The method receives the result as `body`, and as `request.data`.
    """
    return _input(Source.BODY, schema)


def query(schema: Any) -> Callable[[T], T]:
    """Read the query string through *schema*; the method receives it as `query`."""
    return _input(Source.QUERY, schema)


def headers(schema: Any) -> Callable[[T], T]:
    """Read request headers through *schema* (`x_token` reads X-Token), given as `headers`."""
    return _input(Source.HEADERS, schema)


def cookies(schema: Any) -> Callable[[T], T]:
    """Read cookies through *schema*; the method receives them as `cookies`."""
    return _input(Source.COOKIES, schema)


def form(schema: Any) -> Callable[[T], T]:
    """Read a form body (urlencoded or multipart) through *schema*, given as `form`."""
    return _input(Source.FORM, schema)


def files(schema: Any) -> Callable[[T], T]:
    """Read the uploaded files of a multipart body through *schema*, given as `files`."""
    return _input(Source.FILES, schema)


def produces(
    schema: Any = None,
    *,
    status: int = 200,
    description: str = "",
    headers: Mapping[str, str] | None = None,
) -> Callable[[T], T]:
    """Answer *status* with data of *schema*; repeat it for several statuses, the first is usual.

    Args:
        headers: the headers that the method may send with it, each with what it is for; an empty
            text is enough for those that the framework knows, such as `Location`.
    """

    def take_note(handler: T) -> T:
        notes = notes_of(handler)
        notes.produces.insert(0, (status, schema, description))
        if headers:
            notes.answer_headers[status] = tuple(headers.items())
        return handler

    return take_note


def paginate(
    *,
    per_page: int = 20,
    max_per_page: int = 100,
    total: bool = True,
    max_page: int = 10_000,
) -> Callable[[T], T]:
    """Read `page` and `per_page` from the query; the method receives a `Page` as `page`.

    Args:
        per_page: rows on a page when the caller does not say.
        max_per_page: the most that a caller may ask for; more is a 422.
        total: count all rows for `total` and `pages`; a `COUNT(*)` is the cost.
        max_page: the last page that a caller may ask for; PostgreSQL reads all rows before it.
    """
    return _note("page", PageRule(min(per_page, max_per_page), max_per_page, total, max_page))


def raises(
    exception: type[ServiceException], *, constraint: str | None = None, description: str = ""
) -> Callable[[T], T]:
    """Document *exception*; with *constraint*, raise it where PostgreSQL reports that one."""

    def take_note(handler: T) -> T:
        notes_of(handler).failures.insert(0, Failure(exception, constraint, description))
        return handler

    return take_note
