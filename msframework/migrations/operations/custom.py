"""Operations that a migration's author writes: SQL, or a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from peewee import PostgresqlDatabase

from msframework.migrations.operations.arguments import refuse
from msframework.migrations.operations.base import Phase, PhaseContext, PythonCall, SqlAction
from msframework.migrations.operations.statements import is_outside, split


@dataclass(frozen=True, slots=True)
class Run:
    """Runs SQL, or a function that is called with the peewee database.

    Args:
        backward: what takes it back, likewise; without it there is no way back.
    """

    forward: str | Callable[[PostgresqlDatabase], object]
    backward: str | Callable[[PostgresqlDatabase], object] | None = None

    def __post_init__(self) -> None:
        for what, value in (("forward", self.forward), ("backward", self.backward)):
            if callable(value) or (what == "backward" and value is None):
                continue
            if not isinstance(value, str) or not value.strip():
                raise refuse("Run", what, value, "SQL as text, or a function of the database")

    def phases(self, context: PhaseContext) -> tuple[Phase, ...]:
        """Return one phase, or one for each statement if they cannot run in a transaction."""
        if callable(self.forward):
            return (Phase((PythonCall(self.forward),)),)
        statements = split(self.forward)
        if context.online and any(is_outside(each) for each in statements):
            return tuple(
                Phase((SqlAction(each),), transaction=not is_outside(each)) for each in statements
            )
        return (Phase(tuple(SqlAction(each) for each in statements)),)

    def reverse(self) -> Run | None:
        """Return what the author wrote for it, if anything."""
        return None if self.backward is None else Run(self.backward, self.forward)

    def describe(self) -> str:
        """Return it in a line for people."""
        if callable(self.forward):
            name = getattr(self.forward, "__name__", type(self.forward).__name__)
            return f"run the function {name}"
        text = " ".join(self.forward.split())
        return f"run {text if len(text) <= 60 else text[:57] + '...'}"
