"""Services that exist only in a virtual time, to try limits on: pools, loops, arrivals."""

import heapq
import random
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from statistics import quantiles

from msframework.limits.concurrency import Baseline, ConcurrencyLimit

WINDOW = 0.1


@dataclass
class Kind:
    """An operation: how long it takes, its share of the requests, and the pool that it needs."""

    time: object  # seconds, or a function of the time of day
    share: float = 1.0
    pool: int | None = 10
    baseline: Baseline = field(default_factory=Baseline)

    def need(self, now, chance):
        """Return the seconds that one request works."""
        mean = self.time(now) if callable(self.time) else self.time
        return mean * chance.uniform(0.8, 1.2)


@dataclass
class Course:
    """What happened: when each request came, and how long it took; `None` if it was refused."""

    outcomes: list = field(default_factory=list)
    limits: list = field(default_factory=list)

    def between(self, start, end):
        """Return the part of the requests that came in that time."""
        return Course([each for each in self.outcomes if start <= each[0] < end])

    @property
    def refused(self):
        """How many were refused."""
        return sum(taken is None for _, taken in self.outcomes)

    @property
    def taken(self):
        """The latencies of those that were accepted."""
        return [taken for _, taken in self.outcomes if taken is not None]

    @property
    def p99(self):
        """Their 99th percentile."""
        return quantiles(self.taken, n=100)[98]


def simulate(rate, kinds, *, seconds, limit=None, seed=1):
    """Return the course of a service whose requests come at random, *rate* of them a second.

    Args:
        rate: a number, or a function of the time of day.
        kinds: its operations; those with the same size of pool share one.
    """
    limit = limit or ConcurrencyLimit(least=16)
    chance, tie = random.Random(seed), count()
    course, events = Course(), []
    free = {kind.pool: kind.pool for kind in kinds if kind.pool is not None}
    waiting = {size: deque() for size in free}
    in_flight = 0

    def plan(when, action, *arguments):
        heapq.heappush(events, (when, next(tie), action, arguments))

    def arrive(now):
        nonlocal in_flight
        plan(now + chance.expovariate(rate(now) if callable(rate) else rate), arrive)
        kind = chance.choices(kinds, [each.share for each in kinds])[0]
        if in_flight + 1 > limit.value:
            limit.is_met = True
            course.outcomes.append((now, None))
            return
        in_flight += 1
        work = (now, in_flight, limit.era, kind)
        if kind.pool is None or free[kind.pool]:
            begin(now, work)
        else:
            waiting[kind.pool].append(work)

    def begin(now, work):
        kind = work[-1]
        if kind.pool is not None:
            free[kind.pool] -= 1
        plan(now + kind.need(now, chance), end, work)

    def end(now, work):
        nonlocal in_flight
        came, among, era, kind = work
        in_flight -= 1
        course.outcomes.append((came, now - came))
        limit.note(kind.baseline, now - came, among, era)
        if kind.pool is not None:
            free[kind.pool] += 1
            if waiting[kind.pool]:
                begin(now, waiting[kind.pool].popleft())

    def tick(now):
        plan(now + WINDOW, tick)
        limit.update()
        course.limits.append((now, limit.value))

    plan(0.0, arrive)
    plan(WINDOW, tick)
    while events[0][0] < seconds:
        now, _, action, arguments = heapq.heappop(events)
        action(now, *arguments)
    return course
