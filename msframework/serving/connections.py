"""The bound on the connections that one worker holds, and which of them are closed for new ones.

Runs per connection. Below the bound it only counts. At the bound a connection is closed for the new
one: the oldest that has not sent a whole head yet, else the one that has been idle longest, else
the oldest whose client stalls. Where there is none, the new connection is refused.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import Transport
from collections.abc import Callable, Mapping
from math import inf
from operator import itemgetter
from time import monotonic, perf_counter, thread_time
from typing import Final, Protocol

from msframework.envelope import DefaultEnvelope, Envelope, ErrorFacts
from msframework.exceptions import ServiceUnavailable
from msframework.headers import encode_lines
from msframework.metrics import Metrics, catalogue
from msframework.serving.answer import Heads
from msframework.serving.descriptors import MOST_CONNECTIONS
from msframework.serving.timeouts import ConnectionClock, ConnectionState, ConnectionWatch
from msframework.strict_json import dumps

logger = logging.getLogger("msframework.server")
# Seconds in a state before which a connection is not closed: time for a head to arrive over a round
# trip; for the next request; for a body or an answer over a poor line.
_LEAST_AGE: Final = {
    ConnectionState.NEW: 0.25,
    ConnectionState.IDLE: 0.5,
    ConnectionState.STALLED: 2.0,
    ConnectionState.ACTIVE: inf,
}
# The looks at all connections take a twentieth of the time at most; what they found is out of date
# after `_OLD` seconds, as others may be the first to go by then.
_SHARE: Final = 20.0
_OLD: Final = 0.25
_LINGER: Final = 1.0  # seconds that a refused client has to read why
_MOST_LINGERING: Final = 128
_LINES_SPAN: Final = 60.0  # seconds between two lines of the log

# The state of a connection, the negated seconds that it has been in it, and its clock.
Eviction = tuple[ConnectionState, float, ConnectionClock]


class Newcomer(Protocol):
    """The protocol of a new connection, as far as the bound uses it."""

    clock: ConnectionClock
    loop: asyncio.AbstractEventLoop


class ConnectionsFull(ServiceUnavailable):
    """The failure of a client for whose connection there is no room; it is worth another try."""

    headers: Mapping[str, str] = {"Retry-After": "1"}

    def __init__(self) -> None:
        super().__init__("The service holds as many connections as it can.")


def build_refusal(heads: Heads, envelope: Envelope) -> Callable[[], bytes]:
    """Return the function that gives the answer to a connection that is refused."""
    exc = ConnectionsFull()
    facts = ErrorFacts(exc.status_code, exc.answer_code, exc.message, exc.error)
    try:
        kind, body = envelope.error_content_type, dumps(envelope.error(facts))
    except Exception:  # one of the user's, which looks at a path for instance
        envelope = DefaultEnvelope()
        kind, body = envelope.error_content_type, dumps(envelope.error(facts))
    head, lines = heads.head(exc.status_code, kind), encode_lines(exc.headers.items())

    def refuse() -> bytes:
        parts = (head.close, b"%d\r\n" % len(body), heads.clock.line, lines, b"\r\n", body)
        return b"".join(parts)

    return refuse


class ConnectionBound:
    """The bound of one worker.

    Attributes:
        most: the connections that it holds at once.
        evicted: how many were closed for new ones, by their state.
        answered: how many were refused by an answer.
        closed: how many were refused without one: before a TLS handshake, or in a flood.
    """

    __slots__ = (
        *("_entries", "_forget", "_lingering", "_looked", "_next_line", "_next_look"),
        *("_refusal", "_watch", "answered", "closed", "evicted", "most"),
    )

    def __init__(self, watch: ConnectionWatch) -> None:
        self.most = MOST_CONNECTIONS
        self.evicted = dict.fromkeys(ConnectionState, 0)
        self.answered = self.closed = 0
        self._watch = watch
        self._refusal: Callable[[], bytes] = bytes
        self._entries: list[Eviction] = []  # the first to be closed is the last
        self._forget: asyncio.TimerHandle | None = None
        self._looked = self._next_look = self._next_line = 0.0
        self._lingering = 0

    def measure(self, metrics: Metrics) -> None:
        """Register the metrics of the bound, whose values are read where they are counted."""

        def evicted() -> dict[tuple[str, ...], float]:
            return {(state.name.lower(),): count for state, count in self.evicted.items() if count}

        def refused() -> dict[tuple[str, ...], float]:
            return {("answered",): self.answered, ("closed",): self.closed}

        metrics.register(catalogue.CONNECTIONS_EVICTED, read=evicted)
        metrics.register(catalogue.CONNECTIONS_REFUSED, read=refused)

    def open(self, most: int, refusal: Callable[[], bytes]) -> None:
        """Hold *most* connections from now on; `refusal()` is the answer to those beyond."""
        self.most, self._refusal = most, refusal

    @property
    def refused(self) -> int:
        """The connections that were refused."""
        return self.answered + self.closed

    @property
    def held(self) -> int:
        """The connections that are held, TLS handshakes included."""
        return len(self._watch.clocks)

    def admit(self, protocol: Newcomer, transport: Transport, *, is_plain: bool) -> bool:
        """Count a new connection; return `False` where it was refused instead.

        Args:
            is_plain: whether it begins without a TLS handshake.
        """
        watch = self._watch
        if len(watch.clocks) >= self.most and not self._make_room(protocol.loop):
            self._refuse(transport, is_plain=is_plain)
            return False
        protocol.clock.begin_connection(transport)
        watch.add(protocol.clock, protocol.loop)
        return True

    def _make_room(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Close the connection that is the first to go; return whether there was one."""
        now, seconds = perf_counter(), monotonic()
        if now >= self._next_line:
            self._next_line = now + _LINES_SPAN
            logger.warning(
                "MAX_CONNECTIONS is reached: %s connections; idle ones are closed for new ones",
                self.most,
            )
        entries = self._entries
        is_old = now - self._looked > _OLD and not (
            entries and entries[-1][0] is ConnectionState.NEW
        )
        if not is_old and self._evict(now, seconds):
            return True
        if now < self._next_look:
            return self._evict(now, seconds)
        took = -thread_time()
        self._look(now, seconds)
        took += thread_time()
        self._looked, self._next_look = now, now + took * _SHARE
        if self._forget is not None:
            self._forget.cancel()
        self._forget = loop.call_later(4 * _OLD, self._entries.clear)
        return self._evict(now, seconds)

    def _look(self, now: float, seconds: float) -> None:
        """List all connections that may be closed."""
        entries = self._entries
        entries.clear()
        for clock in self._watch.clocks:
            state, age = clock.state(now, seconds)
            if age >= _LEAST_AGE[state]:
                entries.append((state, -age, clock))
        entries.sort(key=itemgetter(0, 1), reverse=True)

    def _evict(self, now: float, seconds: float) -> bool:
        entries, clocks = self._entries, self._watch.clocks
        while entries:
            before, _, clock = entries.pop()
            if clock in clocks:
                state, age = clock.state(now, seconds)
                if state is before and age >= _LEAST_AGE[state]:
                    self.evicted[state] += 1
                    self._watch.discard(clock)
                    clock.end_connection()
                    return True
        return False

    def _refuse(self, transport: Transport, *, is_plain: bool) -> None:
        """Answer 503 instead of the first request; over TLS, hang up before the handshake."""
        if not is_plain or self._lingering >= _MOST_LINGERING:
            self.closed += 1
            transport.set_protocol(asyncio.Protocol())
            transport.abort()
            return
        self.answered += 1
        self._lingering += 1
        transport.set_protocol(Refusal(self._let_go, transport))
        transport.write(self._refusal())

    def _let_go(self) -> None:
        self._lingering -= 1


class Refusal(asyncio.Protocol):
    """The protocol of a connection that was refused, until its request came or did not.

    NOTE: one that is closed with bytes unread is reset, and the client may never see its answer.
    """

    __slots__ = ("_end", "_let_go", "_transport")

    def __init__(self, let_go: Callable[[], None], transport: Transport) -> None:
        self._let_go, self._transport = let_go, transport
        self._end = asyncio.get_running_loop().call_later(_LINGER, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Drop the request, and close the connection."""
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the waiting."""
        self._end.cancel()
        self._let_go()
