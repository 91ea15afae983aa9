"""How long a request may have waited for the loop before it is begun.

Where a processor is what is scarce, few requests are in flight: the others wait until the loop
comes to them, and each of its turns takes longer, as more of them are ready. A delay alone may be
one slow function; a delay in which many requests are begun is a queue, whose target is that of
`concurrency` (CoDel, RFC 8289). Those are begun that have waited little, and the newest of a turn
are refused.

`observe` runs several times a second, `is_over` per request while `is_watching`; neither knows of a
clock or a loop.
"""

from __future__ import annotations

from typing import Final

from msframework.limits.concurrency import ALLOWED_DELAY

_CALM: Final = 2  # observations without delay in a row, which end it
_FEWEST: Final = 8  # requests that are begun in any case, however long each takes


class Patience:
    """The time that requests may wait for the loop.

    Attributes:
        is_watching: whether the loop is late, and each request has to be asked about.
        begun: the requests that were begun since the last observation.
    """

    def __init__(self, delay: float = ALLOWED_DELAY) -> None:
        self._delay = delay
        self._calm = 0
        self.is_watching = False
        self.begun = 0

    def observe(self, lag: float) -> None:
        """Take in that the loop was *lag* seconds late."""
        self.begun = 0
        if lag > self._delay / 2:
            self.is_watching, self._calm = True, 0
        elif lag < self._delay / 4:
            self._calm += 1
            if self._calm >= _CALM:
                self.is_watching = False

    def is_over(self, waited: float, share: float = 1.0) -> bool:
        """Return whether a request that *waited* so many seconds is too late; else it is begun.

        Args:
            share: how much longer or shorter than others it may wait.
        """
        if waited > self._delay * share and self.begun >= _FEWEST:
            return True
        self.begun += 1
        return False
