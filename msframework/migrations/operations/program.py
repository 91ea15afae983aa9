"""A migration's operations in the order of a run, each with its phases. Runs at start-up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.operations.base import MigrationOperation, Phase, PhaseContext
from msframework.migrations.operations.tables import CreateTable, RenameTable


def reverse_operations(
    operations: Sequence[MigrationOperation],
) -> tuple[MigrationOperation, ...] | None:
    """Return the operations that take *operations* back; `None` if one is irreversible."""
    found = [each.reverse() for each in reversed(operations)]
    reversed_ones = tuple(each for each in found if each is not None)
    return reversed_ones if len(reversed_ones) == len(found) else None


def read_phases(
    operations: Iterable[MigrationOperation], online: bool
) -> list[tuple[MigrationOperation, tuple[Phase, ...]]]:
    """Return each operation with its phases; tables that an earlier one makes are fresh.

    Args:
        online: the file has `atomic = False`.
    """
    fresh: set[str] = set()
    found = []
    for each in operations:
        found.append((each, each.phases(PhaseContext(online, frozenset(fresh)))))
        if isinstance(each, CreateTable):
            fresh.add(each.table.name)
        elif isinstance(each, RenameTable) and each.old in fresh:
            fresh.add(each.new)
    return found


def wants_steps(operations: Iterable[MigrationOperation]) -> bool:
    """Say whether a table in use is better changed in several phases (`atomic = False`)."""
    return any(
        len(phases) > 1 or not all(phase.transaction for phase in phases)
        for _, phases in read_phases(operations, online=True)
    )


def check_operations(where: str, value: object) -> tuple[MigrationOperation, ...]:
    """Return *value*, the `operations` of a migration file.

    Raises:
        ImproperlyConfigured: it holds something else than operations.
    """
    if not isinstance(value, tuple | list):
        raise ImproperlyConfigured(
            f"{where}: operations is {value!r}; expected a tuple of operations."
        )
    for each in value:
        if not all(callable(getattr(each, name, None)) for name in ("phases", "reverse")):
            raise ImproperlyConfigured(
                f"{where}: operations holds {each!r}, which is none. Import the operations from "
                "msframework.migrations; SQL and functions go into Run(…)."
            )
    return tuple(value)
