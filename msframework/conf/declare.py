"""The declaration of one setting, as a field of a frozen dataclass. Runs at start-up."""

from __future__ import annotations

from dataclasses import field
from typing import Any

Pair = tuple[str, ...]


def setting(
    name: str,
    default: Any,
    help: str,
    *,
    secret: bool = False,
    alias: str | None = None,
    choices: tuple[str, ...] = (),
    least: float | None = None,
    most: float | None = None,
    takes_text: bool = False,
) -> Any:
    """Declare one setting: its name in capitals, its default, and its purpose.

    Args:
        secret: its value appears in no message and no `repr`.
        alias: a second name that is read too.
        choices: the texts it may have, or that each of its texts may be.
        least: the smallest number allowed.
        most: the largest number allowed.
        takes_text: whether one text may stand for a tuple of it.
    """
    metadata = {
        "name": name,
        "help": help,
        "secret": secret,
        "alias": alias,
        "choices": choices,
        "least": least,
        "most": most,
        "takes_text": takes_text,
    }
    if isinstance(default, (dict, list)):
        return field(default_factory=default.copy, metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)
