"""`ServiceAccess`: the authenticators and guards of one service, and their checks.

Filled at start-up, from `AUTHENTICATORS` and `GUARDS` and by the code that `CONFIGURE` names.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from msframework._imports import import_object
from msframework._signature import read_signature
from msframework.access.authenticator import Authenticator
from msframework.access.guard import (
    METHODS,
    AllOf,
    AnyOf,
    AnyScope,
    Authenticated,
    AuthenticatedBy,
    Guard,
    Narrowed,
    Not,
    Scopes,
    is_own,
)
from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured
from msframework.problem import Problem
from msframework.types import UNSET

# The name of a component in a document (OpenAPI 3.1.0, 4.8.7).
_is_name: Final = re.compile(r"[A-Za-z0-9._-]+").fullmatch
_is_path: Final = re.compile(r"[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)+").fullmatch
# `scope-token` (RFC 6749, 3.3).
_is_scope: Final = re.compile(r"[!#-\[\]-~]+").fullmatch


@dataclass(slots=True)
class ServiceAccess:
    """The authenticators of a service, and the guards of all its operations.

    Attributes:
        schemes: the security schemes that something else enforces (`SECURITY_SCHEMES`).
        document_guards: the only guards of the document and its page (`OPENAPI_GUARDS`).
        settings: the settings that authenticators are checked against.
    """

    authenticators: dict[str, Authenticator] = field(default_factory=dict)
    guards: tuple[Guard, ...] = ()
    schemes: Mapping[str, Any] = field(default_factory=dict)
    document_guards: tuple[Guard, ...] = ()
    settings: Settings = field(default_factory=Settings)

    def authenticate(self, name: object, given: object, where: str, problems: list[str]) -> None:
        """Register the authenticator *given* as *name*; append its mistakes to *problems*."""
        mistake = self._find_mistake(name, given)
        if mistake is not None:
            found, advice = mistake
            problems.append(Problem(where, found, advice=advice))
        elif isinstance(name, str) and isinstance(given, Authenticator):
            given.name = name
            self.authenticators[name] = given
            problems.extend(given.check(self.settings))

    def _find_mistake(self, name: object, given: object) -> tuple[str, str] | None:
        if not isinstance(name, str) or _is_name(name) is None:
            return (
                f"{name!r} cannot be the name of a scheme in the document",
                "Use letters, digits, dots, hyphens and underscores.",
            )
        if name in self.authenticators:
            return f"there is an authenticator {name!r} already", "Choose another name."
        if name in self.schemes:
            return f"SECURITY_SCHEMES has {name!r} too", "Drop it there: its scheme comes along."
        if isinstance(given, type):
            call = f"{given.__qualname__}(…)"
            return f"the class {given.__qualname__} is no authenticator", f"Make one: {call}."
        kind = type(given).__qualname__
        if not isinstance(given, Authenticator):
            advice = "Derive its class from msframework.Authenticator."
            if callable(getattr(given, "bearer", None)):  # a JWTIssuer
                advice = "Pass what verifies its tokens: issuer.bearer()."
            return f"an object of {kind} is no authenticator", advice
        if any(given is known for known in self.authenticators.values()):
            return f"the authenticator is called {given.name!r} already", "Make another one."
        return _find_missing(given)

    def add_guards(self, guards: object, where: str, problems: list[str]) -> None:
        """Add *guards* to those of all operations."""
        self.guards += read_guards(guards, where, problems)


def _find_missing(given: Any) -> tuple[str, str] | None:
    """Return the first missing part of an authenticator, and the advice."""
    kind, scheme = type(given).__qualname__, getattr(given, "scheme", None)
    if not isinstance(scheme, Mapping) or not isinstance(scheme.get("type"), str):
        return (
            f"{kind} has no scheme for the document",
            'Write scheme = {"type": "http", "scheme": "bearer"} or the like (OpenAPI 3.1.0, '
            "4.8.27).",
        )
    for text in (given.challenge, given.refusal):
        if not (isinstance(text, str) and text.isascii() and (not text or text.isprintable())):
            return (
                f"{kind} has a challenge or refusal that no header can hold",
                "Write a text such as 'Bearer realm=\"users\"' (RFC 9110, 11.6.1).",
            )
    if hasattr(given, "start") is not hasattr(given, "stop"):
        return f"{kind} has only one of start and stop", "Write both, or neither."
    is_written = type(given).authenticate is not Authenticator.authenticate
    if not is_written or not inspect.iscoroutinefunction(given.authenticate):
        return (
            f"{kind} has no coroutine method authenticate",
            "Write `async def authenticate(self, request)`.",
        )
    return None


def build_service_access(settings: Settings, problems: list[str]) -> ServiceAccess:
    """Return the access of a service from its settings; append their mistakes to *problems*."""
    access = ServiceAccess(schemes=settings.openapi.security_schemes, settings=settings)
    for name, given in settings.access.authenticators.items():
        where = f"AUTHENTICATORS[{name!r}]"
        found = _import(given, where, problems)
        if found is not UNSET:
            access.authenticate(name, found, where, problems)
    access.guards = _read_setting(settings.access.guards, "GUARDS", problems)
    access.document_guards = _read_setting(settings.openapi.guards, "OPENAPI_GUARDS", problems)
    return access


def _read_setting(given: Iterable[object], where: str, problems: list[str]) -> tuple[Guard, ...]:
    found = [_import(each, where, problems) for each in given]
    return read_guards([guard for guard in found if guard is not UNSET], where, problems)


def _import(given: object, where: str, problems: list[str]) -> object:
    """Return the object that *given* is, or is the dotted path of; `UNSET` where there is none."""
    if not isinstance(given, str):
        return given
    if _is_path(given) is None:  # and perhaps a secret
        found, advice = "a text that is no dotted path", "Write 'package.module.name'."
        problems.append(Problem(where, found, advice=advice))
        return UNSET
    try:
        imported: object = import_object(given, where=where)
    except ImproperlyConfigured as exc:
        problems.extend(exc.problems)
        return UNSET
    return imported


# Guards, wherever they stand.


def read_guards(given: object, where: str, problems: list[str]) -> tuple[Guard, ...]:
    """Return the valid guards of *given*; append the mistakes in it to *problems*."""
    if isinstance(given, Guard) or not isinstance(given, tuple | list):
        shown = f"the class {given.__qualname__}" if isinstance(given, type) else repr(given)
        example = f"{given!r}" if isinstance(given, Guard) else "Authenticated()"
        advice = f"Put a comma behind a single one: ({example},)."
        problems.append(Problem(where, f"its guards are {shown}", "a tuple of guards", advice))
        return ()
    good = []
    for guard in given:
        mistakes = list(find_mistakes(guard))
        problems.extend(Problem(where, found, advice=advice) for found, advice in mistakes)
        if not mistakes:
            good.append(guard)
    return tuple(good)


def find_mistakes(guard: object) -> Iterator[tuple[str, str]]:
    """Yield each mistake in *guard*, and the advice."""
    if isinstance(guard, type) and issubclass(guard, Guard):
        name = guard.__qualname__
        yield f"the class {name} is no guard", f"Write {name}()."
    elif not isinstance(guard, Guard):
        shown = getattr(guard, "__qualname__", repr(guard))
        advice = "Derive a class from msframework.Guard, and make one of it."
        if isinstance(guard, str) and _is_scope(guard):
            advice = f"Write Scopes({guard!r}) where it is a scope."
        elif isinstance(guard, tuple | list):
            advice = "Write its guards without the brackets, one after the other."
        yield f"{shown} is no guard", advice
    elif isinstance(guard, AllOf | AnyOf):
        for each in guard.guards:
            yield from find_mistakes(each)
    elif isinstance(guard, Not):
        yield from find_mistakes(guard.guard)
    elif isinstance(guard, Narrowed):
        yield from _find_wrong_methods(guard)
        yield from find_mistakes(guard.guard)
    elif isinstance(guard, Scopes | AnyScope):
        yield from _find_wrong_scopes(guard)
    elif isinstance(guard, AuthenticatedBy):
        if not guard.names:
            yield f"{guard!r} names no authenticator", "Name one at least."
    elif is_own(guard):
        yield from _find_wrong_functions(guard)
    elif not isinstance(guard, Authenticated):
        yield (
            f"{type(guard).__qualname__} has neither allows nor allows_object",
            "Write `async def allows(self, request, principal)`.",
        )


def _find_wrong_functions(guard: Any) -> Iterator[tuple[str, str]]:
    takes = {"allows": "request, principal", "allows_object": "request, principal, obj"}
    for name, given in takes.items():
        if not hasattr(guard, name):
            continue
        function, advice = getattr(guard, name), f"Write `async def {name}(self, {given})`."
        try:
            read_signature(function).bind_partial(*given.split(", "))
        except (TypeError, ValueError):
            yield f"{type(guard).__qualname__}.{name} does not take {given}", advice
            continue
        second = _second_name(function)
        if second not in ("principal", ""):  # which would receive the principal all the same
            found = f"{type(guard).__qualname__}.{name} has {second!r} in the place of principal"
            yield found, advice


def _second_name(function: Any) -> str:
    """Return the name of the second parameter of *function*; nothing for `_` and `*args`."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = list(read_signature(function).parameters.values())[:2]
    named = [each.name.lstrip("_") for each in parameters if each.kind in positional]
    return named[1] if len(named) > 1 else ""


def _find_wrong_methods(guard: Narrowed) -> Iterator[tuple[str, str]]:
    advice = f"A guard is narrowed to some of {', '.join(METHODS)}; HEAD goes with GET."
    if not guard.methods:
        yield f"{guard!r} names no method", advice
    for method in guard.methods:
        if method not in METHODS:
            yield f"{guard!r} names {method!r}, which is no method of an operation", advice


def _find_wrong_scopes(guard: Scopes | AnyScope) -> Iterator[tuple[str, str]]:
    if not guard.scopes:
        advice = "Name one at least; Authenticated() is for any caller."
        yield f"{guard!r} names no scope", advice
    for scope in guard.scopes:
        given: Any = scope
        if not isinstance(given, str) or _is_scope(given) is None:
            parts = given.split() if isinstance(given, str) else []
            advice = "A scope is a text without spaces, quotes, backslashes and what is not ASCII."
            if len(parts) > 1 and all(map(_is_scope, parts)):
                advice = f"Write {type(guard)(*parts)!r}."
            yield f"{guard!r} names {given!r}, which is no scope (RFC 6749, 3.3)", advice
