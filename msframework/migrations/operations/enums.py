"""Operations on enumerated types."""

from __future__ import annotations

from dataclasses import dataclass

from msframework.migrations.operations.arguments import check_enum
from msframework.migrations.operations.base import Phase, PhaseContext, SqlAction
from msframework.migrations.operations.ddl import create_schema
from msframework.migrations.operations.enum_changes import (
    change_values,
    rename_type,
    renamed_values,
)
from msframework.migrations.schema import EnumType
from msframework.migrations.sql import literal, quote_qualified


@dataclass(frozen=True, slots=True)
class CreateEnum:
    """Makes an enumerated type, and its schema if need be."""

    enum: EnumType

    def __post_init__(self) -> None:
        check_enum("CreateEnum", self.enum)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase."""
        values = ", ".join(literal(each) for each in self.enum.values)
        create = f"CREATE TYPE {quote_qualified(self.enum.name)} AS ENUM ({values})"
        schema = create_schema(self.enum.name)
        return (Phase(tuple(SqlAction(each) for each in (schema, create) if each is not None)),)

    def reverse(self) -> DropEnum:
        """Return the operation that drops the type."""
        return DropEnum(self.enum)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"create enum {self.enum.name}"


@dataclass(frozen=True, slots=True)
class DropEnum:
    """Drops an enumerated type that no column has any more."""

    enum: EnumType

    def __post_init__(self) -> None:
        check_enum("DropEnum", self.enum)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase."""
        return (Phase((SqlAction(f"DROP TYPE {quote_qualified(self.enum.name)}"),)),)

    def reverse(self) -> CreateEnum:
        """Return the operation that makes the type again."""
        return CreateEnum(self.enum)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"drop enum {self.enum.name}"


@dataclass(frozen=True, slots=True)
class AlterEnum:
    """Changes the values of an enumerated type, or its name.

    Values that come in between are added; where as many have gone from the same places they are
    renamed; else the type is recreated, which fails where a row has a value that is gone.
    """

    old: EnumType
    new: EnumType

    def __post_init__(self) -> None:
        check_enum("AlterEnum", self.old, "old")
        check_enum("AlterEnum", self.new, "new")

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase for each new value, which can be used in the phases after it."""
        return (
            *rename_type(self.old.name, self.new.name),
            *change_values(self.old.values, self.new, context),
        )

    def reverse(self) -> AlterEnum:
        """Return the operation that gives the type its old values."""
        return AlterEnum(self.new, self.old)

    def describe(self) -> str:
        """Return it in a line for people."""
        parts = []
        if self.old.name != self.new.name:
            parts.append(f"rename it to {self.new.name}")
        renamed = renamed_values(self.old.values, self.new.values)
        parts += [f"rename {one!r} to {two!r}" for one, two in renamed]
        if not renamed:
            parts += [f"add {each!r}" for each in self.new.values if each not in self.old.values]
            parts += [f"remove {each!r}" for each in self.old.values if each not in self.new.values]
        return f"alter enum {self.old.name}: {', '.join(parts) or 'another order'}"
