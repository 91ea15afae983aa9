"""Sanic's decorators, with checks of their arguments.

Runs at start-up.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, Protocol, TypeVar

from sanic import Blueprint as SanicBlueprint

from msframework._place import caller_place, place_of
from msframework._signature import fix_signature, read_signature
from msframework.alike import find_nearest
from msframework.decorator import written_without_call
from msframework.exceptions import ImproperlyConfigured
from msframework.problem import Problem

T = TypeVar("T")
_EXTRA: Final = "ctx_"  # what begins with it goes to the `ctx` of the route
# The options that a decorator of a blueprint has beside Sanic's, and those that it gives itself.
_OWN: Final[Mapping[str, tuple[str, ...]]] = {"collection": ("item", "bulk", "name")}
_GIVEN: Final = {"self", "handler", "uri", "methods", "name"}


class RouteDecorator(Protocol):
    """`get`, `post` and their like: Sanic's, which leave the type of a handler as it is."""

    def __call__(self, uri: str, *args: object, **options: object) -> Callable[[T], T]:
        """Register a route, as Sanic documents it."""


class CheckedDecorators:
    """Sanic's decorators, which check their arguments.

    Attributes:
        problems: the mistakes that were found, which keep the service from starting.
    """

    __slots__ = ()
    problems: list[str]
    get: RouteDecorator
    post: RouteDecorator
    put: RouteDecorator
    patch: RouteDecorator
    delete: RouteDecorator
    head: RouteDecorator
    options: RouteDecorator
    websocket: RouteDecorator

    def route(self, uri: str, *args: object, **options: object) -> Callable[[T], T]:
        """Register a route, as Sanic documents it; so do `get`, `post` and their like."""
        given: Any = options
        methods = [method.lower() for method in given.get("methods") or ()]
        name = "websocket" if given.get("websocket") else "route"
        name = methods[0] if len(methods) == 1 else name
        check_given(self, name, uri)
        given = check_options(self, name, uri, options, self.problems)
        decorate: Callable[[T], T] = super().route(uri, *args, **given)  # type: ignore[misc]

        def register(handler: T) -> T:
            wrong = check_handler(handler, getattr(handler, "__qualname__", ""))
            if wrong is None:
                fix_signature(handler)
                return decorate(handler)
            self.problems.append(wrong)
            return handler

        return register

    def exception(
        self, *exceptions: type[Exception] | list[type[Exception]], apply: bool = True
    ) -> Callable[[T], T]:
        """Register a handler of exceptions, as Sanic documents it."""
        for given in exceptions:
            if not isinstance(given, type):
                _check_call(self, "exception", given)
        return super().exception(*exceptions, apply=apply)  # type: ignore[misc,no-any-return]

    def signal(self, event: str | Enum, *args: object, **options: object) -> Callable[[T], T]:
        """Register a handler of a signal, as Sanic documents it."""
        _check_call(self, "signal", event)
        return super().signal(event, *args, **options)  # type: ignore[misc,no-any-return]


def check_given(owner: object, decorator: str, path: object) -> None:
    """Refuse a decorator that is written without parentheses, or whose path is no text.

    Raises:
        ImproperlyConfigured: it is; without parentheses, what it decorates would be lost.
    """
    _check_call(owner, decorator, path)
    if not isinstance(path, str | bytes):
        raise ImproperlyConfigured(
            f"{caller_place()}: {_name(owner, decorator)}(…) got the path {path!r:.100}; expected "
            "a text such as '/users'."
        )


def check_options(
    owner: object,
    decorator: str,
    path: object,
    options: Mapping[str, object],
    problems: list[str],
) -> dict[str, object]:
    """Return those *options* that the decorator has; note each other one in *problems*."""
    sanics = getattr(SanicBlueprint, decorator, None)
    if sanics is None:
        shown = taken = {*_OWN.get(decorator, ()), *_options_of(SanicBlueprint.add_route)}
    else:
        shown = {*_options_of(sanics), "name"}
        taken = {*shown, "methods", *_options_of(SanicBlueprint.route)}  # which `get` calls
    wrong = [name for name in options if name not in taken and not name.startswith(_EXTRA)]
    for name in wrong:
        close = find_nearest(name, shown)
        found = f"{_name(owner, decorator)}({path!r}) has no option {name!r}"
        expected = f"one of {', '.join(sorted(shown))}"
        advice = f"Did you mean {close!r}?" if close else "Drop it."
        problems.append(Problem(caller_place(), found, expected, advice))
    return {name: value for name, value in options.items() if name not in wrong}


def _options_of(function: Callable[..., object]) -> Iterator[str]:
    for name, parameter in read_signature(function).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD and name not in _GIVEN:
            yield name


def check_handler(handler: Any, name: str) -> Problem | None:
    """Return the problem of a *handler* that cannot take the request, if it cannot."""
    try:
        parameters = read_signature(handler).parameters.values()
    except TypeError:
        return None  # nothing is known of it
    except ValueError:
        return Problem(place_of(handler, name), "it takes no self", advice="Write (self, request).")
    if any(each.kind is not each.KEYWORD_ONLY for each in parameters):
        return None
    first = "(self, request, …)" if inspect.ismethod(handler) else "(request, …)"
    found = "its first parameter must be the request; it has none"
    return Problem(place_of(handler, name), found, advice=f"Write {first}.")


def check_class(cls: object) -> Problem | None:
    """Return the problem of a class that cannot be made without arguments, if it cannot."""
    if not isinstance(cls, type):
        return None
    try:
        read_signature(cls).bind()
    except TypeError as exc:
        where = place_of(vars(cls).get("__init__", cls), cls.__qualname__)
        found = f"its __init__ cannot be called without arguments: {exc}"
        return Problem(where, found, advice="Let it take self alone, or give defaults.")
    return None


def _check_call(owner: object, decorator: str, given: object) -> None:
    if callable(given):
        raise written_without_call(_name(owner, decorator), given)


def _name(owner: object, decorator: str) -> str:
    kind = "blueprint" if isinstance(owner, SanicBlueprint) else "service"
    return f"@{kind}.{decorator}"
