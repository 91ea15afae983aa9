"""`Run`: SQL or a function that a migration's author writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from peewee import PostgresqlDatabase

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.operations.arguments import refuse
from msframework.migrations.operations.base import Phase, PhaseContext, PythonCall, SqlAction
from msframework.migrations.operations.statements import is_boundary, is_outside, split

_LONGEST: Final = 60


@dataclass(frozen=True, slots=True)
class Run:
    """Runs SQL, or a function that is called with the peewee database.

    Args:
        backward: what takes it back, likewise; without it the operation is not reversible.
    """

    forward: str | Callable[[PostgresqlDatabase], object]
    backward: str | Callable[[PostgresqlDatabase], object] | None = None

    def __post_init__(self) -> None:
        for what, value in (("forward", self.forward), ("backward", self.backward)):
            if callable(value) or (what == "backward" and value is None):
                continue
            if not isinstance(value, str) or not value.strip():
                raise refuse("Run", what, value, "SQL as text, or a function of the database")
            for statement in filter(is_boundary, split(value)):
                raise ImproperlyConfigured(
                    f"Run: {_shortened(statement)!r} begins or ends a transaction, which `migrate` "
                    "does itself. Leave it out; `atomic = False` commits each operation."
                )

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase, or one for each statement if they cannot run in a transaction.

        Raises:
            ImproperlyConfigured: they cannot, and the migration is one.
        """
        if callable(self.forward):
            return (Phase((PythonCall(self.forward),)),)
        statements = split(self.forward)
        outside = [each for each in statements if is_outside(each)]
        if outside and not context.online:
            raise ImproperlyConfigured(
                f"Run: {_shortened(outside[0])!r} cannot run in a transaction. Write "
                "`atomic = False` in the file."
            )
        if outside:
            return tuple(
                Phase((SqlAction(each),), transaction=not is_outside(each)) for each in statements
            )
        return (Phase(tuple(SqlAction(each) for each in statements)),)

    def reverse(self) -> Run | None:
        """Return the reverse that the author wrote, if there is one."""
        return None if self.backward is None else Run(self.backward, self.forward)

    def describe(self) -> str:
        """Return it in a line for people."""
        if callable(self.forward):
            name = getattr(self.forward, "__name__", type(self.forward).__name__)
            return f"run the function {name}"
        return f"run {_shortened(self.forward)}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
