"""The `allow` of a migration file, and the lines of its operations.

Runs on the command line.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

from msframework.alike import find_nearest
from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.lint_rules import RULES
from msframework.migrations.step import MigrationStep, label


def read_allow(step: MigrationStep) -> Mapping[str, str]:
    """Return the `allow` of the file of *step*: the reason for each allowed rule.

    Raises:
        ImproperlyConfigured: an unknown rule, or no reason.
    """
    value = getattr(getattr(step, "module", None), "allow", {})
    where = step.file or label(step)
    if not isinstance(value, Mapping):
        raise ImproperlyConfigured(
            f"{where}: allow is {value!r}; expected the reason for each rule, as "
            '{"ban-drop-column": "nothing has read it since 1.4"}.'
        )
    problems = []
    for rule, reason in value.items():
        if rule not in RULES or RULES[rule].kind == "quiet":
            problems.append(f"{where}: allow names {rule!r}, {_explain(rule)}")
        if not isinstance(reason, str) or not reason.strip():
            problems.append(
                f"{where}: allow gives {reason!r} for {rule!r}; expected the reason, in words."
            )
    if problems:
        raise ImproperlyConfigured.of(problems)
    return value


def check_allowed(steps: Iterable[MigrationStep]) -> None:
    """Read what each of *steps* allows.

    Raises:
        ImproperlyConfigured: all mistakes found, together.
    """
    problems: list[str] = []
    for step in steps:
        try:
            read_allow(step)
        except ImproperlyConfigured as exc:
            problems += exc.problems
    if problems:
        raise ImproperlyConfigured.of(problems)


def find_lines(step: MigrationStep) -> tuple[int, ...]:
    """Return the line of each operation in the file of *step*, if it lists them literally."""
    if step.file is None:
        return ()
    try:
        tree = ast.parse(Path(step.file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(each, ast.Name) and each.id == "operations" for each in targets):
            value = getattr(node, "value", None)
            if isinstance(value, ast.Tuple | ast.List):
                return tuple(each.lineno for each in value.elts)
    return ()


def _explain(rule: object) -> str:
    if isinstance(rule, str) and rule in RULES:
        return f"which is never reported: {RULES[rule].text}. Remove it."
    close = find_nearest(str(rule), RULES)
    meant = f" Did you mean {close!r}?" if close else ""
    return f"which is no rule.{meant} `manage.py migrate --lint` prints the names of rules."
