"""`Operation`: the one frozen description of an endpoint, which every reader above it shares.

Made at start-up by `compile.reader`; the compiler, the OpenAPI document, the test client and
`manage.py routes` see only this, never a class body, so they cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, ClassVar, Final, Protocol

from marshmallow import Schema

from msframework.access.policy import OPEN, Access
from msframework.envelope import Envelope
from msframework.exceptions import ServiceException
from msframework.limits.priority import NORMAL
from msframework.limits.rate import RatePolicy
from msframework.provider import ProvidedValue
from msframework.types import Handler, JSONObject, Provider

_PATH_PARAM = re.compile(r"<([^<>:=]+)(?:=[^<>:]*)?(?::((?:[^<>]|<[^<>]*>)*))?>")
# What Sanic hands over beside a parameter of the kind `ext`: the extension of the file's name.
EXTENSION: Final = "extension"
_TEXT_KINDS: Final = frozenset(("str", "strorempty", "path", "ext", EXTENSION))


class Source(Enum):
    """Where an argument of an endpoint comes from."""

    REQUEST = "request"
    PATH = "path"
    BODY = "body"
    QUERY = "query"
    HEADERS = "headers"
    COOKIES = "cookies"
    FORM = "form"
    FILES = "files"
    PAGE = "page"
    PROVIDED = "provided"


@dataclass(frozen=True, slots=True)
class Argument:
    """One parameter of the method's signature; `provider` is set where `source` is PROVIDED."""

    name: str
    source: Source
    provider: Provider | None = None


@dataclass(frozen=True, slots=True)
class Provision:
    """One provided value that an operation makes, and the arguments of its provider, in order."""

    value: ProvidedValue
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class PathParam:
    """One `<name:kind>` of the path; `kind` is Sanic's (`int`, `str`, `uuid`, …) or a regex."""

    name: str
    kind: str = "str"


class QueryReader(Protocol):
    """An input of the query that reads its parameters itself, and documents them.

    Attributes:
        decorator: what declares it, for messages.
    """

    decorator: ClassVar[str]

    def find_mistakes(self) -> Iterator[str]:
        """Yield the mistakes of the declaration."""

    def compile(self) -> Callable[[Any, dict[str, Any]], Any]:
        """Return the function that reads a request's query, or notes errors by location."""

    def document_parameters(self) -> Mapping[str, JSONObject]:
        """Return the parameters of the query by name, without the keywords that all share."""

    def example_error(self) -> JSONObject:
        """Return errors by location, such as a request may get."""


class Paging(QueryReader, Protocol):
    """How a listing is cut into pages.

    Attributes:
        component: the name of what `document_pagination` describes.
    """

    component: ClassVar[str]

    def document_pagination(self) -> JSONObject:
        """Return the JSON Schema of the part of an answer beside the rows."""


@dataclass(frozen=True, slots=True)
class Input:
    """One argument that is read from a source of the request; a source may have several.

    Attributes:
        kind: a schema that it is read through, or what reads the query itself.
        partial: whether keys may be left out, as in PATCH bodies.
        key: the member of a JSON body that holds the data, where it is not the body itself.
        name: the argument's name; the source's where nothing is said.
    """

    source: Source
    kind: Schema | QueryReader
    partial: bool = False
    name: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.source.value)

    @property
    def reader(self) -> QueryReader | None:
        """What reads the query itself, where no schema does."""
        return None if isinstance(self.kind, Schema) else self.kind

    @property
    def schema(self) -> Schema:
        """The schema that it is read through, where there is no `reader`."""
        assert isinstance(self.kind, Schema)
        return self.kind


@dataclass(frozen=True, slots=True)
class Answer:
    """One documented success: its status, and the schema of its data (`None`: nothing, or raw).

    `headers` are those it may have, each with its purpose; `key` is the member of an object that
    holds the data, where it is not the data itself.
    """

    status: int
    schema: Schema | None = None
    description: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    key: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception that the operation may raise; `constraint` maps a violation to it.

    Attributes:
        example: the `error` of such an answer, as the document shows it.
        is_general: whether all operations of its kind have it, and nobody declares it.
    """

    exception: type[ServiceException]
    constraint: str | None = None
    description: str = ""
    example: Any = None
    is_general: bool = False


@dataclass(frozen=True, slots=True)
class OperationText:
    """The texts of an operation, none of which changes its handler.

    Attributes:
        blueprint_description: the description of the blueprint, for its tag.
    """

    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    blueprint_description: str = ""
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: facts only; `provisions` stand in the order of their needs.

    Attributes:
        security: alternatives of schemes with scopes; an empty one needs no credentials.
        access: who may call it.
        priority: who is still served where more comes than a worker can serve.
        rates: how often each caller may, from the outside in.
    """

    id: str
    where: str
    name: str
    blueprint: str
    method: str
    path: str
    handler: Handler
    arguments: tuple[Argument, ...]
    path_params: tuple[PathParam, ...] = ()
    inputs: tuple[Input, ...] = ()
    answers: tuple[Answer, ...] = (Answer(200),)
    failures: tuple[Failure, ...] = ()
    envelope: Envelope | None = None
    text: OperationText = OperationText()
    security: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    hosts: tuple[str, ...] = ()
    provisions: tuple[Provision, ...] = ()
    access: Access = OPEN
    priority: str = NORMAL
    rates: tuple[RatePolicy, ...] = ()

    @property
    def is_admitted(self) -> bool:
        """Whether a request is admitted or refused before anything of its body is read."""
        return self.access.is_checked or bool(self.rates)

    @property
    def template(self) -> str:
        """The path as OpenAPI and span names write it: `/users/{id}`."""
        return path_template(self.path)

    @property
    def page(self) -> Paging | None:
        """How the listing is cut into pages, if it is."""
        readers: Iterator[Any] = (item.reader for item in self.inputs)
        return next((each for each in readers if hasattr(each, "document_pagination")), None)

    def input(self, source: Source) -> Input | None:
        """Return the first input of *source*, if anything is declared for it."""
        return next(iter(self.inputs_of(source)), None)

    def inputs_of(self, source: Source) -> tuple[Input, ...]:
        """Return the inputs that are read from *source*."""
        return tuple(item for item in self.inputs if item.source is source)


def path_params(path: str) -> tuple[PathParam, ...]:
    """Read the parameters out of Sanic's form of a path."""
    params = [PathParam(name, kind or "str") for name, kind in _PATH_PARAM.findall(path)]
    if any(param.kind.partition("=")[0] == "ext" for param in params):
        params.append(PathParam("ext", EXTENSION))
    return tuple(params)


@cache
def path_template(path: str) -> str:
    """Return Sanic's `/users/<id:int>` in OpenAPI's form, `/users/{id}`."""
    return _PATH_PARAM.sub(r"{\1}", path)


def text_params(params: tuple[PathParam, ...]) -> tuple[str, ...]:
    """Return the names of the path parameters that are text, and so may hold anything."""
    return tuple(
        param.name for param in params if param.kind in _TEXT_KINDS or not param.kind.isalpha()
    )
