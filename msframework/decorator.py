"""Refusals of decorators that are written without their parentheses. Runs at start-up."""

from __future__ import annotations

from types import FunctionType

from msframework._place import caller_place, short_path
from msframework.exceptions import ImproperlyConfigured
from msframework.resource import Resource


def check_call(decorator: str, *given: object) -> None:
    """Refuse a decorator that was written without its parentheses, and so given a handler.

    Raises:
        ImproperlyConfigured: it was.
    """
    for value in given:
        if isinstance(value, FunctionType) or _is_resource(value):
            raise written_without_call(decorator, value)


def written_without_call(decorator: str, given: object) -> ImproperlyConfigured:
    """Return the error for a *decorator* that is written without its call."""
    code = getattr(given, "__code__", None)
    place = f"{short_path(code.co_filename)}:{code.co_firstlineno}" if code else caller_place()
    name = getattr(given, "__qualname__", repr(given))
    return ImproperlyConfigured(
        f"{place} {name}: {decorator} is written without a call, and was given what it decorates. "
        f"Write {decorator}(…)."
    )


def _is_resource(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Resource)
