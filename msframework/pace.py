"""`Pace`: long work beside requests, in pieces that none of them notices.

Used by the tasks that write access lines and export spans: they share the event loop with the
requests, and what runs between two turns of the loop is a delay for all that arrived meanwhile.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

# PERF: a time and no number of lines or spans: on a server that is half idle each takes three
# times as long as on one at its limit, as the caches hold other things by then
# (benchmarks/collectors.py).
PIECE_TIME: Final = 0.000_1


class Pace:
    """The time that a task has before it lets requests run."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = perf_counter() + PIECE_TIME

    async def rest(self) -> None:
        """Give the event loop a turn, if the last one was `PIECE_TIME` seconds ago."""
        if perf_counter() >= self._until:
            await asyncio.sleep(0)
            self._until = perf_counter() + PIECE_TIME
