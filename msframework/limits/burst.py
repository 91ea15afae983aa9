"""Requests that wait for room: a burst is served a little later, and an overload is refused.

Both begin alike. What tells them apart is whether the queue goes away again (CoDel, RFC 8289): as
long as it does in time, those without room wait, and the newest gets in first, so that what is
answered is answered soon whichever it turns out to be (adaptive LIFO [1]). A queue that stands for
too long, or is too long, is closed: those in it are refused, and those that come too, until there
was room for everybody for some time.

Runs per request without room, and several times a second; it knows of no clock.

[1] B. Maurer: Fail at Scale. ACM Queue 13 (8), 2015.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from msframework.limits.priority import SHARES

LONGEST: Final = 2.0  # seconds that a queue may stand, and that one request waits at most
_MOST: Final = 256  # requests in it
_REST: Final = 1.0  # seconds without a queue, until there may be one again

Waiter = TypeVar("Waiter")


class BurstQueue(Generic[Waiter]):
    """The requests that wait until there is room for them, those that matter most first."""

    def __init__(self, *, longest: float = LONGEST, most: int = _MOST, rest: float = _REST) -> None:
        self._longest, self._most, self._rest = longest, most, rest
        self._stacks: dict[str, dict[Waiter, None]] = {priority: {} for priority in SHARES}
        self._since: float | None = None
        self._closed_until = 0.0

    def __len__(self) -> int:
        return sum(map(len, self._stacks.values()))

    def add(self, waiter: Waiter, priority: str, now: float) -> bool:
        """Have *waiter* wait, and return whether it may."""
        if self._is_closed(now):
            self._closed_until = now + self._rest
            return False
        if self._since is None:
            self._since = now
        self._stacks[priority][waiter] = None
        return True

    def discard(self, waiter: Waiter, priority: str) -> None:
        """Forget *waiter*, which waits no more."""
        self._stacks[priority].pop(waiter, None)

    def take(self, occupied: int, limit: int) -> Waiter | None:
        """Return the next one, if there is room for it beside *occupied* of *limit*."""
        for priority, stack in self._stacks.items():
            if stack and occupied < limit * SHARES[priority]:
                return stack.popitem()[0]
        return None

    def observe(self, now: float) -> list[Waiter]:
        """Return those that are to be refused, as this is no burst: all or none."""
        if not self:
            self._since = None
        elif self._is_closed(now):
            self._closed_until = now + self._rest
            return self.clear()
        return []

    def _is_closed(self, now: float) -> bool:
        """Return whether the queue is too long, or stood for too long, or was so a while ago."""
        return (
            now < self._closed_until
            or len(self) >= self._most
            or (self._since is not None and now - self._since >= self._longest)
        )

    def clear(self) -> list[Waiter]:
        """Return all that wait, and forget them."""
        everybody = [waiter for stack in self._stacks.values() for waiter in stack]
        for stack in self._stacks.values():
            stack.clear()
        self._since = None
        return everybody
