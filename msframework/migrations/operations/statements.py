"""SQL texts of several statements, split into single ones. Runs at start-up."""

from __future__ import annotations

from typing import Final

from msframework.migrations.sql import placed_words, words

# What PostgreSQL refuses in a transaction block (PreventInTransactionBlock in its source).
_OUTSIDE: Final = (
    ("vacuum",),
    ("create", "database"),
    ("drop", "database"),
    ("create", "tablespace"),
    ("drop", "tablespace"),
    ("alter", "system"),
    ("reindex", "database"),
    ("reindex", "system"),
    ("reindex", "schema"),
)
_BOUNDARIES: Final = (["begin"], ["commit"], ["end"], ["abort"])
_TRANSACTIONS: Final = (["start", "transaction"], ["prepare", "transaction"])
_CONCURRENT: Final = ("create", "drop", "reindex", "refresh", "alter")


def split(text: str) -> list[str]:
    """Return the statements of *text*; the bodies of SQL functions (BEGIN ATOMIC) stay whole."""
    found, start, depth = [], 0, 0
    atomic = False
    for kind, word, begin in placed_words(text):
        lowered = word.lower() if kind == "name" else word
        if lowered == "atomic":
            atomic, depth = True, 1
        elif atomic and lowered == "case":
            depth += 1
        elif atomic and lowered == "end":
            depth -= 1
            atomic = depth > 0
        elif lowered == ";" and not atomic:
            found.append(text[start:begin])
            start = begin + 1
    found.append(text[start:])
    return [each.strip() for each in found if any(True for _ in words(each))]


def is_outside(statement: str) -> bool:
    """Say whether *statement* cannot run in a transaction."""
    names = [word.lower() for kind, word in words(statement) if kind == "name"]
    if any(tuple(names[: len(each)]) == each for each in _OUTSIDE):
        return True
    if names[:2] == ["refresh", "materialized"]:
        return False
    return names[:1] != [] and names[0] in _CONCURRENT and "concurrently" in names


def is_boundary(statement: str) -> bool:
    """Say whether *statement* begins or ends a transaction."""
    names = [word.lower() for _, word in words(statement)][:3]
    if names[:1] == ["rollback"]:
        return "to" not in names  # a savepoint is a matter within one
    return names[:1] in _BOUNDARIES or names[:2] in _TRANSACTIONS
