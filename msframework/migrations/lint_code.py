"""Operations that break the code which still runs. Runs on the command line.

That code was written for the tables as the last applied migration left them: it reads all their
columns by name, and writes those that its models have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msframework.migrations import operations as ops
from msframework.migrations.compare import is_about, mentions
from msframework.migrations.conversions import conversion
from msframework.migrations.effects import apply_operations
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.schema import (
    Column,
    Constraint,
    Index,
    SchemaState,
    Table,
)
from msframework.migrations.sql import canonical_words

_REFUSES: Final = "ban-new-write-restriction"
# Types whose values are one type of Python to asyncpg.
_FAMILIES: Final = (
    ("smallint", "integer", "bigint"),
    ("text", "varchar", "citext", "char"),
    ("real", "double precision"),
)


def find_breaks(operation: MigrationOperation, deployed: SchemaState) -> Iterator[tuple[str, str]]:
    """Yield the rules that *operation* breaks for code that knows *deployed*, with details."""
    match operation:
        case ops.DropTable(dropped):
            if deployed.table(dropped.name):
                yield "ban-drop-table", ""
        case ops.RenameTable(old, _):
            if deployed.table(old):
                yield "renaming-table", ""
        case ops.AlterEnum(old, new):
            gone = [each for each in old.values if each not in new.values]
            if gone and any(each.name == old.name for each in deployed.enums):
                yield _REFUSES, f"{', '.join(map(repr, gone))} can no longer be written."
        case _:
            table = deployed.table(str(getattr(operation, "table", "")))
            if table is not None:
                yield from _find_in_table(operation, table)


def follow(operation: MigrationOperation, deployed: SchemaState) -> SchemaState:
    """Return *deployed* after the renames and drops of *operation*, without new parts."""
    if isinstance(operation, ops.RenameTable | ops.RenameColumn | ops.DropTable | ops.DropColumn):
        return apply_operations(deployed, (operation,))
    return deployed


def _find_in_table(operation: MigrationOperation, table: Table) -> Iterator[tuple[str, str]]:
    names = frozenset(column.name for column in table.columns)
    match operation:
        case ops.AddColumn(_, column):
            if not column.null and not _has_value(column):
                yield "adding-required-field", ""
        case ops.DropColumn(_, column):
            if column.name in names:
                yield "ban-drop-column", ""
        case ops.RenameColumn(_, old, _):
            if old in names:
                yield "renaming-column", ""
        case ops.AlterColumn(_, old, new):
            if old.name in names:
                yield from _find_in_column(old, new)
        case ops.AddConstraint(_, constraint):
            if is_about(constraint, names):
                yield _REFUSES, ""
        case ops.DropConstraint(_, Constraint() as key):
            if _is_unique(key) and is_about(key, names) and not _has_twin(table, key):
                yield "ban-drop-constraint", ""
        case ops.DropIndex(_, index):
            known = any(mentions(each, names) for each in index.elements)
            if index.unique and known and not _has_twin(table, index):
                yield "ban-drop-index", ""
        case ops.CreateIndex(_, index):
            if index.unique and any(mentions(each, names) for each in index.elements):
                yield _REFUSES, ""


def _is_unique(constraint: Constraint) -> bool:
    """Say whether ON CONFLICT may name *constraint*, or its columns."""
    return constraint.definition.upper().startswith(("PRIMARY KEY", "UNIQUE", "EXCLUDE"))


def _has_twin(table: Table, part: Constraint | Index) -> bool:
    """Say whether *table* has another unique index of the same columns as *part*.

    PostgreSQL takes any of them for the columns that ON CONFLICT names; a constraint that it names
    itself is another matter, which the text of a migration cannot tell.
    """
    wanted = _unique_part(part)
    others: list[Constraint | Index] = [*table.indexes]
    others += [each for each in table.constraints if isinstance(each, Constraint)]
    return wanted is not None and any(
        _unique_part(each) == wanted for each in others if each.name != part.name
    )


def _unique_part(part: Constraint | Index) -> tuple[object, ...] | None:
    """Return the columns that *part* makes unique, and where; `None` where that is no list."""
    if isinstance(part, Index):
        columns = frozenset(canonical_words(", ".join(part.elements)))
        return (columns, part.where) if part.unique else None
    kind, _, columns_text = part.definition.partition("(")
    if kind.strip().upper() not in ("PRIMARY KEY", "UNIQUE"):
        return None
    return frozenset(canonical_words(columns_text.partition(")")[0])), None


def _find_in_column(old: Column, new: Column) -> Iterator[tuple[str, str]]:
    if old.type != new.type:
        effect = conversion(old.type, new.type).effect
        if effect in ("checked", "lossy"):
            yield (
                "changing-column-type",
                f"{new.type} is narrower than {old.type}: values that the code that still runs "
                "writes do not fit.",
            )
        elif effect == "unknown" or not _is_alike(old.type, new.type):
            yield (
                "changing-column-type",
                f"The code that still runs writes and expects {old.type}, not {new.type}.",
            )
    if old.null and not new.null:
        yield _REFUSES, "The code that still runs may write NULL, which is refused from now on."
    if new.generated is not None and old.generated is None:
        yield _REFUSES, "The code that still runs writes the column, which is refused from now on."
    if _has_value(old) and not _has_value(new) and not new.null:
        yield "ban-drop-default", ""


def _has_value(column: Column) -> bool:
    """Say whether the server fills the column where an INSERT leaves it out."""
    return bool(column.serial or column.identity or column.generated) or column.default is not None


def _is_alike(old: str, new: str) -> bool:
    """Say whether values of both types are the same to the code."""
    one, other = (each.partition("(")[0] for each in (old, new))
    if old.endswith("[]") != new.endswith("[]"):
        return False
    one, other = one.removesuffix("[]"), other.removesuffix("[]")
    return one == other or any(one in family and other in family for family in _FAMILIES)
