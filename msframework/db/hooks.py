"""Callbacks around the COMMIT of a transaction: `before_commit` and `after_commit`.

Runs per request, only in transactions that have some.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from functools import partial

Callback = Callable[[], object]
Mark = tuple[int, int]

logger = logging.getLogger("msframework.db")


class CommitHooks:
    """The callbacks of one transaction, in the order in which they were registered."""

    __slots__ = ("after", "before")

    def __init__(self) -> None:
        self.before: list[Callback] = []
        self.after: list[Callback] = []

    def mark(self) -> Mark:
        """Return a place that `drop_from` goes back to."""
        return len(self.before), len(self.after)

    def drop_from(self, mark: Mark) -> None:
        """Forget the callbacks registered since *mark*: a savepoint was rolled back."""
        before, after = mark
        del self.before[before:]
        del self.after[after:]

    async def run_before(self) -> None:
        """Run the callbacks that belong to the transaction; a failure is the transaction's."""
        for callback in self.before:  # those that a callback registers run, too
            await _run(callback)

    async def run_after(self) -> None:
        """Run the callbacks that follow the COMMIT; a failure is logged, and the others run."""
        for callback in self.after:
            try:
                await _run(callback)
            except Exception:
                logger.exception("the after_commit callback %s failed", _name(callback))


async def _run(callback: Callback) -> None:
    result = callback()
    if inspect.isawaitable(result):
        await result


def _name(callback: object) -> str:
    """Return the name of *callback*, without its arguments, which are a row's values."""
    while isinstance(callback, partial):
        callback = callback.func
    return getattr(callback, "__qualname__", type(callback).__qualname__)
