"""The rows of one statement, on their way to JSON: `Table`. Made per request."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from asyncpg import Record

from msframework.types import Row

# Which columns hold texts, and the class that their values have elsewhere.
Texts = tuple[tuple[str, type], ...]


class Table(NamedTuple):
    """The rows of one statement.

    Attributes:
        records: asyncpg's Records.
        texts: the columns in which these hold a text, instead of what the type has elsewhere.
        hidden: the columns that nobody asked for, and that no row has.
    """

    records: list[Record]
    texts: Texts = ()
    hidden: tuple[str, ...] = ()

    def rows(self) -> list[Row]:
        """Return the rows as dicts, with the values that `fetch` gives."""
        rows = [dict(record.items()) for record in self.records]
        for name in self.hidden:
            for row in rows:
                del row[name]
        for name, made in self.texts:
            if name in self.hidden:
                continue
            make = _read_numeric if made is Decimal else made
            for row in rows:
                if row[name] is not None:
                    row[name] = make(row[name])
        return rows


def _read_numeric(text: str) -> Decimal:
    """Return the Decimal that asyncpg makes of a numeric, to its exponent.

    Of a number without a scale PostgreSQL sends no groups of four zeros at its end.
    """
    zeros = 0 if "." in text else (len(text) - len(text.rstrip("0"))) // 4 * 4
    return Decimal(f"{text[:-zeros]}E{zeros}" if zeros else text)
