"""The operations on enumerated types that lead from one state to another.

Values come before the columns that use them, and go after the last use of them. A value that gave
way to another may have been renamed, which is asked. Runs when a migration is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from msframework.migrations import operations as ops
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.enum_changes import renamed_values
from msframework.migrations.renames import Answers
from msframework.migrations.schema import EnumType

_LOSS = "rows that hold this value of the type would keep the migration from being applied"


@dataclass
class EnumChanges:
    """The operations before and after those on tables."""

    early: list[MigrationOperation] = field(default_factory=list)
    late: list[MigrationOperation] = field(default_factory=list)


def find_enum_changes(
    old: Sequence[EnumType], new: Sequence[EnumType], answers: Answers
) -> EnumChanges:
    """Return the operations that lead from the types *old* to *new*.

    Raises:
        ImproperlyConfigured: a question has no answer.
    """
    before = {each.name: each for each in old}
    after = {each.name for each in new}
    found = EnumChanges([ops.CreateEnum(each) for each in new if each.name not in before])
    for enum in new:
        was = before.get(enum.name)
        if was is not None and was.values != enum.values:
            _alter(was, enum, answers, found)
    found.late += [ops.DropEnum(each) for each in old if each.name not in after]
    return found


def _alter(was: EnumType, enum: EnumType, answers: Answers, found: EnumChanges) -> None:
    renamed = _after_renames(was, enum, answers)
    if renamed != was:
        found.early.append(ops.AlterEnum(was, renamed))
    lost = [value for value in renamed.values if value not in enum.values]
    added = tuple(value for value in enum.values if value not in renamed.values)
    for value in lost:
        names = " or ".join(f"--rename {enum.name}.{value}:{each}" for each in added)
        answers.accept_loss(
            enum.name,
            value,
            _LOSS + (f"; if it has another name now, give {names}" if names else ""),
        )
    kept = tuple(value for value in enum.values if value in renamed.values)
    if kept == renamed.values:
        if renamed != enum:
            found.early.append(ops.AlterEnum(renamed, enum))
        return
    wide = replace(renamed, values=(*renamed.values, *added))
    if added:
        found.early.append(ops.AlterEnum(renamed, wide))
    found.late.append(ops.AlterEnum(wide, enum))


def _after_renames(was: EnumType, enum: EnumType, answers: Answers) -> EnumType:
    """Return *was* with the new names of the values that were renamed."""
    likely = renamed_values(was.values, enum.values)
    values = list(was.values)
    added = [value for value in enum.values if value not in was.values]
    for place, one in enumerate(was.values):
        if one in enum.values:
            continue
        # NOTE: what an option names comes before what looks like it.
        for two in sorted(added, key=lambda each: (one, each) not in likely):
            if answers.is_rename("value", was.name, one, two, (one, two) in likely):
                values[place] = two
                added.remove(two)
                break
    return replace(was, values=tuple(values))
