"""The state of a service that is served: its heads, limits, budgets and its fast path.

Built at start-up; `open` runs when a worker starts, `sign` per answer of Sanic's.
"""

from __future__ import annotations

import sys
from asyncio import CancelledError, current_task
from dataclasses import dataclass, field
from typing import Any

from sanic.http import Stage
from sanic.response import HTTPResponse

from msframework.aio import is_failure
from msframework.conf.settings import Settings
from msframework.envelope import read_envelope
from msframework.errors import ErrorAnswers
from msframework.limits.meter import RateMeters
from msframework.log.access import AccessLog
from msframework.metrics import Metrics
from msframework.metrics.requests import RequestCounter
from msframework.observer import Observer
from msframework.serving.accept import Accept, build_accept, supports_fast_path
from msframework.serving.answer import Heads
from msframework.serving.backlog import Backlog
from msframework.serving.bodies import Bodies
from msframework.serving.connections import ConnectionBound, build_refusal
from msframework.serving.cors import CrossOrigin, build_cross_origin
from msframework.serving.descriptors import choose_most
from msframework.serving.head import HeadLimits
from msframework.serving.hosts import Hosts, build_hosts
from msframework.serving.outbox import Outbox
from msframework.serving.rates import tell_rates
from msframework.serving.request import Request
from msframework.serving.shedding import Shedding
from msframework.serving.timeouts import ConnectionWatch
from msframework.serving.tls import ServerTLS
from msframework.serving.transport import add_transport_security, plain_headers
from msframework.tracing import Tracer
from msframework.types import Handler, Part


@dataclass(slots=True, eq=False)
class ServerState:
    """The state that the requests and connections of one service share.

    Attributes:
        heads: the heads of its answers.
        failures: the answers to exceptions, which are reported.
        observer: the end of each request: spans and access lines.
        hosts: the names that it answers to; `None` for any.
        cors: the sharing of its answers with pages of other origins; `None` without any.
        rates: the counts of its rate limits.
        trusts_request_id: whether the `X-Request-ID` of a caller is taken over.
        accept: the function that takes a request for the fast path; set while `lean`.
        lean: whether the fast path is open.
        methods: those that some path has, once it serves.
        signals: Sanic's signals that have a handler of the user's.
        is_heard: whether some of them are about connections and requests.
        backlog: the connections that wait to be accepted.
        in_flight: how many requests are handled now: on the fast path while their handler runs, on
            Sanic's from their head to the end of their answer, streams and websockets too.
        free: up to how many of them a request is served without a look at the load.
        shedding: the admission of requests beyond that; `None` where all are admitted.
        stopping: whether answers already say `Connection: close`.
        stops_parts: whether parts stop as a listener of Sanic's, rather than after all of them.
        bound: the bound on the connections.
        tls: the TLS that connections begin with; `None` for plain HTTP.
    """

    heads: Heads
    failures: ErrorAnswers
    observer: Observer
    hosts: Hosts | None
    head_limits: HeadLimits
    watch: ConnectionWatch
    bound: ConnectionBound
    bodies: Bodies
    trusts_request_id: bool
    rates: RateMeters
    outbox: Outbox = field(default_factory=Outbox)
    cors: CrossOrigin | None = None
    accept: Accept = field(init=False)
    lean: bool = False
    methods: tuple[str, ...] = ()
    signals: frozenset[str] = frozenset()
    is_heard: bool = False
    backlog: Backlog = field(default_factory=Backlog)
    in_flight: int = 0
    free: int = sys.maxsize
    shedding: Shedding | None = None
    stopping: bool = False
    stops_parts: bool = True
    tls: ServerTLS | None = None

    def build_parts(self, metrics: Metrics) -> list[Part]:
        """Return the parts of serving; what they count is registered in *metrics*."""
        if self.shedding is None:
            return [self.heads.clock]
        self.shedding.register(metrics)
        return [self.heads.clock, self.shedding]

    def close_routes(self, service: Any) -> None:
        """Give the answers of *service*, whose routes are all there, what browsers look for."""
        settings = service.settings.server
        self.heads.varying = None  # as the routes of a service that is amended are closed again
        self.cors = build_cross_origin(service)
        if self.cors is not None:
            self.cors.begin()
            add_transport_security(self.cors.preflights, settings)
        add_transport_security(self.heads, settings)
        if self.rates.is_used:
            tell_rates(self.heads)

    def open(self, service: Any, handlers: frozenset[Handler]) -> None:
        """Note whether *service*, whose routes are closed, has a fast path, and the routes on it.

        Args:
            service: the service.
            handlers: the compiled handlers.
        """
        self.signals = frozenset(
            signal.name for signal in service.signal_router.routes if signal.handler
        )
        refusal = build_refusal(self.heads, self.failures.envelope)
        self.bound.open(choose_most(service.settings), refusal)
        self.is_heard = any(name.startswith("http.") for name in self.signals)
        usual = service.request_class is Request and bool(service.config.KEEP_ALIVE)
        self.lean = self.heads.fast and usual and not self.is_heard
        if self.lean:
            self.accept = build_accept(
                service.router,
                handlers,
                largest=service.config.REQUEST_MAX_SIZE,
                limits=self.head_limits,
                hosts=self.hosts,
                trusts_request_id=self.trusts_request_id,
            )

    def has_signal(self, event: str) -> bool:
        """Whether the user registered a handler for one of Sanic's signals."""
        return event in self.signals or f"{event.rpartition('.')[0]}.*" in self.signals

    def begin(self, request: object) -> None:
        """Note that Sanic handles *request* from now on, until `forget`."""
        if self.shedding is not None:
            self.shedding.begin(request)

    def set_aside(self, request: object) -> None:
        """Note that *request* waits for its client, or lasts as long as that likes."""
        if self.shedding is not None:
            self.shedding.set_aside(request)

    def take_back(self, request: object) -> None:
        """Note that *request* is our business again."""
        if self.shedding is not None:
            self.shedding.take_back(request)

    def forget(self, request: object) -> None:
        """Forget that *request*, whose handler is over, lasted as long as its client liked."""
        if self.shedding is not None:
            self.shedding.forget(request)

    async def end_cancelled(self, request: Any, exc: CancelledError) -> None:
        """End a request whose handler was cancelled; if only by itself, it failed."""
        stream = request.stream
        has_begun = stream is not None and stream.stage is Stage.RESPONSE
        is_there = has_begun and not request.conn_info.lost
        if is_there and is_failure(exc, current_task()):
            await self.failures.break_off(request, exc)
        else:
            self.observer.end_cancelled(request, exc)

    def sign(self, request: Any, response: HTTPResponse) -> None:
        """Give an answer the headers of all answers.

        While the service stops it says `close`, unless the next request has arrived already.
        """
        stream = request.stream
        if self.stopping and stream is not None and not stream.recv_buffer:
            stream.keep_alive = False
        self.observer.sign(request, response)
        if self.shedding is not None:
            self.shedding.end(request, response)


