"""How the codec says no. Runs per request.

A loader returns the loaded value or a `Rejected`, and only `CompiledSchema` raises marshmallow's
error. A check returns the messages of a value that fails, or `None`. A fast path returns `None` for
a value that is not usual, or raises `UnusualValue` in the middle of an expression: then a plainer
path takes the whole. `InexactNumber` asks for another reading of the body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn, Self, TypeAlias

from marshmallow import ValidationError, error_store
from marshmallow.exceptions import SCHEMA

from msframework.types import JSONValue

# Messages as marshmallow nests them: a list of texts, or a dict by key or index.
Messages: TypeAlias = Any
# What a loader returns: the loaded value, or a `Rejected`.
Loaded: TypeAlias = Any
LoadErrors: TypeAlias = dict[object, Messages]


def _find(name: str) -> Any:
    """Return one of marshmallow's undocumented names; without it, nothing is compiled."""
    return getattr(error_store, name, None)


# NOTE: marshmallow gives these no types.
copy_containers: Final[Callable[[Messages], Messages]] = _find("copy_containers")
merge_errors: Final[Callable[[Messages, Messages], Messages]] = _find("merge_errors")
ErrorStore: Final[Callable[[], Any]] = _find("ErrorStore")
messages_of: Final[Callable[[ValidationError], LoadErrors]] = ValidationError.normalized_messages


class _Suspicion:
    """The type of `SUSPICION`."""

    def __repr__(self) -> str:
        return "SUSPICION"


# Stands in the errors of one object while it is loaded, when a value may have been misread by the
# JSON parser (`strict_json.SUSPECT`); whoever reads the errors takes it out first.
SUSPICION: Final = _Suspicion()


class Rejected:
    """The result of loading a value that is refused.

    Args:
        messages: a list of messages, or a dict of them by key.
        valid: the good part of it, or `None`.
        data: the value itself, where a whole object is refused.
    """

    __slots__ = ("data", "messages", "valid")

    def __init__(self, messages: Messages, valid: Loaded = None, data: JSONValue = None) -> None:
        self.messages = messages
        self.valid = valid
        self.data = data

    @classmethod
    def of(cls, exc: ValidationError) -> Self:
        """Return the same of an error that marshmallow, or the user's code, raised."""
        return cls(exc.messages, exc.valid_data, exc.data)


class UnusualValue(Exception):
    """A value that a fast path leaves to a plainer one."""


class InexactNumber(Exception):
    """A double in the place of a decimal or an integer, whose digits must be read again."""


def give_up() -> NoReturn:
    """Leave the value at hand, and the whole that it is part of, to a plainer path."""
    raise UnusualValue


def note(errors: LoadErrors, key: object, messages: Messages) -> None:
    """Store *messages*, which are nobody else's, for *key*, as `ErrorStore.store_error` does."""
    if key not in errors and key != SCHEMA:
        errors[key] = messages
        return
    merge(errors, messages if key == SCHEMA and isinstance(messages, dict) else {key: messages})


def merge(errors: LoadErrors, more: LoadErrors) -> None:
    """Merge *more* into *errors*, in place."""
    if errors:
        merge_errors(errors, more)
    else:
        errors.update(more)
