"""The operations that lead from one state to another, in a safe order.

Renames are found first, and applied to everything that mentions the names; then each table is
compared part by part. Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import operations as ops
from msframework.migrations.collisions import are_taken, refuse_collisions
from msframework.migrations.compare import (
    is_about,
    mentions,
    pair,
    same_column,
    same_constraint,
    same_index,
)
from msframework.migrations.conversions import conversion
from msframework.migrations.effects import apply_operations
from msframework.migrations.enum_difference import find_enum_changes
from msframework.migrations.matching import settle_names
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.renames import Answers
from msframework.migrations.restores import restored
from msframework.migrations.schema import (
    Column,
    Constraint,
    ForeignKey,
    Index,
    SchemaState,
    Table,
)

_INTEGERS = frozenset(("smallint", "integer", "bigint"))


@dataclass
class _Changes:
    """The changes of one table, grouped by their place in the order of operations."""

    drops: list[MigrationOperation] = field(default_factory=list)
    names: list[MigrationOperation] = field(default_factory=list)
    columns: list[MigrationOperation] = field(default_factory=list)
    indexes: list[MigrationOperation] = field(default_factory=list)
    constraints: list[MigrationOperation] = field(default_factory=list)
    foreign_keys: list[MigrationOperation] = field(default_factory=list)
    dropped_columns: list[MigrationOperation] = field(default_factory=list)
    comments: list[MigrationOperation] = field(default_factory=list)


def find_operations(
    old: SchemaState, new: SchemaState, answers: Answers
) -> list[MigrationOperation]:
    """Return the operations that lead from *old* to *new*.

    Raises:
        ImproperlyConfigured: a question has no answer, or no operation makes the change.
    """
    first = old
    renames, old = settle_names(old, new, answers)
    enums = find_enum_changes(old.enums, new.enums, answers)
    old = apply_operations(old, enums.early)
    before = {table.name: table for table in old.tables}
    created = [table for table in new.tables if table.name not in before]
    kept = [(before[table.name], table) for table in new.tables if table.name in before]
    names = {table.name for table in new.tables}
    dropped = [table for table in old.tables if table.name not in names]

    answers.end_renames()
    changes = [_compare(one, other, answers) for one, other in kept]
    _recreate_foreign_keys(kept, changes)
    makes, late_keys = _creations(created)
    early_drops, drops = _deletions(dropped)
    types = [each for each in renames if isinstance(each, ops.AlterEnum)]
    renames = [each for each in renames if each not in types]
    ways_out = [*renames, *early_drops, *_ways_out(changes)]
    ways_in = [*_ways_in(changes, makes, late_keys), *_each(changes, "dropped_columns")]
    if are_taken(drops, (*enums.early, *ways_in)):
        found = [*types, *ways_out, *drops, *enums.early, *ways_in]
    else:
        # NOTE: on the way back a condition that names a value comes after that has its old name.
        found = [*types, *ways_out, *enums.early, *ways_in, *drops]
    found += [*_each(changes, "comments"), *enums.late]
    refuse_collisions(first, found)
    return found


def _ways_out(changes: Sequence[_Changes]) -> list[MigrationOperation]:
    """Return the drops of constraints and indexes, of foreign keys first."""
    return sorted(_each(changes, "drops"), key=_is_no_foreign_key)


def _ways_in(
    changes: Sequence[_Changes],
    makes: Sequence[MigrationOperation],
    late_keys: Sequence[MigrationOperation],
) -> list[MigrationOperation]:
    """Return what makes and alters, each after what it needs."""
    return [
        *_each(changes, "names"),
        *makes,
        *_each(changes, "columns"),
        *_each(changes, "indexes"),
        *_each(changes, "constraints"),
        *_each(changes, "foreign_keys"),
        *late_keys,
    ]


def _each(changes: Sequence[_Changes], kind: str) -> Iterator[MigrationOperation]:
    for each in changes:
        yield from getattr(each, kind)


def _is_no_foreign_key(drop: MigrationOperation) -> bool:
    return not (isinstance(drop, ops.DropConstraint) and isinstance(drop.constraint, ForeignKey))


def _compare(one: Table, other: Table, answers: Answers) -> _Changes:
    """Return the changes of a table after all renames."""
    name = other.name
    if one.storage != other.storage:
        raise ImproperlyConfigured(
            f"{name}: table_settings changed from {one.storage!r} to {other.storage!r}, which no "
            "migration can do by itself. Write one (`makemigrations --empty`), or take it back."
        )
    found = _Changes()
    remade = _columns(one, other, answers, found)
    _parts(name, one.constraints, other.constraints, remade, found)
    _indexes(name, one.indexes, other.indexes, remade, found)
    if one.comment != other.comment:
        found.comments.append(ops.CommentTable(name, one.comment, other.comment))
    return found


def _columns(one: Table, other: Table, answers: Answers, found: _Changes) -> frozenset[str]:
    """Note the changes of columns; return the names of those that are dropped and recreated."""
    name = other.name
    before = {column.name: column for column in one.columns}
    after = {column.name: column for column in other.columns}
    retyped = frozenset(
        each for each in before.keys() & after.keys() if before[each].type != after[each].type
    )
    remade = set()
    computed: list[MigrationOperation] = []  # added when all that they are computed from is there
    for column in other.columns:
        was = before.get(column.name)
        if was is None:
            made = computed if column.generated else found.columns
            made.append(_added(name, column, answers))
        elif _must_be_remade(was, column, retyped):
            if was.generated is None:
                answers.accept_loss(name, column.name, "its values give way to computed ones")
            remade.add(column.name)
            found.columns.insert(0, ops.DropColumn(name, was, restored(was)))
            computed.append(ops.AddColumn(name, column))
        elif not same_column(was, column):
            found.columns.append(_altered(name, was, column, answers))
    found.columns += computed
    # Computed columns go before those that they are computed from.
    for column in sorted(one.columns, key=lambda each: each.generated is None):
        if column.name not in after:
            answers.note_drop(name, column.name)
            found.dropped_columns.append(ops.DropColumn(name, column, restored(column)))
    return frozenset(remade)


def _must_be_remade(was: Column, column: Column, retyped: frozenset[str]) -> bool:
    """Say whether a generated column cannot be altered."""
    if column.generated is None:
        return False
    if was.generated is None:
        return True
    changed = not same_column(replace(was, comment=column.comment), column)
    return changed or mentions(column.generated, retyped)


def _added(table: str, column: Column, answers: Answers) -> ops.AddColumn:
    if column.default or column.serial or column.identity or column.generated:
        return ops.AddColumn(table, column)
    return ops.AddColumn(table, column, fill=answers.fill(table, column, added=True))


def _altered(table: str, was: Column, column: Column, answers: Answers) -> ops.AlterColumn:
    using = None
    if was.type != column.type:
        using = answers.using(table, was, column, conversion(was.type, column.type))
    forbids = was.null and not column.null and not (column.serial or column.identity)
    fill = answers.fill(table, column, added=False) if forbids else None
    return ops.AlterColumn(table, was, column, using=using, fill=fill)


def _parts(
    table: str,
    old: Sequence[Constraint | ForeignKey],
    new: Sequence[Constraint | ForeignKey],
    remade: frozenset[str],
    found: _Changes,
) -> None:
    def same(one: Constraint | ForeignKey, other: Constraint | ForeignKey) -> bool:
        return same_constraint(one, other) and not is_about(one, remade)

    paired = pair(old, new, same)
    found.drops += [ops.DropConstraint(table, each) for each in reversed(paired.dropped)]
    found.names += [ops.RenameConstraint(table, a.name, b.name) for a, b in paired.renamed]
    for each in paired.added:
        kind = found.foreign_keys if isinstance(each, ForeignKey) else found.constraints
        kind.append(ops.AddConstraint(table, each))


def _indexes(
    table: str,
    old: Sequence[Index],
    new: Sequence[Index],
    remade: frozenset[str],
    found: _Changes,
) -> None:
    def same(one: Index, other: Index) -> bool:
        return same_index(one, other) and not any(mentions(text, remade) for text in _texts(one))

    paired = pair(old, new, same)
    found.drops += [ops.DropIndex(table, each) for each in reversed(paired.dropped)]
    found.names += [ops.RenameIndex(table, a.name, b.name) for a, b in paired.renamed]
    found.indexes += [ops.CreateIndex(table, each) for each in paired.added]


def _texts(index: Index) -> tuple[str, ...]:
    return (*index.elements, *index.include, index.where or "")


def _recreate_foreign_keys(kept: Sequence[tuple[Table, Table]], changes: list[_Changes]) -> None:
    """Drop foreign keys that would prevent a change of their columns, and add them again."""
    freed = _freed_keys(changes)
    retyped = {
        (other.name, column.name)
        for one, other in kept
        for column in other.columns
        for was in one.columns
        if was.name == column.name and not _fits(was.type, column.type)
    }
    for (one, other), change in zip(kept, changes, strict=True):
        for key in one.foreign_keys:
            still = next((each for each in other.foreign_keys if each.name == key.name), None)
            if still is None or not same_constraint(key, still):
                continue
            ends = {(one.name, each) for each in key.columns}
            ends |= {(key.target, each) for each in key.target_columns}
            if ends & retyped or (key.target, frozenset(key.target_columns)) in freed:
                change.drops.insert(0, ops.DropConstraint(one.name, key))
                change.foreign_keys.append(ops.AddConstraint(one.name, still))


def _freed_keys(changes: Sequence[_Changes]) -> set[tuple[str, frozenset[str]]]:
    """Return the tables, and columns of each, whose uniqueness is dropped."""
    found = set()
    for each in _each(changes, "drops"):
        if isinstance(each, ops.DropIndex) and each.index.unique:
            found.add((each.table, frozenset(each.index.elements)))
        elif isinstance(each, ops.DropConstraint) and isinstance(each.constraint, Constraint):
            kind, _, columns = each.constraint.definition.partition("(")
            if kind.strip().upper() in ("PRIMARY KEY", "UNIQUE"):
                names = columns.partition(")")[0].split(",")
                found.add((each.table, frozenset(name.strip().strip('"') for name in names)))
    return found


def _fits(old: str, new: str) -> bool:
    """Say whether a foreign key can stay while the type of one of its columns changes."""
    if old == new or {old, new} <= _INTEGERS:
        return True
    return all(each.startswith(("text", "varchar")) and "[" not in each for each in (old, new))


def _creations(
    tables: Sequence[Table],
) -> tuple[list[MigrationOperation], list[MigrationOperation]]:
    """Return the creations of tables, targets first, and the foreign keys that close a circle."""
    waiting = list(tables)
    names = {table.name for table in waiting}
    made: set[str] = set()
    makes: list[MigrationOperation] = []
    late: list[MigrationOperation] = []
    while waiting:
        table = next((each for each in waiting if _is_free(each, names - made)), waiting[0])
        waiting.remove(table)
        made.add(table.name)
        early = tuple(
            each
            for each in table.constraints
            if not isinstance(each, ForeignKey) or each.target not in names - made
        )
        late += [
            ops.AddConstraint(table.name, each) for each in table.constraints if each not in early
        ]
        makes.append(ops.CreateTable(replace(table, constraints=early)))
    return makes, late


def _is_free(table: Table, missing: set[str]) -> bool:
    return all(key.target not in missing or key.target == table.name for key in table.foreign_keys)


def _deletions(
    tables: Sequence[Table],
) -> tuple[list[MigrationOperation], list[MigrationOperation]]:
    """Return the foreign keys that close a circle, and the tables to drop, targets last."""
    makes, late = _creations(tables)
    early = [each.reverse() for each in reversed(late)]
    drops = [each.reverse() for each in reversed(makes)]
    return [each for each in early if each], [each for each in drops if each]
