"""Guards: conditions that a caller must meet, and how they are combined.

Made at start-up; `allows` runs per request, compiled into the handler, and `check` where a method
asks for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from msframework.exceptions import Forbidden, ImproperlyConfigured, Unauthorized
from msframework.access.principal import Principal
from msframework.serving.request import Request

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Guard:
    """One condition. Derive from it, and write `allows`, `allows_object`, or both.

    `async allows(self, request, principal, **path)` takes the path parameters that it names and
    returns whether the caller may call the operation; `async allows_object(self, request,
    principal, obj)` whether it may have one object, which `check` is given.

    Attributes:
        needs_principal: whether a caller without credentials is refused before it is asked.
    """

    needs_principal: ClassVar[bool] = True

    def on(self, *methods: str) -> Guard:
        """Return this guard for *methods* alone; HEAD goes with GET."""
        return Narrowed(self, methods)

    def __and__(self, other: Guard) -> Guard:
        return AllOf((self, other)) if isinstance(other, Guard) else NotImplemented

    def __or__(self, other: Guard) -> Guard:
        return AnyOf((self, other)) if isinstance(other, Guard) else NotImplemented

    def __invert__(self) -> Guard:
        return Not(self)

    def __bool__(self) -> bool:
        raise TypeError("a guard has no truth value; combine guards with &, | and ~")

    async def check(self, request: Request, obj: object) -> None:
        """Let the caller of *request* have *obj*, or refuse it.

        Raises:
            Unauthorized: nobody says who calls.
            Forbidden: the caller may not have it.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Authenticated(Guard):
    """Any caller whose credentials were verified."""


@dataclass(frozen=True)
class AuthenticatedBy(Guard):
    """A caller whose credentials one of these authenticators verified."""

    names: frozenset[str]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", frozenset(names))


@dataclass(frozen=True)
class Scopes(Guard):
    """A caller with all of these scopes."""

    scopes: tuple[str, ...]

    def __init__(self, *scopes: str) -> None:
        object.__setattr__(self, "scopes", scopes)


@dataclass(frozen=True)
class AnyScope(Guard):
    """A caller with one of these scopes at least."""

    scopes: tuple[str, ...]

    def __init__(self, *scopes: str) -> None:
        object.__setattr__(self, "scopes", scopes)


@dataclass(frozen=True)
class AllOf(Guard):
    """A caller whom each of these guards allows."""

    guards: tuple[Guard, ...]


@dataclass(frozen=True)
class AnyOf(Guard):
    """A caller whom one of these guards allows."""

    guards: tuple[Guard, ...]


@dataclass(frozen=True)
class Not(Guard):
    """A caller whom this guard does not allow."""

    guard: Guard


@dataclass(frozen=True)
class Narrowed(Guard):
    """A guard that only holds for some methods."""

    guard: Guard
    methods: tuple[str, ...]
