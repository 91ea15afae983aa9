"""Time-outs of connections that nobody outside can postpone. Runs per worker, a few times a second.

A worker has one `ConnectionWatch`, which looks at the `ConnectionClock` of each connection by and
by: there is no timer of a request, and one that arrives whole and is answered at once never touches
its clock. Sanic's own time-outs count from the last byte, so that a client that drips is never too
late.
"""

from __future__ import annotations

import socket
import sys
from asyncio import AbstractEventLoop, Transport
from collections.abc import Iterator
from enum import IntEnum
from itertools import islice
from time import monotonic, perf_counter
from typing import Any, Final

from sanic.exceptions import RequestTimeout, ServiceUnavailable
from sanic.http import Stage

from msframework.conf.settings import ServerSettings

_IDLE, _REQUEST, _RESPONSE = Stage.IDLE, Stage.REQUEST, Stage.RESPONSE
# Seconds to the end of a connection, once its task was told to end.
_LINGER: Final = 5.0
# What leaves a full write buffer at least until writing goes on; see `connection_made` of Sanic's.
_RESUMED: Final = 65536 - 16384
# Bytes of Linux's tcp_info up to its tcpi_bytes_acked, which has eight.
_TCP_INFO: Final = 128
_SLICE: Final = 256  # connections that are looked at in one run of the loop


class ConnectionState(IntEnum):
    """The state of a connection; at the bound, the first of these gives way first."""

    NEW = 0  # no whole head of a request has come: nothing, a part, or a TLS handshake
    IDLE = 1  # it waits for the next request
    STALLED = 2  # a body is awaited from the client, or an answer was not read
    ACTIVE = 3  # a handler runs, or a stream or a websocket is open


class ConnectionClock:
    """The time that one connection may still take: for a head, a body, the reading of an answer.

    Time for a body is credit. Waiting uses it up, every byte that arrives gives some back, and
    there is never more than at the beginning: so the client must keep the least rate, it cannot
    save for a long pause, and what the handler takes is not the client's.
    """

    __slots__ = (
        "_credit",
        "_ending",
        "_is_head",
        "_protocol",
        "_raw",
        "_rested",
        "_resumed",
        "_settings",
        "_taken",
        "_unread",
        "_unsent",
        "_waiting",
        "_write_until",
    )

    def __init__(self, protocol: Any, settings: ServerSettings) -> None:
        self._protocol, self._settings = protocol, settings
        self._credit = 0.0
        self._is_head: bool | None = None
        self._waiting: float | None = None
        self._ending: float | None = None
        self._rested = 0.0
        self._unsent = self._resumed = 0
        self._taken: int | None = None
        self._write_until = self._unread = 0.0
        self._raw: Transport | None = None

    # What the protocol tells.

    def begin_connection(self, raw: Transport) -> None:
        """Note that the connection is open, over *raw*; a handshake may follow."""
        self._raw, self._protocol._time = raw, monotonic()

    def begin_request(self) -> None:
        """Forget the time of the last request."""
        self._is_head = None

    def begin_wait(self, *, is_head: bool) -> None:
        """Let the time of a head or a body run: more of it is awaited."""
        if is_head is not self._is_head:
            self._is_head = is_head
            settings = self._settings
            self._credit = settings.request_timeout if is_head else settings.body_timeout
        self._waiting = perf_counter()

    def end_wait(self, received: int) -> None:
        """Halt it, as *received* bytes came; those of a head give no credit."""
        assert self._waiting is not None
        self._rested = perf_counter()
        self._credit -= self._rested - self._waiting
        self._waiting = None
        if not self._is_head:
            settings = self._settings
            more = self._credit + received / settings.body_min_rate
            self._credit = min(settings.body_timeout, more)

    def resume_writing(self) -> None:
        """Note that the client took enough of an answer for more of it to be written."""
        self._resumed += 1

    # What the watch asks.

    def check(self, now: float, seconds: float) -> None:
        """End the connection if it is too late; *now* and *seconds* are this moment by both clocks.

        Args:
            now: the time of `perf_counter`, as the times of a request.
            seconds: the time of `monotonic`, as Sanic's time of a protocol.
        """
        protocol = self._protocol
        transport = protocol.transport
        if transport is None:
            return
        unsent = transport.get_write_buffer_size()
        if unsent or self._unsent:
            if self._is_unread(transport, unsent, now):
                transport.abort()
                return
            protocol._time = seconds  # an idle time begins when the answer has been read
        if self._ending is not None:
            if now > self._ending and not unsent:
                transport.abort()
            return
        if protocol.http is None:
            if protocol._task is None:
                self._check_silent(transport, unsent, seconds)
            return
        failure = self._failure(now, seconds)
        if failure is not None:
            self.end(failure, now)

    def _check_silent(self, transport: Transport, unsent: int, seconds: float) -> None:
        """End a connection to which nothing ever came, or whose answers are all read."""
        if transport.is_closing():
            if not unsent:
                transport.abort()  # it may wait for the client, to end TLS
        elif seconds - self._protocol._time > self._settings.keep_alive_timeout:
            self._protocol.close()

    def _is_unread(self, transport: Transport, unsent: int, now: float) -> bool:
        """Return whether the client reads too little of its answer; *unsent* bytes are left."""
        settings = self._settings
        before, self._taken = self._taken, _count_taken(transport)
        if not self._unsent:
            self._write_until, self._unread = now + settings.write_timeout, now
        else:
            taken = self._resumed * _RESUMED or max(0, self._unsent - unsent)
            if self._taken is not None and before is not None:
                taken = self._taken - before
            until = self._write_until + taken / settings.write_min_rate
            self._write_until = min(now + settings.write_timeout, until)
        self._unsent, self._resumed = unsent, 0
        return unsent > 0 and now > self._write_until

    def _failure(self, now: float, seconds: float) -> Exception | None:
        """Return the exception for a client or a handler that is too late; `None` for none."""
        protocol, settings = self._protocol, self._settings
        http = protocol.http
        if self._waiting is not None:
            if now - self._waiting <= self._credit:
                return None
            part = "head" if self._is_head else "body"
            return RequestTimeout(f"The {part} of the request did not arrive in time.")
        stage = http.stage
        if stage is _IDLE:
            idle = seconds - protocol._time
            return RequestTimeout() if idle > settings.keep_alive_timeout else None
        if stage is _REQUEST or stage is _RESPONSE or getattr(protocol, "websocket", None):
            return None  # a stream may take its time: its client is judged by what it reads
        began = http.perft0
        if began is None or now - max(began, self._rested) <= settings.response_timeout:
            return None
        return ServiceUnavailable("The handler did not answer in time.")

    # What the bound asks.

    def state(self, now: float, seconds: float) -> tuple[ConnectionState, float]:
        """Return the state of the connection, and for how many seconds it has been in it.

        Args:
            now: the time of `perf_counter`.
            seconds: the time of `monotonic`.
        """
        protocol = self._protocol
        http, transport = protocol.http, protocol.transport
        if self._ending is not None:
            return ConnectionState.NEW, now - self._ending + _LINGER
        if http is None or transport is None:
            if protocol._task is not None:
                return ConnectionState.ACTIVE, 0.0
            return self._state_of_answer(now) or (ConnectionState.NEW, seconds - protocol._time)
        if self._waiting is not None:
            if self._is_head:
                left = self._credit - now + self._waiting
                return ConnectionState.NEW, self._settings.request_timeout - left
            is_stream = http.stage is _RESPONSE
            return ConnectionState.ACTIVE if is_stream else ConnectionState.STALLED, now - (
                http.perft0 or now
            )
        if http.stage is not _IDLE or protocol.recv_buffer:
            return ConnectionState.ACTIVE, 0.0
        return self._state_of_answer(now) or (ConnectionState.IDLE, seconds - protocol._time)

    def _state_of_answer(self, now: float) -> tuple[ConnectionState, float] | None:
        """Return the state by an answer that the client has still to read; `None` without one."""
        transport = self._protocol.transport
        if transport is None or not transport.get_write_buffer_size():
            return None
        return ConnectionState.STALLED, now - self._unread if self._unsent else 0.0

    def end_connection(self) -> None:
        """End the connection at once, whatever it is about."""
        if self._raw is not None:
            self._raw.abort()

    def end(self, failure: Exception, now: float) -> None:
        """Have the connection's task answer *failure*, where it still can, and end.

        Args:
            failure: the failure.
            now: the time of `perf_counter`.
        """
        self._ending = now + _LINGER
        http = self._protocol.http
        http.exception = failure
        http.request_body = None  # or Sanic would read on to its end
        if self._protocol._task is not None:
            self._protocol._task.cancel()


