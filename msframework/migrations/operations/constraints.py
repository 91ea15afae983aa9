"""Operations on constraints, foreign keys among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from msframework.migrations.operations.arguments import (
    check_constraint,
    check_name,
    check_table_name,
)
from msframework.migrations.operations.base import Phase, PhaseContext, SqlAction
from msframework.migrations.operations.ddl import alter, constraint_definition, refusal, sibling
from msframework.migrations.operations.faulty_rows import rows_against_check, rows_against_key
from msframework.migrations.operations.required import online_phases
from msframework.migrations.schema import Constraint, ForeignKey
from msframework.migrations.sql import canonical_words, literal, quote, quote_qualified

# A key of no more than columns, perhaps deferrable: an index can be built before it.
_KEY: Final = re.compile(
    r"""\s*(?P<kind>UNIQUE|PRIMARY\s+KEY)
    \s*(?P<nulls>NULLS\s+NOT\s+DISTINCT)?
    \s*\((?P<columns>[^()]+)\)
    \s*(?P<include>INCLUDE\s*\([^()]+\))?
    \s*(?P<deferral>(?:NOT\s+)?DEFERRABLE(?:\s+INITIALLY\s+(?:IMMEDIATE|DEFERRED))?)?\s*\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_COLUMN: Final = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\W\d][\w$]*))\s*\Z')


@dataclass(frozen=True, slots=True)
class AddConstraint:
    """Adds a constraint, a foreign key, a primary key to a table."""

    table: str
    constraint: Constraint | ForeignKey

    def __post_init__(self) -> None:
        check_table_name("AddConstraint", self.table)
        check_constraint(f"AddConstraint on {self.table}", self.constraint)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase; where others use the table, those that only lock it for a moment."""
        if context.is_online(self.table):
            found = self._checked_later() or self._on_index()
            if found:
                return tuple(found)
        return (self._add(f"ADD {constraint_definition(self.constraint)}"),)

    def _add(self, change: str, waits: bool = True) -> Phase:
        return Phase((SqlAction(alter(self.table, change)),), waits=waits)

    def _checked_later(self) -> list[Phase]:
        """Return the phases that add a foreign key or a check for new rows, then for all.

        Rows that break it are looked for before, as it stays where its validation fails.
        """
        constraint, phases = self.constraint, []
        if isinstance(constraint, Constraint):
            found = canonical_words(constraint.definition)
            if found[:1] != ("check",) or found[-2:] in (("not", "valid"), ("not", "enforced")):
                return []
            broken = rows_against_check(self.table, constraint)
        else:
            broken = rows_against_key(self.table, constraint)
        if broken is not None:
            message = literal(f"Rows of {self.table} break {constraint.name}, which is not added.")
            hint = literal(f"Change what this finds: {broken}")
            phases.append(Phase((SqlAction(refusal(broken, message, hint)),), waits=False))
        add = f"ADD {constraint_definition(self.constraint)} NOT VALID"
        validate = f"VALIDATE CONSTRAINT {quote(self.constraint.name)}"
        return [*phases, self._add(add), self._add(validate, waits=False)]

    def _on_index(self) -> list[Phase]:
        """Return the phases that build a unique index, then make a key of it."""
        match = _KEY.match(getattr(self.constraint, "definition", ""))
        if match is None:
            return []
        columns = [_column_name(each) for each in match["columns"].split(",")]
        if None in columns:
            return []
        name, kind = quote(self.constraint.name), " ".join(match["kind"].upper().split())
        parts = [f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {quote_qualified(self.table)}"]
        parts += [f"({match['columns']})", match["include"], match["nulls"]]
        index = sibling(self.table, self.constraint.name)
        build = SqlAction(" ".join(each for each in parts if each))
        change = [f"ADD CONSTRAINT {name} {kind} USING INDEX {name}", match["deferral"]]
        phases = []
        if kind == "PRIMARY KEY":
            for each in columns:
                phases += online_phases(self.table, str(each), None, required=True)
        phases.append(Phase((build,), transaction=False, index=index, waits=False))
        phases.append(self._add(" ".join(each for each in change if each)))
        return phases

    def reverse(self) -> DropConstraint:
        """Return the operation that drops the constraint."""
        return DropConstraint(self.table, self.constraint)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"add {_kind(self.constraint)} {self.constraint.name} to {self.table}"


@dataclass(frozen=True, slots=True)
class DropConstraint:
    """Drops a constraint, a foreign key, a primary key of a table."""

    table: str
    constraint: Constraint | ForeignKey

    def __post_init__(self) -> None:
        check_table_name("DropConstraint", self.table)
        check_constraint(f"DropConstraint on {self.table}", self.constraint)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase."""
        drop = alter(self.table, f"DROP CONSTRAINT {quote(self.constraint.name)}")
        return (Phase((SqlAction(drop),)),)

    def reverse(self) -> AddConstraint:
        """Return the operation that adds the constraint again."""
        return AddConstraint(self.table, self.constraint)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"drop {_kind(self.constraint)} {self.constraint.name} of {self.table}"


@dataclass(frozen=True, slots=True)
class RenameConstraint:
    """Renames a constraint, with the index of a key."""

    table: str
    old: str
    new: str

    def __post_init__(self) -> None:
        check_table_name("RenameConstraint", self.table)
        check_name(f"RenameConstraint on {self.table}", "old", self.old)
        check_name(f"RenameConstraint on {self.table}", "new", self.new)

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase."""
        change = f"RENAME CONSTRAINT {quote(self.old)} TO {quote(self.new)}"
        return (Phase((SqlAction(alter(self.table, change)),)),)

    def reverse(self) -> RenameConstraint:
        """Return the operation that gives the constraint its old name."""
        return RenameConstraint(self.table, self.new, self.old)

    def describe(self) -> str:
        """Return it in a line for people."""
        return f"rename constraint {self.old} of {self.table} to {self.new}"


def _column_name(text: str) -> str | None:
    match = _COLUMN.match(text)
    if match is None:
        return None
    return match[1].replace('""', '"') if match[1] else match[2].lower()


def _kind(constraint: Constraint | ForeignKey) -> str:
    if isinstance(constraint, ForeignKey):
        return "foreign key"
    first = canonical_words(constraint.definition)[:1]
    kinds = {"primary": "primary key", "unique": "unique constraint", "check": "check"}
    return kinds.get(first[0] if first else "", "constraint")
