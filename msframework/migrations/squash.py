"""Writes one migration in the place of several of an app. Runs on the command line.

Each `Run` keeps its place. Between them the operations are the difference of the states before and
after; where that would not do the same, the original operations are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import operations as ops
from msframework.migrations.difference import find_operations
from msframework.migrations.draft_file import Draft
from msframework.migrations.effects import apply_operations
from msframework.migrations.files import app_directory, app_label, read_steps
from msframework.migrations.history import History, read_history
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.program import wants_steps
from msframework.migrations.plan import target_of
from msframework.migrations.recorded_answers import RecordedAnswers, Undecided
from msframework.migrations.renames import SilentAnswers
from msframework.migrations.schema import ForeignKey, SchemaState
from msframework.migrations.source import MigrationText, write
from msframework.migrations.source_parts import SourceParts
from msframework.migrations.step import FileStep, MigrationStep, find_step, known_steps, label
from msframework.migrations.survey import choose_apps


def draft_squash(apps: Sequence[str], app: str, first: str, last: str) -> Draft:
    """Return one migration in the place of those of *app* from *first* to *last*.

    Raises:
        ImproperlyConfigured: there are no such migrations, or one of them cannot be squashed.
    """
    (chosen,) = choose_apps(apps, app)
    steps = read_steps(apps)
    history = read_history(steps, app_label(chosen))
    ends = [_find(steps, apps, app, name) for name in (first, last)]
    found = _between(history, ends[0], ends[1])
    _refuse_python(found)
    _refuse_circles(steps, found)
    before = history.parents[label(ends[0])]
    start = history.state(before[-1]) if before else SchemaState()
    operations = tuple(_squash(start, found))
    state = history.state(ends[1])
    _refuse_renamed_targets(ends[1], operations, state)
    parts = SourceParts(found)
    name = f"{ends[0].name.partition('_')[0]}_squashed_{ends[1].name}"
    text = MigrationText(
        f"Squash {ends[0].name} to {ends[1].name}.",
        depends=_depends(found),
        atomic=not wants_steps(operations) and not _has_custom_steps_outside(found),
        operations=operations,
        state=state,
        marks=(("replaces", tuple(label(step) for step in found)),),
        imports=parts.imports,
        body=parts.body,
        local=parts.functions,
    )
    directory = app_directory(chosen)
    assert directory is not None  # choose_apps lets only packages through
    path = Path(directory) / "migrations" / f"{name}.py"
    summary = tuple(each.describe() for each in operations)
    return Draft(history.app, path, write(text), summary)


def _find(steps: Sequence[MigrationStep], apps: Sequence[str], app: str, name: str) -> FileStep:
    step = target_of(steps, apps, app, name).step
    if not isinstance(step, FileStep):
        raise ImproperlyConfigured(f"{name!r} is no migration of {app}. Name one, as 0001.")
    return step


def _between(history: History, first: FileStep, last: FileStep) -> list[FileStep]:
    """Return the steps from *first* to *last*, in an order in which they can be applied."""
    known = {label(step) for step in history.steps}
    if not {label(first), label(last)} <= known or label(first) not in history.ancestors(last):
        raise ImproperlyConfigured(
            f"{label(last)} does not come after {label(first)}: name the first one first."
        )
    before = {name for each in history.parents[label(first)] for name in history.ancestors(each)}
    wanted = history.ancestors(last) - before
    found = [step for step in history.steps if label(step) in wanted]
    if len(found) < 2:
        raise ImproperlyConfigured(f"{label(first)} is one migration: there is nothing to squash.")
    return found


def _refuse_python(found: Sequence[FileStep]) -> None:
    problems = [
        f"{label(step)} has up and down, and cannot be squashed. Squash the files before and "
        "after it apart, or write it as operations = (Run(forward, backward),)."
        for step in found
        if not hasattr(step.module, "operations")
    ]
    if problems:
        raise ImproperlyConfigured.of(problems)


def _refuse_circles(steps: Sequence[MigrationStep], found: Sequence[FileStep]) -> None:
    """Refuse steps with a migration of another app between them."""
    inside = {label(step) for step in found}
    known = known_steps(steps)
    for step in found:
        left = [each for name in step.depends if (each := find_step(known, name))]
        left = [each for each in left if each.app != step.app]
        seen: set[str] = set()
        while left:
            each = left.pop()
            if label(each) in inside:
                raise ImproperlyConfigured(
                    f"{label(step)} depends on another app's migration that comes after "
                    f"{label(each)}, so these two cannot be in one file. Squash up to "
                    f"{label(each)}, and from {label(step)}."
                )
            if label(each) not in seen:
                seen.add(label(each))
                left += [more for name in each.depends if (more := find_step(known, name))]


def _refuse_renamed_targets(
    last: FileStep, operations: Sequence[MigrationOperation], state: SchemaState | None
) -> None:
    if state is None:
        return
    known = {key.target for table in state.tables for key in table.foreign_keys}
    known |= {table.name for table in state.tables}
    for each in operations:
        keys: tuple[object, ...] = ()
        if isinstance(each, ops.CreateTable):
            keys = each.table.foreign_keys
        elif isinstance(each, ops.AddConstraint):
            keys = (each.constraint,)
        for key in keys:
            if isinstance(key, ForeignKey) and key.target not in known:
                raise ImproperlyConfigured(
                    f"{each.describe()}: points to {key.target}, which another app has renamed "
                    f"before {label(last)}. Squash only up to that change."
                )


def _depends(found: Sequence[FileStep]) -> tuple[str, ...]:
    """Return the dependencies of *found* on other migrations."""
    inside = {label(step) for step in found}
    names = dict.fromkeys(name for step in found for name in step.depends)
    return tuple(
        name
        for name in names
        if name not in inside and not any(each.startswith(name) for each in inside)
    )


def _has_custom_steps_outside(found: Sequence[FileStep]) -> bool:
    return any(
        not step.atomic and any(isinstance(each, ops.Run) for each in step.operations)
        for step in found
    )


def _squash(start: SchemaState | None, found: Sequence[FileStep]) -> Iterator[MigrationOperation]:
    segment: list[MigrationOperation] = []
    for each in (each for step in found for each in step.operations):
        if isinstance(each, ops.Run):
            yield from _shorten(start, segment)
            start = None if start is None else apply_operations(start, segment)
            segment = []
            yield each
        else:
            segment.append(each)
    yield from _shorten(start, segment)


def _shorten(
    start: SchemaState | None, segment: Sequence[MigrationOperation]
) -> Sequence[MigrationOperation]:
    """Return the operations between the states before and after *segment*, if they do the same."""
    if start is None or _recreates(segment):
        return segment
    end = apply_operations(start, segment)
    try:
        found = find_operations(start, end, RecordedAnswers(segment))
        rest = find_operations(apply_operations(start, found), end, SilentAnswers())
    except (Undecided, ImproperlyConfigured):
        return segment
    return segment if rest or len(found) >= len(segment) else found


def _recreates(segment: Sequence[MigrationOperation]) -> bool:
    """Say whether something is dropped and made again under its name, without its values."""
    dropped: set[tuple[str, ...]] = set()
    made: tuple[str, ...]
    for each in segment:
        match each:
            case ops.DropTable(table):
                dropped.add((table.name,))
                continue
            case ops.DropColumn(name, column):
                dropped.add((name, column.name))
                continue
            case ops.CreateTable(table):
                made = (table.name,)
            case ops.AddColumn(name, column):
                made = (name, column.name)
            case _:
                continue
        if made in dropped:
            return True
    return False
