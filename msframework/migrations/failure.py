"""The report of a failed migration: where, why, what is left, and how to go on.

Runs when a migration fails. It shows no values of rows: PostgreSQL's DETAIL of a violated
constraint is left out, and so are the values in messages about data (SQLSTATE classes 22 and 23).
"""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from msframework.migrations.tasks import Position
from msframework.migrations.waiting import LOCK_NOT_AVAILABLE, QUERY_CANCELED, TRANSIENT, sqlstate

if TYPE_CHECKING:
    from psycopg.errors import Diagnostic

_LONGEST_LINE: Final = 160
# Data exceptions, violated constraints, and what a function of the user raises.
_WITH_VALUES: Final = ("22", "23", "P0")
# PostgreSQL's appendix A, "Error Codes".
_EXISTS: Final = ("42701", "42710", "42P06", "42P07")  # duplicate column, object, schema, table
_UNCONVERTED: Final = ("22001", "22003", "22007", "22008", "22P02", "42804", "42846")
_QUOTED: Final = re.compile(r'"[^"]*"')
_KEY: Final = re.compile(r"\((.+?)\)=\(")


def describe_failure(exc: BaseException, place: Position, file: str | None) -> str:
    """Return the place and the reasons of a failure, in lines.

    Args:
        file: the path of the migration, whose line is named where it is Python.
    """
    lines = []
    if place.operation is not None:
        number, text = place.operation
        lines.append(f"operation {number}: {text}")
    diagnostic = find_diagnostic(exc)
    if place.statement is not None and diagnostic is not None:
        lines.append(f"statement: {_statement_line(place.statement, diagnostic)}")
    elif file is not None and (where := _python_line(exc.__traceback__, file)) is not None:
        lines.append(f"at {where}")
    lines += _reasons(exc, diagnostic)
    advice = _advice(sqlstate(exc), place.operation[1] if place.operation else "")
    if advice is not None:
        lines.append(advice)
    return "\n".join(f"  {line}" for line in lines)


def find_diagnostic(exc: BaseException) -> Diagnostic | None:
    """Return PostgreSQL's diagnostic in *exc* or its causes, if there is one."""
    for each in (exc, *exc.args[:1], exc.__cause__, exc.__context__):
        found: Any = getattr(each, "diag", None)
        if found is not None and found.message_primary is not None:
            diagnostic: Diagnostic = found
            return diagnostic
    return None


def _reasons(exc: BaseException, diagnostic: Diagnostic | None) -> list[str]:
    if diagnostic is None:
        text = str(exc).strip().partition("\n")[0]
        return [f"{type(exc).__name__}: {text}" if text else type(exc).__name__]
    state = diagnostic.sqlstate or ""
    message = diagnostic.message_primary or ""
    if state.startswith("22"):
        message = _QUOTED.sub('"…"', message)
    lines = [f"PostgreSQL: {message} (SQLSTATE {state})"]
    detail = diagnostic.message_detail
    if state.startswith(_WITH_VALUES):
        lines += _place_of_rows(diagnostic)
    elif detail:
        lines += [f"detail: {each}" for each in detail.splitlines()]
    if diagnostic.message_hint:
        lines.append(f"hint: {diagnostic.message_hint}")
    return lines


def _place_of_rows(diagnostic: Diagnostic) -> list[str]:
    """Return the constraint, table and column of the failure, without values."""
    parts = []
    if diagnostic.constraint_name:
        parts.append(f"constraint {diagnostic.constraint_name}")
    if diagnostic.table_name:
        parts.append(f"table {diagnostic.table_name}")
    key = _KEY.search(diagnostic.message_detail or "")
    if diagnostic.column_name:
        parts.append(f"column {diagnostic.column_name}")
    elif key is not None and (diagnostic.sqlstate or "").startswith("23"):
        parts.append(f"key ({key[1]})")
    return [f"in: {', '.join(parts)}"] if parts else []


def _statement_line(statement: str, diagnostic: Diagnostic) -> str:
    """Return the line of *statement* that PostgreSQL points to, or its first one."""
    lines = statement.strip().splitlines()
    number = 0
    if diagnostic.statement_position and diagnostic.statement_position.isdigit():
        before = statement[: int(diagnostic.statement_position) - 1]
        number = min(before.lstrip().count("\n"), len(lines) - 1)
    text = lines[number].strip()
    text = text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}…"
    return text if len(lines) == 1 else f"{text} (line {number + 1} of {len(lines)})"


def _python_line(trace: TracebackType | None, file: str) -> str | None:
    """Return the innermost line of *file* on the way to the failure."""
    path = Path(file)
    found = [frame for frame in traceback.extract_tb(trace) if Path(frame.filename) == path]
    return f"{file}, line {found[-1].lineno}" if found else None


def _advice(state: str | None, operation: str) -> str | None:
    """Return the cure of a failure, by its SQLSTATE and the description of the operation."""
    if state in _EXISTS:
        return (
            "If all that this migration makes exists already, `manage.py migrate APP NAME --fake` "
            "records it."
        )
    if state in _UNCONVERTED and ": type " in operation:
        return (
            'Change those rows first, or say in the file how values are converted: using="…" of '
            "its AlterColumn."
        )
    if state == LOCK_NOT_AVAILABLE:
        return (
            "Others held its locks each time that it was tried. End their transactions, or wait "
            "longer by --lock-timeout or MIGRATION_LOCK_RETRIES."
        )
    if state in TRANSIENT:
        return "Every attempt met a deadlock or a conflicting transaction. Try again."
    if state == QUERY_CANCELED:
        return (
            "A statement that blocks others took longer than MIGRATION_STATEMENT_TIMEOUT, or was "
            "cancelled. Raise that setting if others can wait so long."
        )
    return None
