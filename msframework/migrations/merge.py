"""Joins the last migrations of two branches. Runs on the command line.

Both are applied, in either order, so the file that joins them has no operations; its state is the
common one with the changes of both. What both changed is refused, even if it is the same change:
the operation of the second one would fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.compare import mentions
from msframework.migrations.draft_file import Draft, next_path
from msframework.migrations.files import app_label, read_apps
from msframework.migrations.history import History, read_history
from msframework.migrations.schema import (
    Column,
    Constraint,
    ForeignKey,
    Index,
    SchemaState,
    Table,
)
from msframework.migrations.source import MigrationText, write
from msframework.migrations.step import FileStep, label, sort_steps
from msframework.migrations.survey import choose_apps
from msframework.migrations.titles import slug

Part = TypeVar("Part", bound=Any)
Conflicts = list[str]


def draft_merges(apps: Sequence[str], app: str | None, name: str | None) -> list[Draft]:
    """Return the migration that joins the last ones of each app with several.

    Raises:
        ImproperlyConfigured: both changed the same thing; a file has mistakes.
    """
    chosen = choose_apps(apps, app)
    reading = read_apps(apps)
    problems = [text for each in chosen for text in reading.problems.get(each, ())]
    if not reading.problems:
        sort_steps(reading.steps)  # refuses a file that follows one which is not there
    drafts = []
    for each in chosen:
        history = read_history(reading.steps, app_label(each))
        if len(history.leaves) > 1:
            try:
                drafts.append(_draft(each, history, name))
            except ImproperlyConfigured as exc:
                problems += exc.problems
    if problems:
        raise ImproperlyConfigured.of(problems)
    return drafts


def _draft(app: str, history: History, name: str | None) -> Draft:
    leaves = history.leaves
    state = history.state(leaves[0])
    joined, common = [leaves[0]], history.ancestors(leaves[0])
    for leaf in leaves[1:]:
        base = _base(history, common, leaf)
        names = (" and ".join(label(each) for each in joined), label(leaf))
        state = merge_states(base, state, history.state(leaf), names)
        common |= history.ancestors(leaf)
        joined.append(leaf)
    text = MigrationText(
        f"Join {' and '.join(each.name for each in leaves)}.",
        depends=tuple(label(each) for each in leaves),
        state=state,
    )
    path = next_path(app, slug(name or "merge"))
    return Draft(app_label(app), path, write(text), (f"join {', '.join(e.name for e in leaves)}",))


def _base(history: History, common: frozenset[str], leaf: FileStep) -> SchemaState | None:
    """Return the state of the last common migration of *leaf* and the others."""
    shared = history.ancestors(leaf) & common
    last = [step for step in history.steps if label(step) in shared]
    return history.state(last[-1]) if last else SchemaState()


def merge_states(
    base: SchemaState | None,
    one: SchemaState | None,
    other: SchemaState | None,
    names: tuple[str, str],
) -> SchemaState | None:
    """Return *base* with the changes of both.

    Args:
        names: what the two are called in an error.

    Raises:
        ImproperlyConfigured: both changed the same thing, or only one of them has a state.
    """
    if one is None and other is None:
        return None
    if one is None or other is None:
        raise ImproperlyConfigured(
            f"{names[0 if one is None else 1]} has no state, {names[1 if one is None else 0]} "
            "does, so they cannot be joined. Delete the one with the state, and run "
            "`manage.py makemigrations` again."
        )
    conflicts: Conflicts = []
    base = base or SchemaState()
    enums = _merge_parts("type", base.enums, one.enums, other.enums, conflicts, None)
    tables = _merge_parts("table", base.tables, one.tables, other.tables, conflicts, _merge_tables)
    conflicts += _find_dangling(base, one, other)
    conflicts += _find_dangling(base, other, one)
    if conflicts:
        raise ImproperlyConfigured.of(
            [
                f"{names[0]} and {names[1]} both change {text}. Delete one of the two files, "
                "and run `manage.py makemigrations` again."
                for text in dict.fromkeys(conflicts)
            ]
        )
    return SchemaState(tables, enums=enums)


Joiner = Callable[[Any, Any, Any, Conflicts], Any]


def _merge_parts(
    kind: str,
    base: Sequence[Part],
    one: Sequence[Part],
    other: Sequence[Part],
    conflicts: Conflicts,
    join: Joiner | None,
) -> tuple[Part, ...]:
    """Return the parts of both, in the order of the one, then those that the other adds."""
    was, first, second = ({each.name: each for each in parts} for parts in (base, one, other))
    merged: dict[str, Part] = {}
    for name in dict.fromkeys((*first, *second, *was)):
        a, b, c = was.get(name), first.get(name), second.get(name)
        if b == a:
            kept = c
        elif c == a:
            kept = b
        elif join is not None and None not in (a, b, c):
            kept = join(a, b, c, conflicts)
        else:
            conflicts.append(f"{kind} {name}")
            continue
        if kept is not None:
            merged[name] = kept
    return tuple(merged.values())


def _merge_tables(base: Table, one: Table, other: Table, conflicts: Conflicts) -> Table:
    merged: dict[str, Any] = {}
    for kind, name in (("column", "columns"), ("constraint", "constraints"), ("index", "indexes")):
        found: Conflicts = []
        a, b, c = (getattr(each, name) for each in (base, one, other))
        merged[name] = _merge_parts(kind, a, b, c, found, None)
        conflicts += [f"{text} of {base.name}" for text in found]
    for name in ("comment", "storage"):
        a, b, c = (getattr(each, name) for each in (base, one, other))
        if b != a and c != a:
            conflicts.append(f"the {name} of {base.name}")
        merged[name] = c if b == a else b
    return replace(one, **merged)


def _find_dangling(base: SchemaState, one: SchemaState, other: SchemaState) -> Iterator[str]:
    """Yield the names that *one* dropped or renamed and *other* began to use."""
    gone = {table.name for table in base.tables} - {table.name for table in one.tables}
    for table in other.tables:
        before, kept = base.table(table.name), one.table(table.name)
        old = before.foreign_keys if before else ()
        for key in table.foreign_keys:
            if key not in old and key.target in gone:
                yield f"table {key.target}"
        if before is None or kept is None:
            continue
        lost = {c.name for c in before.columns} - {c.name for c in kept.columns}
        known = (*before.columns, *before.constraints, *before.indexes)
        for part in (*table.columns, *table.constraints, *table.indexes):
            if part not in known:
                yield from (f"column {name} of {table.name}" for name in _used(part, lost))


def _used(part: Column | Constraint | ForeignKey | Index, names: set[str]) -> Iterator[str]:
    for name in sorted(names):
        for field in fields(part):
            value = getattr(part, field.name)
            texts = value if isinstance(value, tuple) else (value,)
            if field.name != "name" and any(
                isinstance(text, str) and mentions(text, frozenset((name,))) for text in texts
            ):
                yield name
                break
