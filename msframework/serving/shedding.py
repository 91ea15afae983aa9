"""Refuses requests that a worker has no room for, by a 503 that costs little, before all else.

`Shedding` is a part of a service with `SHEDDING`. Its `serve` and `admit` run per request that is
beyond `ServerState.free`, and for some others, whose latency they measure; `_tick` runs 20 times a
second.
"""

from __future__ import annotations

import functools
import inspect
import logging
from asyncio import TimerHandle, get_running_loop
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, Protocol

from msframework.envelope import Envelope
from msframework.errors import ErrorAnswers, is_users
from msframework.exceptions import Overloaded
from msframework.limits.concurrency import Baseline, ConcurrencyLimit
from msframework.limits.patience import Patience
from msframework.limits.priority import NORMAL, SHARES
from msframework.metrics import Metrics
from msframework.operation import Operation
from msframework.serving.answer import Answer
from msframework.serving.arrival import seconds_since_data
from msframework.serving.backlog import Backlog
from msframework.serving.request import LeanRequest, Request
from msframework.types import Handler, PathValues

logger = logging.getLogger("msframework.server")

TICK: Final = 0.05
_TICKS_OF_WINDOW: Final = 2
_SAMPLES: Final = 32  # requests of each window that are measured, of those with room
_LOG_EVERY: Final = 10.0  # seconds


class Occupancy(Protocol):
    """How full a worker is.

    Attributes:
        in_flight: the requests that are handled now.
        free: up to how many of them nothing is asked here.
    """

    in_flight: int
    free: int
    stopping: bool
    backlog: Backlog


@dataclass(slots=True, eq=False)
class OperationLoad:
    """One operation, as shedding knows it.

    Attributes:
        refuse: what makes its refusal; `None` where that depends on the request.
    """

    envelope: Envelope | None = None
    refuse: Callable[[Request], Answer] | None = None
    priority: str = NORMAL
    share: float = 1.0
    baseline: Baseline = field(default_factory=Baseline)


# A request on Sanic's path: when it was admitted, as one of how many, and in which era.
_Timed = tuple[OperationLoad, float, int, int]


