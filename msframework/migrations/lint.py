"""The lint of pending migrations: locks, and breaks of running code. Runs on the command line.

squawk finds locks in the SQL that a run would send; `lint_code` finds breaks by comparing the
operations with the tables as the last applied migrations left them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from peewee import PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import operations as ops
from msframework.migrations.catalog import read_schema
from msframework.migrations.connection import opened
from msframework.migrations.files import read_steps
from msframework.migrations.lint_allow import check_allowed, find_lines, read_allow
from msframework.migrations.lint_code import find_breaks, follow
from msframework.migrations.lint_rules import RULES, WEAKER
from msframework.migrations.lint_squawk import SquawkFinding, run_squawk, write_text
from msframework.migrations.lint_target import is_rewritten, target_of_statement
from msframework.migrations.migration_file import read_module_state
from msframework.migrations.operations.base import MigrationOperation, Phase, PythonCall
from msframework.migrations.operations.enum_changes import is_made_anew
from msframework.migrations.operations.program import read_phases
from msframework.migrations.plan import Applied, plan_forward, settle_squashed, target_of
from msframework.migrations.record import Record
from msframework.migrations.schema import SchemaState
from msframework.migrations.step import MigrationStep, label


@dataclass(frozen=True, slots=True)
class LintFinding:
    """A rule that an operation of a pending migration breaks.

    Args:
        migration: as `app.name`.
        place: the file, with the line of the operation where that is known.
        operation: its number and what it does, for people.
        allowed: the reason that the file gives.
    """

    migration: str
    place: str
    operation: str
    rule: str
    text: str
    advice: str
    allowed: str | None = None


@dataclass(slots=True)
class LintReport:
    """The findings of all pending migrations.

    Args:
        notes: the parts that could not be checked.
    """

    migrations: tuple[str, ...] = ()
    server_version: str | None = None
    findings: list[LintFinding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[LintFinding]:
        """The findings that no file allows."""
        return [each for each in self.findings if each.allowed is None]


@dataclass(frozen=True, slots=True)
class _Program:
    """The operations of one pending migration, each with its phases."""

    step: MigrationStep
    operations: tuple[tuple[MigrationOperation, tuple[Phase, ...]], ...]

    def fresh(self, number: int) -> frozenset[str]:
        """Return the tables that operations up to *number* have made."""
        names: set[str] = set()
        for operation, _ in self.operations[: number + 1]:
            if isinstance(operation, ops.CreateTable):
                names.add(operation.table.name)
            elif isinstance(operation, ops.RenameTable) and operation.old in names:
                names.add(operation.new)
        return frozenset(names)


def lint_pending(url: str, apps: Sequence[str], app: str | None = None) -> LintReport:
    """Check the pending migrations of all apps, or of one and its dependencies.

    Raises:
        ImproperlyConfigured: the migrations are wrong, PostgreSQL cannot be reached, or squawk is
            missing.
    """
    steps = read_steps(apps)
    goal = target_of(steps, apps, app, None)
    with opened(url) as database:
        applied: Applied = Record(database).read().keys()
        pending = plan_forward(settle_squashed(steps, applied), goal, applied)
        deployed = _read_deployed(database, steps, pending, applied)
        run: Any = database.execute_sql
        number = int(run("SHOW server_version_num").fetchone()[0])
    return lint(pending, deployed, f"{number // 10000}.{number % 10000}")


def lint(
    pending: Sequence[MigrationStep], deployed: SchemaState, server_version: str | None = None
) -> LintReport:
    """Check the migrations *pending*.

    Args:
        deployed: the tables that the running code knows.

    Raises:
        ImproperlyConfigured: a file allows an unknown rule; squawk is missing.
    """
    check_allowed(pending)
    report = LintReport(tuple(label(step) for step in pending), server_version)
    programs = [_read_program(step) for step in pending]
    texts = [
        write_text(enumerate(phases for _, phases in each.operations), each.step.atomic)
        for each in programs
    ]
    for program, found in zip(programs, run_squawk(texts, server_version), strict=True):
        broken: list[tuple[int, str, str, str]] = list(_find_locks(program, found))
        for number, (operation, phases) in enumerate(program.operations):
            for rule, details in find_breaks(operation, deployed):
                broken.append((number, rule, details or RULES[rule].text, RULES[rule].advice))
            deployed = follow(operation, deployed)
            if any(isinstance(act, PythonCall) for phase in phases for act in phase.actions):
                report.notes.append(f"{_where(program, number)}: Python, which is not checked.")
        if not _has_operations(program.step):
            report.notes.append(
                f"{program.step.file or label(program.step)}: Python, which is not checked."
            )
        report.findings += _merge(program, broken)
    return report


def _has_operations(step: MigrationStep) -> bool:
    return hasattr(getattr(step, "module", None), "operations")


def _read_program(step: MigrationStep) -> _Program:
    found = getattr(step, "operations", ())
    try:
        return _Program(step, tuple(read_phases(found, online=not step.atomic)))
    except ImproperlyConfigured as exc:
        where = step.file or label(step)
        raise ImproperlyConfigured.of([f"{where}: {each}" for each in exc.problems]) from exc


def _find_locks(
    program: _Program, found: Iterable[SquawkFinding]
) -> Iterator[tuple[int, str, str, str]]:
    """Yield the findings of squawk that no operation avoids: operation, rule, text, advice."""
    for each in found:
        number = each.statement.operation
        operation = program.operations[number][0]
        rule = RULES.get(each.rule)
        if isinstance(operation, ops.Run):
            if target_of_statement(each.statement.sql) in program.fresh(number):
                continue
        elif _is_answered(operation, each, program.fresh(number)):
            continue
        if rule is None or rule.kind == "written":
            yield number, each.rule, each.text, each.advice
        else:
            yield number, each.rule, rule.text, rule.advice
    for number, (operation, _) in enumerate(program.operations):
        name = _unseen(operation, program.fresh(number), online=not program.step.atomic)
        if name is not None:
            yield number, name, RULES[name].text, RULES[name].advice


def _unseen(operation: MigrationOperation, fresh: frozenset[str], online: bool) -> str | None:
    """Return the rule that squawk overlooks: columns with sequences, recreated types."""
    if isinstance(operation, ops.AddColumn) and not online and operation.table not in fresh:
        column = operation.column
        if (column.serial or column.identity) and operation.fill is None:
            return "adding-field-with-default"
    if isinstance(operation, ops.AlterEnum):
        anew = is_made_anew(operation.old.values, operation.new.values)
        return "changing-column-type" if anew else None
    return None


def _is_answered(
    operation: MigrationOperation, found: SquawkFinding, fresh: frozenset[str]
) -> bool:
    """Say whether the operation already avoids *found* by the SQL that it makes."""
    table = getattr(operation, "table", None)
    if getattr(table, "name", table) in fresh:
        return True
    if found.rule == "adding-required-field" and isinstance(operation, ops.AddColumn):
        return True  # lint_code has it
    if isinstance(operation, ops.AlterColumn) and found.rule == "changing-column-type":
        return not is_rewritten(operation.old, operation.new, operation.using)
    rule = RULES.get(found.rule)
    return rule is not None and rule.kind != "lock"


def _merge(program: _Program, broken: Sequence[tuple[int, str, str, str]]) -> list[LintFinding]:
    """Return one finding for each rule and operation, in the order of the operations."""
    allow = read_allow(program.step)
    texts: dict[tuple[int, str], list[str]] = {}
    advice: dict[tuple[int, str], str] = {}
    for number, rule, text, what_else in broken:
        own = texts.setdefault((number, rule), [])
        if text not in own:
            own.append(text)
        advice[(number, rule)] = what_else
    findings = []
    for (number, rule), own in sorted(texts.items(), key=lambda each: each[0]):
        if any((number, other) in texts for other in WEAKER.get(rule, ())):
            continue
        findings.append(
            LintFinding(
                label(program.step),
                _where(program, number),
                f"operation {number + 1}: {program.operations[number][0].describe()}",
                rule,
                " ".join(own),
                advice[(number, rule)],
                allow.get(rule),
            )
        )
    return findings


def _where(program: _Program, number: int) -> str:
    lines = find_lines(program.step)
    place = program.step.file or label(program.step)
    exact = len(lines) == len(program.operations)
    return f"{place}:{lines[number]}" if exact else place


def _read_deployed(
    database: PostgresqlDatabase,
    steps: Sequence[MigrationStep],
    pending: Sequence[MigrationStep],
    applied: Applied,
) -> SchemaState:
    """Return the tables as the last applied migrations left them.

    For an app whose files carry no state, these are its existing tables.
    """
    known = []
    asked: set[str] = set()
    for app in dict.fromkeys(step.app for step in steps):
        own = [step for step in steps if step.app == app and _is_applied(step, applied)]
        states = (read_module_state(getattr(step, "module", None)) for step in reversed(own))
        state = next((each for each in states if each is not None), None)
        if state is not None:
            known.append(state)
        else:
            asked |= {name for step in pending if step.app == app for name in _tables_of(step)}
    known.append(read_schema(database, asked))
    return SchemaState(
        tuple(table for state in known for table in state.tables),
        enums=tuple(enum for state in known for enum in state.enums),
    )


def _is_applied(step: MigrationStep, applied: Applied) -> bool:
    """Say whether *step* is recorded, or all those that it was squashed from."""
    replaced = [tuple(name.split(".", 1)) for name in step.replaces]
    return (step.app, step.name) in applied or (
        bool(replaced) and all(each in applied for each in replaced)
    )


def _tables_of(step: MigrationStep) -> Iterator[str]:
    for operation in getattr(step, "operations", ()):
        table = getattr(operation, "table", None)
        name = getattr(table, "name", table)
        name = operation.old if isinstance(operation, ops.RenameTable) else name
        if isinstance(name, str):
            yield name
