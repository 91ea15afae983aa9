"""The warnings of `check` about access: what is open, and what nobody can reach.

Runs on the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from msframework.access.contradiction import is_satisfiable
from msframework.access.text import guards_text
from msframework.management.guarded import AccessRow, read_access_rows
from msframework.management.leak import find_leaks
from msframework.operation import Operation

_SHOWN: Final = 5


def find_exposure(service: Any) -> list[str]:
    """Return the warnings about who may call *service*."""
    settings = service.settings
    return [
        *_open(read_access_rows(service)),
        *_closed_to_all(service.operations),
        *(() if settings.debug else find_leaks(settings.module)),
    ]


def _open(rows: Iterable[AccessRow]) -> Iterator[str]:
    found = [f"{row.method} {row.path} ({row.where})" for row in rows if row.is_forgotten]
    if found:
        yield (
            f"{_count(found, 'route')} neither guarded nor public, so anybody may call "
            f"{'them' if found[1:] else 'it'}: {_first(found)}. Guard them (GUARDS, guards= of a "
            "Blueprint, guards of a Resource, @doc.guards), or say that it is meant: @doc.public."
        )


def _closed_to_all(operations: Iterable[Operation]) -> Iterator[str]:
    for operation in operations:
        access = operation.access
        names = [authenticator.name for authenticator in access.authenticators]
        if access.guards and not is_satisfiable(access.guards, names):
            yield (
                f"{operation.where}: nobody can pass its guards ({guards_text(access.guards)}). "
                "Drop one of those that exclude each other."
            )


def _count(found: Sequence[str], noun: str) -> str:
    return f"{len(found)} {noun}s are" if found[1:] else f"1 {noun} is"


def _first(found: Sequence[str]) -> str:
    more = len(found) - _SHOWN
    return ", ".join([*found[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])
