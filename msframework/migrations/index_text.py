"""Indexes as peewee declares and names them. Runs at start-up."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from msframework.migrations.naming import clip
from msframework.migrations.scanner import Scanner, Unreadable

_LONGEST: Final = 64  # characters, which peewee allows


def plain_columns(elements: Iterable[str]) -> tuple[str, ...] | None:
    """Return the columns of elements that are nothing else; `None` where one is."""
    found = []
    for element in elements:
        scanner = Scanner(element)
        try:
            found.append(scanner.identifier())
            scanner.finish()
        except Unreadable:
            return None
    return tuple(found)


def generated_name(table: str, columns: Iterable[str]) -> str:
    """Return the name that peewee gives to an index of *columns* of the bare name *table*."""
    joined = re.sub(r"[^\w]+", "", "_".join(columns))
    name = f"{table}_{joined}"
    if len(name) > _LONGEST:
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        name = f"{name[: _LONGEST - 8]}_{digest[:7]}"
    return clip(name)
