"""squawk, a linter of SQL: its input and its findings. Runs on the command line.

A separate program (https://squawkhq.com), from the package `squawk-cli`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.lint_rules import INCLUDED, RULES
from msframework.migrations.operations.base import Backfill, Phase, PythonCall, SqlAction
from msframework.migrations.sql import quote

EXTRA: Final = "`pip install 'msframework[lint]'`"
_SECONDS: Final = 60
_UNKNOWN: Final = frozenset(("syntax-error", "unused-ignore"))  # which --exclude does not take


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """One statement of a migration, with the number of its operation."""

    sql: str
    operation: int


@dataclass(frozen=True, slots=True)
class SquawkFinding:
    """A rule that squawk finds broken by a statement."""

    rule: str
    statement: SqlStatement
    text: str
    advice: str


@dataclass(slots=True)
class SqlText:
    """The SQL of one migration, with the statement of each line."""

    lines: list[str] = field(default_factory=list)
    _owners: list[SqlStatement | None] = field(default_factory=list)

    def add(self, sql: str, operation: int | None = None) -> None:
        """Add a statement; without an operation it belongs to none (BEGIN, SET)."""
        owner = None if operation is None else SqlStatement(sql, operation)
        for line in f"{sql.strip().rstrip(';')};".splitlines():
            self.lines.append(line)
            self._owners.append(owner)

    def owner(self, line: int) -> SqlStatement | None:
        """Return the statement on *line*, counted from 0."""
        return self._owners[line] if line < len(self._owners) else None


def write_text(phases: Iterable[tuple[int, Sequence[Phase]]], atomic: bool) -> SqlText:
    """Return the SQL of a migration, in its transactions.

    Args:
        phases: the number of each operation, with its phases.
        atomic: all of it is one transaction.
    """
    text = SqlText()
    if atomic:
        text.add("BEGIN")
    for number, own in phases:
        for phase in own:
            inside = not atomic and phase.transaction
            if inside:
                text.add("BEGIN")
            for action in phase.actions:
                if isinstance(action, SqlAction):
                    text.add(action.sql, number)
                elif isinstance(action, Backfill) and isinstance(action.value, str):
                    name = quote(action.column)
                    where = f"WHERE {name} IS NULL"
                    text.add(f"UPDATE {action.table} SET {name} = {action.value} {where}", number)  # noqa: S608 - only read
                else:
                    assert isinstance(action, Backfill | PythonCall)  # whose SQL is not known
            if inside:
                text.add("COMMIT")
    if atomic:
        text.add("COMMIT")
    return text


def run_squawk(texts: Sequence[SqlText], server_version: str | None) -> list[list[SquawkFinding]]:
    """Return the findings of squawk for each of *texts*.

    Args:
        server_version: as `16.2`; some statements are safe only since a version.

    Raises:
        ImproperlyConfigured: it is not installed, or failed.
    """
    found: list[list[SquawkFinding]] = [[] for _ in texts]
    program = find_squawk()
    if not any(text.lines for text in texts):
        return found
    with TemporaryDirectory(prefix="msframework-lint-") as directory:
        root = Path(directory)
        (root / "squawk.toml").touch()  # no configuration that lies about is read
        for number, text in enumerate(texts):
            (root / f"{number}.sql").write_text("\n".join(text.lines) + "\n")
        names = [f"{number}.sql" for number in range(len(texts))]
        version = [] if server_version is None else [f"--pg-version={server_version}"]
        command = [program, "--config=squawk.toml", "--reporter=json", *_choices(), *version]
        entries = _read([*command, *names], root)
    for entry in entries:
        number = int(Path(str(entry["file"])).stem)
        owner = texts[number].owner(int(str(entry["line"])))
        if owner is not None:
            rule, text_, advice = (str(entry[k] or "") for k in ("rule_name", "message", "help"))
            found[number].append(SquawkFinding(rule, owner, text_, advice))
    return found


def find_squawk() -> str:
    """Return the path of squawk: beside this Python, or on the path.

    Raises:
        ImproperlyConfigured: it is not installed.
    """
    beside = Path(sysconfig.get_path("scripts")) / "squawk"
    found = shutil.which(str(beside)) or shutil.which("squawk")
    if found is None:
        raise ImproperlyConfigured(
            f"The lint of migrations needs squawk, which is not installed: {EXTRA}."
        )
    return found


def _choices() -> list[str]:
    kinds = ("quiet", "operation")
    quiet = [n for n, rule in RULES.items() if rule.kind in kinds and n not in _UNKNOWN]
    return [*(f"--include={name}" for name in INCLUDED), *(f"--exclude={name}" for name in quiet)]


def _read(command: Sequence[str], directory: Path) -> list[dict[str, object]]:
    """Run squawk, which exits with 1 when it finds anything, and return what it prints."""
    try:
        done = subprocess.run(  # noqa: S603 - a program that is found, with arguments of our own
            command, cwd=directory, capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ImproperlyConfigured(f"squawk could not be run: {exc}.") from exc
    try:
        entries = json.loads(done.stdout) if done.stdout.strip() else None
    except ValueError:
        entries = None
    if not isinstance(entries, list):
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[0]
        raise ImproperlyConfigured(
            f"squawk failed with exit code {done.returncode}: {said}. A release of another version "
            f"may take other options: {EXTRA} brings the tested one."
        )
    return entries
