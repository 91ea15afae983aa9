"""The mistakes in one source of settings, each said in one form. Runs at start-up."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from msframework.alike import find_nearest
from msframework.problem import Problem

HIDDEN: Final = "a value that is not shown"
_LONGEST = 80
_PLAIN: Final = (str, int, float, bool, type(None), type, Path)


class Findings:
    """Collects mistakes: where, the value found, the value expected, the remedy.

    `names` holds the settings that were refused, so that no further rule judges them.
    """

    __slots__ = ("names", "problems")

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.names: set[str] = set()

    def add(self, where: str, name: str, found: str, expected: str, advice: str) -> None:
        """Note that *name* is wrong in *where*; *name* may go on into the value: `A['b']`."""
        self.names.add(name.partition("[")[0])
        self.problems.append(Problem(where, f"{name} is {found}", expected, advice))


def shown(value: object, *, secret: bool = False) -> str:
    """Return *value* as a message may show it: shortened, and never a secret."""
    # NOTE: the members of a dict or a list may be secrets, and an address may hold a password.
    if secret or not isinstance(value, _PLAIN) or "@" in str(value).partition(":")[2]:
        return f"{HIDDEN} (type {type(value).__name__})"
    text = repr(value)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return f"{text} (type {type(value).__name__})"


def did_you_mean(name: str, known: Collection[str], otherwise: str) -> str:
    """Return the advice for the unknown *name*: the nearest *known* one, or *otherwise*."""
    close = find_nearest(name, known)
    return f"Did you mean {close}?" if close else otherwise
