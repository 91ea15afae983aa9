"""The priority of an operation, as it, its class or its blueprint declares it. Runs at start-up."""

from __future__ import annotations

from msframework.doc import Notes
from msframework.limits.priority import NORMAL, SHARES
from msframework.problem import Problem
from msframework.resource import Resource


def read_priority(
    notes: Notes,
    resource: type[Resource] | None,
    shared: Notes,
    outer: Notes,
    where: str,
    problems: list[str],
) -> str:
    """Return the priority that is declared nearest to the method.

    Args:
        notes: those on the method.
        shared: those on the class *resource*.
        outer: those of the blueprint.
    """
    of_class = shared.priority or getattr(resource, "priority", "")
    priority = notes.priority or of_class or outer.priority or NORMAL
    if isinstance(priority, str) and priority in SHARES:
        return priority
    expected = f"one of {', '.join(SHARES)}"
    problems.append(Problem(where, f"its priority is {priority!r}", expected=expected))
    return NORMAL
