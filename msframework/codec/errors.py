"""Errors of one load, put together as marshmallow does. Runs per request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from marshmallow import ValidationError, error_store
from marshmallow.exceptions import SCHEMA

# NOTE: marshmallow gives these no types.
copy_containers: Final[Callable[[Any], Any]] = error_store.copy_containers
merge_errors: Final[Callable[[Any, Any], Any]] = error_store.merge_errors
ErrorStore: Final[Callable[[], Any]] = error_store.ErrorStore
messages_of: Final[Callable[[ValidationError], Any]] = ValidationError.normalized_messages
Errors = dict[Any, Any]


class _Odd:
    """The type of `ODD`."""

    def __repr__(self) -> str:
        return "ODD"


# Stands in the errors of one object while it is loaded, when a value may have been misread by the
# JSON parser (`strict_json.SUSPECT`); whoever raises the errors takes it out first.
ODD: Final = _Odd()


class Bad:
    """What a loader returns for a value that it refuses.

    Args:
        messages: a list of messages, or a dict of them by key.
        valid: what was good in it, or `None`.
        data: the value itself, where a whole object is refused.
    """

    __slots__ = ("data", "messages", "valid")

    def __init__(self, messages: Any, valid: Any = None, data: Any = None) -> None:
        self.messages = messages
        self.valid = valid
        self.data = data


def note(errors: Errors, key: Any, messages: Any) -> None:
    """Store *messages*, which are nobody else's, for *key*, as `ErrorStore.store_error` does."""
    if key not in errors and key != SCHEMA:
        errors[key] = messages
        return
    merge(errors, messages if key == SCHEMA and isinstance(messages, dict) else {key: messages})


def merge(errors: Errors, more: Errors) -> None:
    """Merge *more* into *errors*, in place."""
    if errors:
        merge_errors(errors, more)
    else:
        errors.update(more)