def _count_taken(transport: Transport) -> int | None:
    """Return how many bytes the other side has acknowledged; `None` where nobody knows.

    NOTE: the transport's own buffer tells too late. Linux takes more of it only when a third of its
    own is free, which may be more than a megabyte.
    """
    try:
        # NOTE: uvloop's sockets have no getsockopt.
        number = transport.get_extra_info("socket").fileno()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=number)
    except (AttributeError, OSError):
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO)
    except (AttributeError, OSError):
        return None
    finally:
        sock.detach()  # or it would close the descriptor, which is another's
    return int.from_bytes(info[-8:], sys.byteorder) if len(info) == _TCP_INFO else None


class ConnectionWatch:
    """Looks at the clocks of one worker's connections.

    Attributes:
        clocks: those of all connections, in the order in which they began.
    """

    def __init__(self, settings: ServerSettings) -> None:
        shortest = min(
            settings.request_timeout,
            settings.body_timeout,
            settings.write_timeout,
            settings.response_timeout,
            settings.keep_alive_timeout,
        )
        self._interval = min(1.0, max(0.02, shortest / 4))
        self.clocks: dict[ConnectionClock, None] = {}
        self._loop: AbstractEventLoop | None = None

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self.clocks)

    def add(self, clock: ConnectionClock, loop: AbstractEventLoop) -> None:
        """Look at *clock* from now on."""
        self.clocks[clock] = None
        if self._loop is not loop:
            self.clocks = {clock: None}  # another server of the same service was stopped before
            self._loop = loop
            loop.call_later(self._interval, self._begin)

    def discard(self, clock: ConnectionClock) -> None:
        """Look at *clock* no more."""
        self.clocks.pop(clock, None)

    def _begin(self) -> None:
        assert self._loop is not None
        if not self.clocks:
            self._loop = None
        else:
            self._go_on(iter(tuple(self.clocks)), self._loop)

    def _go_on(self, clocks: Iterator[ConnectionClock], loop: AbstractEventLoop) -> None:
        """Look at some of *clocks*, and at the others after what is ready to run has run."""
        now, seconds = perf_counter(), monotonic()
        some = tuple(islice(clocks, _SLICE))
        for clock in some:
            clock.check(now, seconds)
        if len(some) == _SLICE:
            loop.call_soon(self._go_on, clocks, loop)
        else:
            loop.call_later(self._interval, self._begin)
