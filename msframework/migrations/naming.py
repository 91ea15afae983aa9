"""The names that PostgreSQL gives to constraints and indexes that are declared without one.

A state holds every name, so that a schema which migrations made has the names of one that is made
at once. The rules are those of the server's makeObjectName, ChooseConstraintName and
ChooseIndexNameAddition. Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from msframework.migrations.sql import unquote, words

LONGEST_NAME: Final = 63  # bytes: NAMEDATALEN - 1


def clip(name: str, size: int = LONGEST_NAME) -> str:
    """Return *name* as PostgreSQL keeps it: its first *size* bytes, no character cut in two."""
    return name.encode()[:size].decode(errors="ignore")


def name_object(table: str, columns: Sequence[str], label: str, taken: Collection[str]) -> str:
    """Return a name, the parts joined as in users_email_key, with a number where it is *taken*.

    Args:
        table: the bare name of the table.
        columns: the columns that are part of the name.
        label: the last part: `pkey`, `key`, `excl`, `check`, `fkey`, `idx`.
    """
    middle = _join(columns)
    number = 0
    name = _make(table, middle, label)
    while name in taken:
        number += 1
        name = _make(table, middle, f"{label}{number}")
    return name


def _join(columns: Sequence[str]) -> str:
    """Join *columns*, as far as the server does, which stops after the first byte too many."""
    joined = ""
    for column in columns:
        joined = f"{joined}_{column}" if joined else column
        if len(joined.encode()) > LONGEST_NAME:
            break
    return joined


def _make(first: str, second: str, label: str) -> str:
    """Join three parts, of which the longer one of the first two is cut until all fit."""
    one, two = len(first.encode()), len(second.encode())
    room = LONGEST_NAME - len(label) - 1 - bool(second)
    while one + two > room:
        if one > two:
            one -= 1
        else:
            two -= 1
    parts = [clip(first, one), clip(second, two), label] if second else [clip(first, one), label]
    return "_".join(parts)


def mentioned(expression: str, columns: Collection[str]) -> list[str]:
    """Return those of *columns* that occur in *expression*, each once, in that order."""
    found = list(words(expression))
    used = []
    for number, (kind, word) in enumerate(found):
        if kind == "quoted":
            name = unquote(word)
        elif kind == "name":
            name = word.lower()
        else:
            continue
        behind = found[number + 1][1] if number + 1 < len(found) else ""
        before = found[number - 1][1].lower() if number else ""
        is_call = kind == "name" and behind == "("
        if name in columns and not is_call and behind != "." and before not in ("::", "as"):
            used.append(name)
    return list(dict.fromkeys(used))
