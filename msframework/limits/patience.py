"""How long a request may have waited for the loop before it is begun.

Where a processor is what is scarce, few requests are in flight: the others wait unread, and each
turn of the loop takes longer, as more of them are ready. A turn that is late once is a burst, or
somebody's slow function; a delay that stands for several turns is a queue (CoDel, RFC 8289). While
it stands, those are begun that have waited little, and the newest of a turn are refused.

`observe` runs several times a second; none of it knows of a clock or a loop.
"""

from __future__ import annotations

from math import inf
from typing import Final

from msframework.limits.concurrency import ALLOWED_DELAY

_STANDING: Final = 3  # observations in a row that make a delay a standing one
_CALM: Final = 2  # those without delay that end it
_FEWEST_WAITING: Final = 8  # requests that may wait, however long each takes


class Patience:
    """The seconds that a request may have waited.

    Attributes:
        value: the seconds; infinite as long as no delay stands.
        is_watching: whether the requests that are begun have to be counted.
    """

    def __init__(self, delay: float = ALLOWED_DELAY) -> None:
        self._delay = delay
        self.value = inf
        self.is_watching = False
        self._late = self._calm = 0

    def observe(self, lag: float, elapsed: float, begun: int) -> None:
        """Take in one observation.

        Args:
            lag: how late the loop was for it, in seconds.
            elapsed: the seconds since the last one.
            begun: the requests that were begun since then, counted while `is_watching`.
        """
        if lag > self._delay / 2:
            self._late += 1
            self._calm = 0
        elif lag < self._delay / 4:
            self._late = 0
            self._calm += 1
        if self.is_watching:
            if self._calm >= _CALM:
                self.is_watching, self.value = False, inf
            elif begun:
                self.value = max(self._delay, _FEWEST_WAITING * elapsed / begun)
        elif self._late >= _STANDING:
            self.is_watching = True
