"""How many requests a worker may have in flight: a limit that follows their latency.

By Little's law, what waits in a server at a constant rate is in proportion to how long it waits
[1]. So the limit is the number of requests at which the time that they queue would be the allowed
one: a gradient of allowed over measured latency, as in Netflix's concurrency limits [2], whose
queueing delay is, as in TCP Vegas [3], the latency beyond that without load. As the delay of
CoDel [4], it matters only while it stands: nothing is lowered as long as nobody met the limit.

`note` runs per measured request, `update` several times a second; neither knows of a clock.

[1] J. D. C. Little: A Proof for the Queuing Formula L = λW. Operations Research 9 (3), 1961.
[2] https://github.com/Netflix/concurrency-limits, `Gradient2Limit`
[3] L. Brakmo, L. Peterson: TCP Vegas. IEEE Journal on Selected Areas in Communications 13, 1995.
[4] K. Nichols et al.: Controlled Delay Active Queue Management. RFC 8289, 2018.
"""

from __future__ import annotations

from typing import Final

ALLOWED_DELAY: Final = 0.1  # seconds that requests may queue, or as long as they take without load
FEWEST_SAMPLES: Final = 8
_STEEPEST: Final = 2.0  # how much one window may change the limit
_STEADY: Final = 0.9  # changes that are smaller are smoothed
_FALLEN: Final = 0.75  # of the requests, after which ...
_SAME: Final = 0.9  # ... so much of the latency says that they wait in no queue
_UNKNOWN: Final = 8  # how many times the start may be in flight before the first answers
_RETURN: Final = 1.005  # how much a window without load changes it


class Baseline:
    """The latency of one operation without load, and its samples of this window.

    Each operation has its own, so that a shift from fast ones to slow ones is no overload.
    """

    __slots__ = ("count", "latency", "total")

    def __init__(self) -> None:
        self.latency: float | None = None
        self.count = 0
        self.total = 0.0

    def learn(self, *, loaded: bool) -> None:
        """Move towards the mean of the window, which under load can only be too high."""
        mean = self.total / self.count
        if self.latency is None:
            self.latency = mean
        elif mean < self.latency:
            self.latency += (mean - self.latency) / 4
        elif not loaded:
            self.latency += (mean - self.latency) / 8

    def reset(self) -> None:
        """Begin a new window."""
        self.count, self.total = 0, 0.0


class ConcurrencyLimit:
    """The number of requests that may be in flight.

    Attributes:
        value: the limit.
        is_met: whether somebody met it in this window.
        era: a number that changes when the limit is lowered. Whoever is admitted takes it along.
    """

    def __init__(
        self,
        *,
        least: int = 16,
        start: int = 80,
        most: int = 100_000,
        delay: float = ALLOWED_DELAY,
    ) -> None:
        """Begin at *start*.

        Args:
            least: the least limit; one below what works in parallel would leave something idle.
            start: the limit until there was load, and again some time after it.
            most: the greatest limit.
            delay: seconds that requests may queue.
        """
        self._least, self._start, self._most = least, max(start, least), most
        self._delay = delay
        self.value = self._start
        self.is_met = False
        self.era = 0
        self._exact = float(self._start)
        self._sampled: list[Baseline] = []
        self._in_flight = 0
        # In-flight and latency when the limit was last seen to help.
        self._before: tuple[float, float] | None = None

    def note(self, baseline: Baseline, latency: float, in_flight: int, era: int) -> None:
        """Note a request that took *latency* seconds, admitted as one of *in_flight* in *era*.

        One that was admitted by a higher limit tells nothing of the present one.
        """
        if era != self.era:
            return
        if not baseline.count:
            self._sampled.append(baseline)
        baseline.count += 1
        baseline.total += latency
        self._in_flight += in_flight

    def update(self) -> None:
        """End the window, unless it has too few samples to say anything."""
        count = sum(baseline.count for baseline in self._sampled)
        if count < FEWEST_SAMPLES:
            if self.is_met and not count and not self.era:
                # Nobody has been answered yet, so nothing says that these are too many.
                self._set(min(self._exact * _STEEPEST, _UNKNOWN * self._start))
            return
        in_flight, latency, unloaded = self._in_flight / count, 0.0, 0.0
        for baseline in self._sampled:
            known = baseline.latency
            latency += baseline.total / count
            unloaded += baseline.total / count if known is None else known * baseline.count / count
        for baseline in self._sampled:
            baseline.learn(loaded=in_flight > self._least)
        if self.is_met:
            self._follow(in_flight, latency, unloaded)
        else:
            self._return(in_flight)
        for baseline in self._sampled:
            baseline.reset()
        self._sampled.clear()
        self._in_flight, self.is_met = 0, False

    def _return(self, in_flight: float) -> None:
        """Move a little towards the start, as nobody met the limit."""
        self._before = None
        if self._exact < self._start:
            self._set(min(self._start, self._exact * _RETURN))
        elif in_flight < self._exact / 2:
            self._set(max(self._start, self._exact / _RETURN))

    def _follow(self, in_flight: float, latency: float, unloaded: float) -> None:
        """Move to where requests would queue for as long as is allowed."""
        allowed = unloaded + max(self._delay, unloaded)
        latency = latency or 1e-9
        if latency > allowed and self._is_in_vain(in_flight, latency):
            for baseline in self._sampled:
                baseline.latency = baseline.total / baseline.count
            self._set(2 * _STEEPEST * max(self._exact, in_flight))
            return
        among = min(in_flight, self._exact)
        if latency <= allowed:
            if in_flight < self._exact / 2:
                return  # they were admitted long before the limit was met, and say nothing of it
            among = self._exact
        aim = min(max(among * allowed / latency, self._exact / _STEEPEST), self._exact * _STEEPEST)
        if aim < _STEADY * self._exact:
            self.era += 1
        elif aim < self._exact / _STEADY:
            aim = (self._exact + aim) / 2
        self._set(aim)

    def _is_in_vain(self, in_flight: float, latency: float) -> bool:
        """Return whether fewer requests are as slow as many were: then they wait in no queue.

        What they need has become slower, and a lower limit would only waste what it could do.
        """
        if self._before is None or in_flight > _FALLEN * self._before[0]:
            self._before = (in_flight, latency)
            return False
        is_in_vain = latency > _SAME * self._before[1]
        self._before = None if is_in_vain else (in_flight, latency)
        return is_in_vain

    def _set(self, limit: float) -> None:
        self._exact = min(max(limit, self._least), self._most)
        self.value = round(self._exact)
