"""`WindowCounter`: what callers have used up, by a sliding window counter in this process.

A caller's window begins with its first request. What the caller uses counts in full in that window;
in the next one it counts by the share of the old window that is less than a window's length ago.
That is the sliding window counter of the library `limits`. It needs two numbers for each caller, an
exact count the time of each request. No window holds more than the amount; another interval of the
same length may hold nearly twice that, if a caller spends all of it at the end of a window.

Runs per request, and does not await, so that requests are counted one by one.
"""

from __future__ import annotations

from math import ceil
from typing import Final

# Whether the request is allowed, what is left of the caller's budget, and for how many seconds.
RateCount = tuple[bool, int, int]
# The begin of the current window, the use in the window before it, and the use in it.
Usage = list[float]

MOST_CALLERS: Final = 32_768  # callers with a budget of their own that are new in two windows
SLOTS: Final = 1_024  # budgets that further callers share


class WindowCounter:
    """The use of one budget by each caller, in bounded memory.

    New callers beyond `MOST_CALLERS` share `SLOTS` budgets. So callers with ever new addresses are
    limited, too, and known callers are not forgotten because of them.
    """

    __slots__ = ("_amount", "_ends", "_new", "_old", "_window", "most")

    def __init__(self, amount: int, window: int, *, most: int = MOST_CALLERS) -> None:
        self._amount, self._window, self.most = amount, window, most
        # The callers with a request since the last turn, and others with one in the turn before it.
        # A turn lasts two windows, so that no use is forgotten that still counts.
        self._new: dict[bytes | int, Usage] = {}
        self._old: dict[bytes | int, Usage] = {}
        self._ends = 0.0

    def take(self, key: bytes, cost: int, now: float) -> RateCount:
        """Use *cost* of the budget of the caller *key*, if that much is left; return the count.

        Args:
            now: the time of `time.monotonic()`.
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
        """Forget callers without a request in the last two windows."""
        self._old = self._new if now < self._ends + 2 * self._window else {}
        self._new = {}
        self._ends = now + 2 * self._window

    def _find(self, key: bytes, now: float) -> Usage:
        """Return the use of a caller without a request since the last turn."""
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
    """Return the whole seconds until *cost* fits into a budget, at least 1.

    Args:
        before: the use in the window before the current one.
        current: the use in the current window.
        left: the seconds that are left of the current window.
    """
    room = amount - cost - current
    if room >= 0:  # when enough of the window before has faded
        seconds = left - window * (room + 1) / before if before else 0.0
    else:  # in the next window, when enough of the current one has faded
        seconds = left + max(0.0, window - window * (amount - cost + 1) / current)
    return max(1, ceil(seconds))


def judge(
    amount: int, window: int, cost: int, allowed: bool, before: int, current: int, left: float
) -> RateCount:
    """Return the count of a caller whose use a store has counted; for the arguments see `wait`."""
    rest = int(amount - current - before * left // window)
    if allowed and rest > 0:
        return True, rest, ceil(left)
    return allowed, max(rest, 0), wait(amount, window, cost, before, current, left)
