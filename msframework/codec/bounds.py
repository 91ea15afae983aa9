"""Bounds on the messages about one input. Runs per request, where something is wrong.

A body may be wrong in a million places; loading it must not cost, and answering it not send, a
message for each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from marshmallow.exceptions import SCHEMA

if TYPE_CHECKING:
    from msframework.codec.errors import Messages

MAX_ERRORS: Final = 100
_LONGEST_KEY: Final = 100
_LONGEST_TEXT: Final = 1000
_DEEPEST: Final = 64


def count_messages(messages: object, most: int) -> int:
    """Return how many messages there are in *messages*, at least 1; beyond *most* any number."""
    found, waiting = 0, [messages]
    while waiting and found <= most:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
        else:
            found += 1
    return max(found, 1)


def bound_messages(messages: Messages, most: int) -> Messages:
    """Return the first *most* of *messages*, and one that says so where there are more.

    Long keys and long texts are cut.
    """
    if (
        messages.__class__ is dict
        and len(messages) <= most
        and all(map(_is_short, messages.keys(), messages.values()))
    ):
        return messages
    cutter = _Cutter(most)
    found = cutter.cut(messages, 0)
    if not cutter.is_full:
        return found
    told = f"There are more errors; these are the first {most}."
    if not isinstance(found, dict):
        return [*found, told] if isinstance(found, list) else [found, told]
    before = found.get(SCHEMA, [])
    found[SCHEMA] = [*(before if isinstance(before, list) else [before]), told]
    return found


def _is_short(key: Any, value: Any) -> bool:
    """Tell whether *value* is the one message of a usual *key*."""
    return (
        key.__class__ is str
        and len(key) <= _LONGEST_KEY
        and value.__class__ is list
        and len(value) == 1
        and value[0].__class__ is str
        and len(value[0]) <= _LONGEST_TEXT
    )


class _Cutter:
    """Copies messages until there are enough; `is_full` tells whether some were left."""

    def __init__(self, most: int) -> None:
        self.left, self.is_full = most, False

    def cut(self, item: object, depth: int) -> object:
        """Return the copy of *item*, as far as there is room."""
        if depth > _DEEPEST:
            item = "…"
        if isinstance(item, dict) and item:
            found: dict[object, object] = {}
            for key, value in item.items():
                if self._is_enough():
                    break
                found[_cut_text(key, _LONGEST_KEY)] = self.cut(value, depth + 1)
            return found
        if isinstance(item, (list, tuple)) and item:
            kept = []
            for value in item:
                if self._is_enough():
                    break
                kept.append(self.cut(value, depth + 1))
            return kept
        self.left -= 1
        return _cut_text(item, _LONGEST_TEXT)

    def _is_enough(self) -> bool:
        self.is_full = self.is_full or self.left <= 0
        return self.is_full


def _cut_text(text: object, longest: int) -> object:
    if isinstance(text, str) and len(text) > longest:
        return text[: longest - 1] + "…"
    return text
