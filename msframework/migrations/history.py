"""The history of one app: which migration each follows, the last ones, and their states.

Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.effects import apply_operations
from msframework.migrations.migration_file import read_module_state
from msframework.migrations.operations import CreateTable
from msframework.migrations.schema import SchemaState
from msframework.migrations.step import FileStep, MigrationStep, find_step, known_steps, label


@dataclass(frozen=True, slots=True)
class History:
    """The files of one app, each with those that it follows.

    Args:
        steps: in the order of their names; those that a squashed one replaces are left out.
        parents: the steps of the app that each step follows, by its label.
    """

    app: str
    steps: tuple[FileStep, ...]
    parents: dict[str, tuple[FileStep, ...]]

    @property
    def leaves(self) -> tuple[FileStep, ...]:
        """The steps that none follows; several after a merge of two branches."""
        followed = {label(parent) for each in self.parents.values() for parent in each}
        return tuple(step for step in self.steps if label(step) not in followed)

    def leaf(self) -> FileStep | None:
        """Return the last step, if there is any.

        Raises:
            ImproperlyConfigured: there are several.
        """
        leaves = self.leaves
        if len(leaves) > 1:
            raise ImproperlyConfigured(_fork(self))
        return leaves[0] if leaves else None

    def ancestors(self, step: FileStep) -> frozenset[str]:
        """Return the labels of *step* and of all that it follows."""
        found: set[str] = set()
        left = [step]
        while left:
            each = left.pop()
            if label(each) not in found:
                found.add(label(each))
                left += self.parents[label(each)]
        return frozenset(found)

    def state(self, step: FileStep | None) -> SchemaState | None:
        """Return the state after *step*; `None` if no file up to it has one.

        Operations of a file that has no state of its own change that of the file before.
        """
        behind: list[FileStep] = []
        state: SchemaState | None = None
        while step is not None and state is None:
            state = read_module_state(step.module)
            if state is None:
                behind.append(step)
            parents = self.parents[label(step)]
            step = parents[-1] if parents else None
        done = [each for step in reversed(behind) for each in step.operations]
        if state is None and not any(isinstance(each, CreateTable) for each in done):
            return None
        return apply_operations(state or SchemaState(), done)


def read_history(steps: Iterable[MigrationStep], app: str) -> History:
    """Return the history of the app labelled *app*."""
    own = [each for each in steps if isinstance(each, FileStep) and each.app == app]
    replaced = {name for step in own for name in step.replaces}
    kept = tuple(step for step in own if label(step) not in replaced)
    known = known_steps(kept)
    return History(app, kept, {label(step): _parents(step, known) for step in kept})


def read_state(steps: Iterable[MigrationStep], app: str) -> SchemaState | None:
    """Return the state of *app* after its last migration; `None` if no file has one.

    Raises:
        ImproperlyConfigured: there are two last migrations.
    """
    history = read_history(steps, app)
    return history.state(history.leaf())


def recorded_owners(steps: Sequence[MigrationStep]) -> dict[str, str]:
    """Return the labels of the apps whose last migrations have a table, by the table's name."""
    owners: dict[str, str] = {}
    for app in dict.fromkeys(step.app for step in steps):
        history = read_history(steps, app)
        for state in filter(None, map(history.state, history.leaves)):
            owners |= dict.fromkeys((table.name for table in state.tables), app)
    return owners


def find_forks(steps: Sequence[MigrationStep]) -> Iterator[str]:
    """Yield a problem for each app with several last migrations."""
    for app in dict.fromkeys(step.app for step in steps):
        history = read_history(steps, app)
        if len(history.leaves) > 1:
            yield _fork(history)


def _fork(history: History) -> str:
    names = " and ".join(label(step) for step in history.leaves)
    return (
        f"{history.app} has {len(history.leaves)} last migrations, as from separate branches: "
        f"{names}. `manage.py makemigrations --merge {history.app}` joins them."
    )


def _parents(step: FileStep, known: dict[str, MigrationStep]) -> tuple[FileStep, ...]:
    found = (find_step(known, name) for name in step.depends if name.startswith(f"{step.app}."))
    return tuple(
        dict.fromkeys(each for each in found if isinstance(each, FileStep) and each is not step)
    )