# The least limit, over the connections of the pools: what works at once is never refused.
_LEAST_IN_FLIGHT = 16


def build_shedding(settings: Settings, serving: ServerState) -> Shedding | None:
    """Return the admission of requests to the service of *settings*; `None` without `SHEDDING`."""
    if not settings.operations.shedding:
        return None
    database = settings.database
    pools = 0 if database.url is None else 1 + len(database.replicas)
    return Shedding(
        serving,
        serving.failures,
        serving.observer.build_finish(),
        least=max(_LEAST_IN_FLIGHT, 2 * pools * database.max_size),
    )


def build_state(
    settings: Settings, tracer: Tracer, access_log: AccessLog, metrics: Metrics
) -> ServerState:
    """Return the state of a service that is not served yet."""
    server = settings.server
    heads = Heads(plain_headers(server), fast=supports_fast_path(server.fast_path))
    envelope = read_envelope(settings.envelope, "ENVELOPE")
    watch = ConnectionWatch(server)
    counter = RequestCounter(metrics) if settings.is_measured else None
    serving = ServerState(
        heads,
        ErrorAnswers(heads, envelope, debug=settings.debug, max_errors=server.max_errors),
        Observer(settings, heads, tracer, access_log, counter),
        build_hosts(settings),
        HeadLimits(
            server.request_max_head_size,
            server.request_max_target_size,
            server.request_max_headers,
        ),
        watch,
        ConnectionBound(watch),
        Bodies(server.bodies_max_size),
        "request_id" in settings.tracing.trust_peers,
        RateMeters(settings.operations.rate_limit_storage, settings.service_name),
    )
    if counter is not None:
        serving.outbox.before_write = counter.settle
    serving.shedding = build_shedding(settings, serving)
    return serving
