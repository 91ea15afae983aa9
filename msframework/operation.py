"""`Operation`: the one frozen description of an endpoint, which every reader above it shares.

Made at start-up by `compile.reader`; the compiler, the OpenAPI document, the test client and
`manage.py routes` see only this, never a class body, so they cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from marshmallow import Schema

from msframework.envelope import Envelope
from msframework.exceptions import ServiceException
from msframework.provider import ProvidedValue
from msframework.types import Handler, Provider

_PATH_PARAM = re.compile(r"<([^<>:=]+)(?:=[^<>:]*)?(?::((?:[^<>]|<[^<>]*>)*))?>")
# What Sanic hands over beside a parameter of the kind `ext`: the extension of the file's name.
EXTENSION = "extension"


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
    """One provided value that an operation makes, and what its provider takes, in order."""

    value: ProvidedValue
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class PathParam:
    """One `<name:kind>` of the path; `kind` is Sanic's (`int`, `str`, `uuid`, …) or a regex."""

    name: str
    kind: str = "str"


@dataclass(frozen=True, slots=True)
class Input:
    """What one location of the request is read through; `partial` for PATCH bodies."""

    source: Source
    schema: Schema
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One documented success: its status, and the schema of its data (`None`: nothing, or raw).

    `headers` are those it may have, each with what it is for.
    """

    status: int
    schema: Schema | None = None
    description: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception that the operation may raise; `constraint` maps a violation to it."""

    exception: type[ServiceException]
    constraint: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class PageRule:
    """How a listing is cut: numbered pages, `total` from a `COUNT(*)` unless switched off.

    PostgreSQL reads all rows before a page and throws them away, hence `max_page`.
    """

    per_page: int = 20
    max_per_page: int = 100
    total: bool = True
    max_page: int = 10_000


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: facts only; `provisions` stand in the order of their needs."""

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
    page: PageRule | None = None
    envelope: Envelope | None = None
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    blueprint_description: str = ""
    deprecated: bool = False
    security: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    hosts: tuple[str, ...] = ()
    provisions: tuple[Provision, ...] = ()

    @property
    def template(self) -> str:
        """The path as OpenAPI and span names write it: `/users/{id}`."""
        return path_template(self.path)

    def input(self, source: Source) -> Input | None:
        """Return what *source* is read through, if anything is declared for it."""
        return next((item for item in self.inputs if item.source is source), None)


def path_params(path: str) -> tuple[PathParam, ...]:
    """Read the parameters out of Sanic's form of a path."""
    params = [PathParam(name, kind or "str") for name, kind in _PATH_PARAM.findall(path)]
    if any(param.kind.partition("=")[0] == "ext" for param in params):
        params.append(PathParam("ext", EXTENSION))
    return tuple(params)


def path_template(path: str) -> str:
    """Return Sanic's `/users/<id:int>` in OpenAPI's form, `/users/{id}`."""
    return _PATH_PARAM.sub(r"{\1}", path)
