"""`RateMeters`: counts requests by all rate limits of one service, also in metrics.

Filled at start-up; `count` and `count_shared` run per request.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Final

from msframework.limits.rate import RatePolicy
from msframework.limits.store import SharedStore
from msframework.limits.windows import RateCount, WindowCounter
from msframework.metrics import Family, MetricFacts, Metrics
from msframework.metrics.facts import MetricKind

MEMORY: Final = "memory://"
REQUESTS: Final = MetricFacts(
    "msframework_rate_limit_requests_total",
    MetricKind.COUNTER,
    "Requests that a rate limit counted, by policy and outcome: allowed or limited.",
    ("policy", "outcome"),
)
FALLBACKS: Final = MetricFacts(
    "msframework_rate_limit_fallback_total",
    MetricKind.COUNTER,
    "Requests that a worker counted in memory, as the store of rate limits was away.",
    ("policy",),
)


class RateMeter:
    """Counts requests by one policy, in memory and in metrics."""

    __slots__ = (
        "_allowed",
        "_cost",
        "_counter",
        "_fallbacks",
        "_limited",
        "item",
        "name",
        "policy",
    )

    def __init__(
        self, policy: RatePolicy, counter: WindowCounter, requests: Family, fallbacks: Family
    ) -> None:
        self.policy, self.name, self.item = policy, policy.name, policy.item
        self._counter, self._cost = counter, policy.cost
        self._allowed = requests.series(policy.name, "allowed")
        self._limited = requests.series(policy.name, "limited")
        self._fallbacks = fallbacks.series(policy.name)

    def count(self, key: bytes) -> RateCount:
        """Count a request of the caller *key* in memory."""
        found = self._counter.take(key, self._cost, monotonic())
        if found[0]:
            self._allowed.add()
        else:
            self._limited.add()
        return found

    def fall_back(self, key: bytes) -> RateCount:
        """Count a request in memory, as the store is away."""
        self._fallbacks.add()
        return self.count(key)

    def note(self, found: RateCount) -> RateCount:
        """Count the outcome *found* of the store in the metrics, and return it."""
        (self._allowed if found[0] else self._limited).add()
        return found


class RateMeters:
    """The meters of one service.

    Attributes:
        store: the store in which all workers count together; `None` where each counts in memory.
    """

    def __init__(self, storage: str, service_name: str) -> None:
        self.store = None if storage == MEMORY else SharedStore(storage, service_name)
        self._counters: dict[tuple[str, int], WindowCounter] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its policies."""
        return tuple(dict.fromkeys(name for name, _ in self._counters))

    @property
    def is_used(self) -> bool:
        """Whether any operation has a limit."""
        return bool(self._counters)

    def add(self, policies: Sequence[RatePolicy], metrics: Metrics) -> tuple[RateMeter, ...]:
        """Return the meters of *policies*; those of one name and amount share a budget."""
        requests, fallbacks = metrics.register(REQUESTS), metrics.register(FALLBACKS)
        if self.store is not None:
            self.store.is_used = True
        return tuple(
            RateMeter(policy, self._counter(policy), requests, fallbacks) for policy in policies
        )

    def forget(self) -> None:
        """Forget the counts in memory, as before each test of a project."""
        for counter in self._counters.values():
            counter.forget()

    def _counter(self, policy: RatePolicy) -> WindowCounter:
        key = (policy.name, policy.amount)
        found = self._counters.get(key)
        if found is None:
            found = self._counters[key] = WindowCounter(policy.amount, policy.window)
        return found

    async def count_shared(
        self, meters: Sequence[RateMeter], keys: Sequence[bytes]
    ) -> list[RateCount]:
        """Count a request in the store, or in memory while that is away."""
        store = self.store
        assert store is not None
        asked = [(meter.policy, key) for meter, key in zip(meters, keys, strict=True)]
        found = await store.take(asked)
        if found is None:
            return [meter.fall_back(key) for meter, key in zip(meters, keys, strict=True)]
        return [meter.note(each) for meter, each in zip(meters, found, strict=True)]
