"""Queries for the rows that a new constraint would not allow. Runs at start-up."""

from __future__ import annotations

from msframework.migrations.schema import Constraint, ForeignKey
from msframework.migrations.sql import placed_words, quote, quote_qualified


def rows_against_check(table: str, check: Constraint) -> str | None:
    """Return the query for the rows of *table* that break *check*; `None` if it cannot be read."""
    condition = _in_parentheses(check.definition)
    if condition is None:
        return None
    return f"SELECT * FROM {quote_qualified(table)} WHERE NOT {condition}"  # noqa: S608


def rows_against_key(table: str, key: ForeignKey) -> str:
    """Return the query for the rows of *table* whose target is not there."""
    given = " AND ".join(f"own.{quote(each)} IS NOT NULL" for each in key.columns)
    same = " AND ".join(
        f"other.{quote(two)} = own.{quote(one)}"
        for one, two in zip(key.columns, key.target_columns, strict=True)
    )
    return (
        f"SELECT own.* FROM {quote_qualified(table)} AS own WHERE {given} AND NOT EXISTS "  # noqa: S608
        f"(SELECT FROM {quote_qualified(key.target)} AS other WHERE {same})"
    )


def _in_parentheses(definition: str) -> str | None:
    """Return the condition of a check, with its parentheses."""
    begin: int | None = None
    depth = 0
    for _, word, place in placed_words(definition):
        depth += (word == "(") - (word == ")")
        if word == "(" and begin is None:
            begin = place
        elif word == ")" and depth == 0 and begin is not None:
            return definition[begin : place + 1]
    return None
