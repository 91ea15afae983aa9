"""The four engines of a dump, and the protocol of the fastest. Runs at start-up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

from msframework.codec.emit import FunctionSource
from msframework.table import Table


class Engine(Enum):
    """A way to dump, the fastest first. Each gives what the next one gives, and leaves it the rest.

    Attributes:
        ROWS: msgspec writes rows whose columns are plain, without a dict for each (`rows`).
        MEMBERS: one expression makes the dict of a row that has all members (`emit_dump`).
        ANY_OBJECT: one line for each field dumps any object that may have it (`emit_dump_any`).
        MARSHMALLOW: the schema's own `dump`.
    """

    ROWS = 1
    MEMBERS = 2
    ANY_OBJECT = 3
    MARSHMALLOW = 4

    def may_use(self, other: Engine) -> bool:
        """Tell whether *other* is not faster than this one."""
        return bool(other.value >= self.value)


class RowWriter(Protocol):
    """Writes the rows of one schema as JSON; `None` where something in them is odd."""

    @property
    def sources(self) -> Sequence[FunctionSource]:
        """The generated functions that it runs."""

    @property
    def write_one(self) -> Callable[[object], bytes | None]:
        """The function that writes one dict or Record."""

    def write_many(self, rows: object) -> bytes | None:
        """Write a list or tuple of dicts, or of Records."""

    def write_table(self, table: Table) -> bytes | None:
        """Write the rows that one statement gave."""
