"""What PostgreSQL and asyncpg raise -> exceptions of ours, by SQLSTATE and by constraint name.

No text of the server goes into an answer: its messages and DETAIL carry the values of rows. Runs
per request, when something failed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import asyncpg

from msframework.exceptions import (
    ConstraintConflict,
    ConstraintViolation,
    DatabaseUnavailable,
    ServiceException,
)

# PostgreSQL 18, appendix A.
_CONFLICTS = {
    "23505": "unique",
    "23P01": "exclusion",
    "23503": "foreign key",
    "23001": "restrict",
    "23000": "integrity",
}
_VIOLATIONS = {"23502": "not null", "23514": "check", "44000": "check option"}
_UNAVAILABLE_CLASSES = frozenset({"08", "53", "57"})
# serialization failure, deadlock, lock timeout, idle transaction ended, transaction timeout
_UNAVAILABLE = frozenset({"40001", "40P01", "40003", "55P03", "25P03", "25P04"})
_SCHEMA_CHANGED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
# DETAIL reads "Key (city_id, lower(name))=(1, x) …"; what stands before ")=(" are columns.
_KEY = re.compile(r"\((.*?)\)=\(", re.DOTALL)
_ARGUMENT = re.compile(r"invalid input for query argument (\$\d+)")


class Hidden(str):
    """A text of the server that `str(exc)` leaves out, as it may hold the values of a row."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "Hidden()"


def translate(
    exc: BaseException, constraints: Mapping[str, type[ServiceException]] | None = None
) -> ServiceException | None:
    """Return what *exc* answers; `None` when it isn't the database's, or is a fault of ours.

    Args:
        constraints: exceptions by the name of the constraint that raises them.
    """
    if isinstance(exc, _SCHEMA_CHANGED):
        return _caused(DatabaseUnavailable(), exc)
    if isinstance(exc, asyncpg.DataError):
        # asyncpg raises it for an argument that it cannot send, with the class of a server's error.
        found = _ARGUMENT.match(str(exc))
        if found:
            return _caused(ConstraintViolation(f"{found[1]}: the value does not fit its type"), exc)
    if isinstance(exc, asyncpg.PostgresError):
        return _from_server(exc, constraints or {})
    return None


def _from_server(
    exc: Any, constraints: Mapping[str, type[ServiceException]]
) -> ServiceException | None:
    state = exc.sqlstate or ""
    name = exc.constraint_name
    if name is not None and name in constraints:
        return _caused(constraints[name](), exc)
    if state in _CONFLICTS:
        facts = _facts(exc, _CONFLICTS[state])
        return _caused(ConstraintConflict(facts, constraint=name), exc)
    if state in _VIOLATIONS:
        facts = _facts(exc, _VIOLATIONS[state])
        return _caused(ConstraintViolation(facts, constraint=name), exc)
    if state.startswith("22"):
        return _caused(ConstraintViolation("a value does not fit its column"), exc)
    if state in _UNAVAILABLE or state[:2] in _UNAVAILABLE_CLASSES:
        return _caused(DatabaseUnavailable(), exc)
    return None


def _facts(exc: Any, kind: str) -> dict[str, Any]:
    """Return which constraint said no and for which columns, without their values."""
    found = _KEY.search(str.__str__(exc.detail)) if isinstance(exc.detail, str) else None
    columns = [exc.column_name] if exc.column_name else []
    if found:
        columns = [column.strip() for column in found[1].split(", ")]
    return {"violated": kind, "constraint": exc.constraint_name, "columns": columns}


def _caused(answer: ServiceException, exc: BaseException) -> ServiceException:
    answer.__cause__ = exc
    return answer


def hide_values(exc: BaseException) -> None:
    """Keep the values of rows out of what `str(exc)` gives, and with it out of spans and logs."""
    if isinstance(exc, asyncpg.PostgresError) and exc.detail:
        exc.detail = Hidden(exc.detail)
