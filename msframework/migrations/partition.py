"""Operations in batches, by the app that owns the tables they change.

Two apps whose operations depend on each other get further files. Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from msframework.migrations.effects import Footprint, reach
from msframework.migrations.operations.base import MigrationOperation


@dataclass(frozen=True, slots=True)
class OperationBatch:
    """Operations of one app that share a file.

    Args:
        after: the positions of the batches of other apps that it depends on.
    """

    app: str
    operations: tuple[MigrationOperation, ...]
    after: tuple[int, ...]


def part_operations(
    operations: Sequence[MigrationOperation],
    owner: Callable[[MigrationOperation], str],
    enums: Collection[str],
) -> list[OperationBatch]:
    """Return *operations* in batches, each after those that it depends on."""
    needs = _find_needs([reach(each, enums) for each in operations])
    owners = [owner(each) for each in operations]
    left = list(range(len(operations)))
    batch_of: dict[int, int] = {}
    batches: list[OperationBatch] = []
    while left:
        chosen = _choose(left, owners, needs, batch_of)
        app = owners[chosen[0]]
        after = {batch_of[need] for each in chosen for need in needs[each] if need in batch_of}
        batches.append(
            OperationBatch(
                app,
                tuple(operations[each] for each in chosen),
                tuple(sorted(each for each in after if batches[each].app != app)),
            )
        )
        batch_of |= dict.fromkeys(chosen, len(batches) - 1)
        left = [each for each in left if each not in batch_of]
    return batches


def _find_needs(reaches: Sequence[Footprint]) -> list[list[int]]:
    """Return for each operation the earlier ones that must stay before it."""
    return [
        [before for before in range(number) if each.meets(reaches[before])]
        for number, each in enumerate(reaches)
    ]


def _choose(
    left: Sequence[int],
    owners: Sequence[str],
    needs: Sequence[Sequence[int]],
    done: Collection[int],
) -> list[int]:
    """Return operations of one app that can come next: all of its remaining ones, if possible."""
    first: list[int] = []
    for app in dict.fromkeys(owners[each] for each in left):
        own = [each for each in left if owners[each] == app]
        ready: list[int] = []
        for each in own:
            if all(need in done or need in ready for need in needs[each]):
                ready.append(each)
        if ready == own:
            return ready
        first = first or ready
    return first
