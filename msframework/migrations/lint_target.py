"""The table of a statement, and the cost of a change of type.

Runs on the command line.
"""

from __future__ import annotations

import re
from typing import Final

from msframework.migrations.conversions import conversion
from msframework.migrations.schema import Column
from msframework.migrations.sql import same, unquote, words

_BEFORE: Final = frozenset(("if", "not", "exists", "only"))
_SIZED: Final = frozenset(("varchar", "varbit", "numeric", "timestamp", "timestamptz", "time"))
_SIZE: Final = re.compile(r"\(([\d, ]+)\)")


def target_of_statement(statement: str) -> str | None:
    """Return the table that an ALTER TABLE, CREATE INDEX or the like changes."""
    found = list(words(statement))
    lowered = [word.lower() if kind == "name" else word for kind, word in found]
    for number, word in enumerate(lowered):
        if word == "table" or (word == "on" and "index" in lowered[:number]):
            rest = number + 1
            while rest < len(lowered) and lowered[rest] in _BEFORE:
                rest += 1
            return _name(found[rest:]) if rest < len(found) else None
    return None


def is_rewritten(old: Column, new: Column, using: str | None) -> bool:
    """Say whether a change of type rewrites the table or its indexes, or reads all rows.

    PostgreSQL only changes its catalog where every value stays as it is (its manual, ALTER TABLE,
    notes): a longer varchar, text in its place, more digits of a numeric before the point.
    """
    if using is not None or not same(old.collation, new.collation):
        return True
    if same(old.type, new.type):
        return False
    one, other = (each.partition("(")[0] for each in (old.type, new.type))
    if conversion(old.type, new.type).effect != "kept" or old.type.endswith("[]"):
        return True
    if {one, other} <= {"text", "varchar"}:
        return False
    if one == other == "numeric":
        return _scale(old.type) != _scale(new.type) and bool(_SIZE.search(new.type))
    return one != other or one not in _SIZED


def _scale(kind: str) -> str:
    match = _SIZE.search(kind)
    return match[1].partition(",")[2].strip() if match else ""


def _name(found: list[tuple[str, str]]) -> str:
    parts = []
    for kind, word in found[:3]:
        if kind == "quoted":
            parts.append(unquote(word))
        elif kind == "name" and len(parts) in (0, 2):
            parts.append(word.lower())
        elif word == "." and len(parts) == 1:
            parts.append(".")
        else:
            break
    return "".join(parts)
