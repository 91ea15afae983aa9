"""`WindowCounter`: what callers have used up, by a sliding window counter in this process.

A caller's window begins with its first request. What was used up in the present one counts in full,
what was in the one before by the share of it that is no longer ago than a window lasts: the rule of
the sliding window counter of the library `limits`, which needs two numbers for each caller, where
an exact one needs the time of each request. No window holds more than the amount; another stretch
of its length may hold up to twice that, where a caller spends all at the end of a window.

Runs per request, without awaiting: of two requests at once, one comes first.
"""

from __future__ import annotations

from math import ceil
from typing import Final

# Whether the request is allowed, what the caller has left, and for how many seconds.
RateCount = tuple[bool, int, int]
# The begin of the present window, what was used up in the one before, and in it.
Usage = list[float]

MOST_CALLERS: Final = 32_768  # that are new in two windows
SLOTS: Final = 1_024


class WindowCounter:
    """The use that the callers of one budget have made of it, in bounded memory.

    New callers beyond `MOST_CALLERS` share budgets, `SLOTS` in all: who comes from ever new
    addresses is limited, and nobody who was known is forgotten for it.
    """

    __slots__ = ("_amount", "_ends", "_new", "_old", "_window", "most")

    def __init__(self, amount: int, window: int, *, most: int = MOST_CALLERS) -> None:
        self._amount, self._window, self.most = amount, window, most
        # Those who asked since the last turn, and those who only did in the time before it. A turn
        # comes with every second window, so nobody is forgotten who still counts.
        self._new: dict[bytes | int, Usage] = {}
        self._old: dict[bytes | int, Usage] = {}
        self._ends = 0.0

    def take(self, key: bytes, cost: int, now: float) -> RateCount:
        """Use up *cost* of the budget of the caller *key*, where that much is left.

        Args:
            now: a time of the monotonic clock.
        """
        amount, window = self._amount, self._window
        if now >= self._ends:
            self._turn(now)
        usage = self._new.get(key) or self._find(key, now)
        begin, before, current = usage
        left = begin + window - now
        if left <= 0:
            gone = left <= -window
            begin, before, current = (now, 0, 0) if gone else (begin + window, current, 0)
            usage[:] = begin, before, current
            left = begin + window - now
        rest = int(amount - current - (before * left // window if before else 0))
        if rest < cost:
            return False, max(rest, 0), wait(amount, window, cost, before, current, left)
        usage[2] = current = current + cost
        rest -= cost
        if rest:
            return True, rest, ceil(left)
        return True, 0, wait(amount, window, cost, before, current, left)

    def forget(self) -> None:
        """Forget all callers."""
        self._new, self._old, self._ends = {}, {}, 0.0

    def _turn(self, now: float) -> None:
        """Forget those who have not asked for the length of two windows."""
        self._old = self._new if now < self._ends + 2 * self._window else {}
        self._new = {}
        self._ends = now + 2 * self._window

    def _find(self, key: bytes, now: float) -> Usage:
        """Return the use of a caller who has not asked since the last turn."""
        known, room = self._old.get(key), self.most - len(self._new)
        if known is not None:
            if room > -self.most:
                self._new[key] = known
            return known
        if room > 0:
            return self._new.setdefault(key, [now, 0, 0])
        slot = int.from_bytes(key[:2], "big") % SLOTS
        return self._new.setdefault(slot, self._old.get(slot, [now, 0, 0]))

    def __len__(self) -> int:
        return len(self._new) + len(self._old)


def wait(amount: int, window: int, cost: int, before: float, current: float, left: float) -> int:
    """Return in how many whole seconds *cost* fits into a budget, one at the least.

    Args:
        before: what was used up in the window before.
        current: what is used up in the present one.
        left: the seconds that are left of it.
    """
    room = amount - cost - current
    if room >= 0:  # as soon as the window before is far enough away
        seconds = left - window * (room + 1) / before if before else 0.0
    else:  # when the present one is the one before
        seconds = left + max(0.0, window - window * (amount - cost + 1) / current)
    return max(1, ceil(seconds))


def judge(
    amount: int, window: int, cost: int, allowed: bool, before: int, current: int, left: float
) -> RateCount:
    """Return the count of a caller, where a store has counted what is used up."""
    rest = int(amount - current - before * left // window)
    if allowed and rest > 0:
        return True, rest, ceil(left)
    return allowed, max(rest, 0), wait(amount, window, cost, before, current, left)
