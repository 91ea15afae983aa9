"""What the units of fields ask of the compiler: types only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from marshmallow import Schema


class NestedPlan(Protocol):
    """The compiled form of a nested schema."""

    schema: Schema

    def dump(self, obj: Any, many: bool) -> Any:
        """Return what `schema.dump` returns."""

    def dump_values(self, obj: Any, many: bool) -> Any:
        """Return the same for orjson."""

    def load(self, data: Any, partial: Any, unknown: Any) -> Any:
        """Return what `schema.load` returns, or a `Bad`."""


class Nesting(Protocol):
    """Compiles what is nested, and is told what marshmallow must do.

    Attributes:
        most: how many errors a load looks for; all when `None`.
        exact: whether numbers that lost digits may be read again (see `exact.Inexact`).
    """

    most: int | None
    exact: bool

    def note_dump(self, field: Any, reason: str) -> None:
        """Remember that marshmallow must dump *field*."""

    def note_load(self, field: Any, reason: str) -> None:
        """Remember that marshmallow must load *field*."""

    def note_open(self) -> None:
        """Remember that a dump may hold values of any type."""

    def nested(self, field: Any, *, load: bool) -> NestedPlan | None:
        """Return the plan of a nested field's schema, `None` when marshmallow must do it."""

    def plan_of(self, get: Callable[[], Schema]) -> NestedPlan | None:
        """Return the plan of the schema that *get* gives."""
