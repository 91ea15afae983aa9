"""Which row of a bulk action PostgreSQL refused.

Its errors name a constraint, and no row. Runs per request, when a statement of many rows failed:
nothing is asked before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import asyncpg

from msframework.db.errors import RefusedRow, note_refused, refuses_alike, refuses_row
from msframework.db.transaction import Transaction, doom, start_over


@dataclass(frozen=True, slots=True)
class RowStatement:
    """The statement of one row.

    Args:
        index: the place of the row in the request.
    """

    index: int
    text: str
    arguments: Sequence[object]


async def find_refused(
    tx: Transaction,
    exc: asyncpg.PostgresError,
    statements: Iterable[RowStatement],
    parameter: str = "",
    member: str = "",
) -> None:
    """Note at *exc*, with which *tx* failed, the row that was refused, if one is again.

    The *statements* run one by one in a new transaction in the place of the one that failed. It
    ends by the same failure, so nothing is stored. No row is noted where another failure comes
    first: what seams wrote before is undone, and others may have written meanwhile. A deadlock with
    a caller who made the same unique values is the conflict with these, once they are there.

    Args:
        parameter: the parameter of the query that names the rows; empty for those of the body.
        member: the member of a row that *exc* is about, if it tells.

    Raises:
        UniqueViolationError: *exc* is a deadlock, and that the reason of it.
    """
    is_deadlock = isinstance(exc, asyncpg.DeadlockDetectedError)
    if not (is_deadlock or refuses_row(exc)):
        return
    index = -1
    try:
        await start_over(tx)
        for each in statements:
            index = each.index
            await tx.fetch(each.text, *each.arguments)
    except asyncpg.PostgresError as again:
        if index >= 0 and refuses_alike(exc, again):
            note_refused(exc, RefusedRow(index, parameter, member))
        elif index >= 0 and is_deadlock and isinstance(again, asyncpg.UniqueViolationError):
            note_refused(again, RefusedRow(index, parameter, member))
            raise again from exc
    except Exception:
        doom(tx)  # the connection is lost, or was too slow: the failure that was is answered
    else:
        doom(tx)