class Shedding:
    """The admission of requests to one worker.

    Attributes:
        refused: how many were refused, by reason and priority.
    """

    def __init__(
        self,
        occupancy: Occupancy,
        failures: ErrorAnswers,
        finish: Callable[[Any, Any], None] | None,
        *,
        least: int,
    ) -> None:
        """Take in the state of a service that is not served yet.

        Args:
            finish: what notes the end of a request on the fast path.
            least: how many requests are never too many.
        """
        self._occupancy, self._failures, self._finish = occupancy, failures, finish
        self._limit = ConcurrencyLimit(least=least)
        self._patience = Patience()
        # What is no operation: static files, websockets, streams, documents, unknown paths.
        self._others = OperationLoad()
        self._least_share = 1.0
        self._aside: set[object] = set()
        self._handled: set[object] = set()  # those that Sanic handles
        self._timed: dict[object, _Timed] = {}
        self._samples = self._ticks = 0
        self._due = self._logged = 0.0
        self._unlogged = 0
        self._timer: TimerHandle | None = None
        self.refused: Counter[tuple[str, ...]] = Counter()

    @property
    def limit(self) -> int:
        """How many requests may be in flight."""
        return self._limit.value

    def load_of(self, operation: Operation) -> OperationLoad:
        """Return the load of *operation*, for its route."""
        share = SHARES[operation.priority]
        self._least_share = min(self._least_share, share)
        envelope = operation.envelope or self._failures.envelope
        refuse = self._failures.prebuild(envelope, Overloaded())
        return OperationLoad(envelope, refuse, operation.priority, share)

    def register(self, metrics: Metrics) -> None:
        """Show what is refused, and the limit, among *metrics*."""
        metrics.counter(
            "msframework_requests_shed_total",
            "Requests refused by SHEDDING, by reason (concurrency or delay) and priority.",
            ("reason", "priority"),
            read=lambda: self.refused,
        )
        metrics.gauge(
            "msframework_concurrency_limit",
            "Requests that may be in flight with SHEDDING, of all workers together.",
            read=lambda: self.limit,
        )

    # A part of the service.

    async def start(self) -> None:
        """Watch the loop from now on."""
        self._plan()

    async def stop(self) -> None:
        """Let every request pass from now on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan(self) -> None:
        self._due = monotonic() + TICK
        self._timer = get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        now = monotonic()
        self._patience.observe(now - self._due)
        self._ticks += 1
        # NOTE: though the loop is punctual: in turns of 1.6 ms, 300 would wait for half a second.
        if not self._occupancy.stopping:
            self._occupancy.backlog.accept()
        if self._ticks % _TICKS_OF_WINDOW == 0:
            self._limit.update()
            self._samples = _SAMPLES
        self._open()
        self._plan()
        if self._unlogged and now - self._logged >= _LOG_EVERY:
            text = "%d requests were refused: more came than this worker can serve"
            logger.warning(text, self._unlogged)
            self._logged, self._unlogged = now, 0

    def _open(self) -> None:
        """Say up to how many in flight a request needs no look."""
        if self._samples > 0 or self._patience.is_watching:
            self._occupancy.free = -1
        else:
            self._occupancy.free = int(self._limit.value * self._least_share) + len(self._aside)

    # The fast path.

    async def serve(self, request: Request, handler: Handler, params: PathValues) -> Any:
        """Run *handler*, and measure it; or return the refusal."""
        load = self._load_at(request.route, request.method)
        reason = self._judge(request, load)
        if reason is not None:
            answer = await self._refuse(request, load, reason)
            if self._finish is not None:
                self._finish(request, answer)
            return answer
        limit, begun = self._limit, monotonic()
        among, era = self._occupancy.in_flight - len(self._aside), limit.era
        answer = await handler(request, **params)
        if answer.__class__ is Answer and answer.status < 400 and not request.responded:
            limit.note(load.baseline, monotonic() - begun, among, era)
        return answer

    def _judge(self, request: Any, load: OperationLoad) -> str | None:
        """Return the reason why there is no room for *request*, if any."""
        if self._occupancy.in_flight - len(self._aside) > self._limit.value * load.share:
            self._limit.is_met = True
            return "concurrency"
        patience, protocol = self._patience, getattr(request.stream, "protocol", None)
        waited = 0.0
        if protocol:
            waited = monotonic() - protocol._time
            if patience.stays_late and protocol.state["requests_count"] <= 1:
                # A new connection may have waited for several turns until it was accepted.
                waited = max(waited, seconds_since_data(protocol.transport))
        if patience.is_over(waited, load.share):
            return "delay"
        self._samples -= 1
        if self._samples <= 0 and not patience.is_late(waited):
            self._open()
        return None

    async def _refuse(self, request: Any, load: OperationLoad, reason: str) -> Any:
        self.refused[reason, load.priority] += 1
        self._unlogged += 1
        failures = self._failures
        if load.refuse is not None and not is_users(request.app.error_handler):
            return load.refuse(request)
        envelope = load.envelope
        if envelope is None:
            envelope = failures.templates.envelope_of(request.method, request.path)
        return await failures.answer(request, Overloaded(), {}, envelope)

    # Sanic's path.

    async def admit(self, request: Any) -> Any:
        """Return the refusal of *request*, which Sanic is about to handle; `None` if it may be."""
        load = self._find(request)
        if load is None:
            return None
        reason = self._judge(request, load)
        if reason is not None:
            return await self._refuse(request, load, reason)
        if load is not self._others and not getattr(request.stream, "request_body", None):
            among = self._occupancy.in_flight - len(self._aside)
            self._timed[request] = (load, monotonic(), among, self._limit.era)
        return None

    def _find(self, request: Any) -> OperationLoad | None:
        """Return the load of the operation that *request* is for; `None` for a probe."""
        try:
            host = request.headers.getone("host", None)
            route = request.app.router.get(request.path, request.method, host)[0]
        except Exception:  # Sanic answers for it
            return self._others
        if getattr(route.handler, "__msframework_probe__", False):  # of `operations.mount`
            return None
        return self._load_at(route, request.method)

    def _load_at(self, route: Any, method: str) -> OperationLoad:
        loads = getattr(route.extra, "loads", None)
        return self._others if loads is None else loads.get(method, self._others)

    def begin(self, request: object) -> None:
        """Note that Sanic handles *request* from now on."""
        self._handled.add(request)

    def set_aside(self, request: object) -> None:
        """Leave *request* out of account: it waits for its client, or lasts as long as that.

        NOTE: after the end of its handler nothing would take it back.
        """
        if request in self._handled or request.__class__ is LeanRequest:
            self._aside.add(request)
            self._open()

    def leave_out(self, handler: Handler) -> Handler:
        """Return *handler*, that of a stream or of static files, whose requests are set aside."""

        @functools.wraps(handler)
        async def handle_aside(request: Request, *args: object, **path: object) -> Any:
            self.set_aside(request)
            answer = handler(request, *args, **path)
            return await answer if inspect.isawaitable(answer) else answer

        return handle_aside

    def take_back(self, request: object) -> None:
        """Take *request* into account again."""
        self._aside.discard(request)
        self._open()

    def end(self, request: Any, response: Any) -> None:
        """Note that *request* has its answer, which is about to be sent on Sanic's path."""
        timed = self._timed.pop(request, None)
        if timed is not None and response.__class__ is Answer and response.status < 400:
            load, begun, among, era = timed
            self._limit.note(load.baseline, monotonic() - begun, among, era)
        if request in self._handled:
            self.set_aside(request)

    def forget(self, request: object) -> None:
        """Forget *request*, whose handler is over."""
        self._handled.discard(request)
        self._timed.pop(request, None)
        self.take_back(request)
