"""A migration as a script for psql, to be read or run. Runs on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msframework.migrations.operations.base import (
    Action,
    Backfill,
    MigrationOperation,
    Phase,
    PythonCall,
)
from msframework.migrations.operations.program import read_phases
from msframework.migrations.sql import quote


def write_script(title: str, operations: Sequence[MigrationOperation], atomic: bool) -> str:
    """Return the script of *operations*, in the transactions that `migrate` would use.

    Args:
        title: the comment above everything.
        atomic: all of it is one transaction.
    """
    parts = [f"-- {title}", "\\set ON_ERROR_STOP on", ""]
    if atomic:
        parts += ["BEGIN;", ""]
    for operation, phases in read_phases(operations, online=not atomic):
        parts.append(_comment(operation.describe()))
        for phase in phases:
            parts += _phase_lines(phase, atomic)
        parts.append("")
    if atomic:
        parts.append("COMMIT;")
    return "\n".join(parts).rstrip() + "\n"


def _phase_lines(phase: Phase, atomic: bool) -> Iterator[str]:
    inside = not atomic and phase.transaction
    if inside:
        yield "BEGIN;"
    if phase.index is not None:
        yield f"-- DROP INDEX CONCURRENTLY {phase.index}; where an attempt left an invalid one"
    for action in phase.actions:
        yield from _action_lines(action)
    if inside:
        yield "COMMIT;"


def _action_lines(action: Action) -> Iterator[str]:
    if isinstance(action, PythonCall):
        yield _comment(f"Python: {_name(action.function)}(database)")
    elif isinstance(action, Backfill):
        column = quote(action.column)
        if callable(action.value):
            value = f"{_name(action.value)}()"
            yield _comment(f"Python: {value} is called for each row; in batches:")
        else:
            value = action.value
            yield "-- in batches, each a transaction; here all at once:"
        update = f"UPDATE {action.table} SET {column} = {value} WHERE {column} IS NULL;"  # noqa: S608
        yield _comment(update) if callable(action.value) else update
    else:
        yield f"{action.sql.rstrip().rstrip(';')};"


def _comment(text: str) -> str:
    return "\n".join(f"-- {line}" for line in text.splitlines())


def _name(function: object) -> str:
    return str(getattr(function, "__qualname__", type(function).__name__))
