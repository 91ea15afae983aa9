"""How long a request may have waited for the loop before it is begun.

Where a processor is what is scarce, few requests are in flight: the others wait until the loop
comes to them, and each of its turns takes longer, as more of them are ready. A delay alone may be
one slow function; a delay in which many requests are begun is a queue, whose target is that of
`concurrency` (CoDel, RFC 8289). Those are begun that have waited little, and the newest of a turn
are refused; a few are begun however long they waited, fewer of them while a queue stands.

`observe` runs several times a second, `is_over` per request while `is_watching` and for samples
before; neither knows of a clock or a loop.
"""

from __future__ import annotations

from typing import Final

from msframework.limits.concurrency import ALLOWED_DELAY

_CALM: Final = 2  # observations without delay in a row, which end it
_FEWEST: Final = 8  # requests that are begun after any delay, however long each takes
_FEWEST_QUEUED: Final = 4  # the same while a queue stands: many were begun during the delay


class Patience:
    """The time that requests may wait for the loop.

    Attributes:
        is_watching: whether the loop is late, and each request has to be asked about.
        stays_late: whether it was late at the last two observations, or at the last one after a
            request had been refused.
        begun: the requests that were asked about and begun since the last observation.
    """

    def __init__(self, delay: float = ALLOWED_DELAY) -> None:
        self._delay = delay
        self._calm = 0
        self._was_late = False
        self._fewest = _FEWEST
        self.is_watching = self.stays_late = False
        self.begun = 0

    def observe(self, lag: float) -> None:
        """Take in that the loop was *lag* seconds late."""
        is_late = self.is_late(lag)
        self._fewest = _FEWEST_QUEUED if is_late and self.begun >= self._fewest else _FEWEST
        self.begun = 0
        self.stays_late = is_late and self._was_late
        self._was_late = is_late
        if is_late:
            self.is_watching, self._calm = True, 0
        elif lag < self._delay / 8:
            self._calm += 1
            if self._calm >= _CALM:
                self.is_watching = False

    def is_late(self, waited: float) -> bool:
        """Return whether others may soon wait too long, where one *waited* so many seconds."""
        return waited > self._delay / 4

    def is_over(self, waited: float, share: float = 1.0) -> bool:
        """Return whether a request that *waited* so many seconds is too late; else it is begun.

        Args:
            share: how much longer or shorter than others it may wait.
        """
        if waited > self._delay * share and self.begun >= self._fewest:
            self.is_watching = self._was_late = True
            self._calm = 0
            return True
        self.begun += 1
        return False
