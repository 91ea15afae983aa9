"""Sanic's protocols with `LeanHttp` inside, and with our time-outs.

Runs per connection and per piece of data received.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Event, Future, Transport
from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from sanic import Request
from sanic.http import Http, Stage
from sanic.server.protocols.base_protocol import SanicProtocol
from sanic.server.protocols.http_protocol import HttpProtocol
from sanic.server.protocols.websocket_protocol import WebSocketProtocol
from websockets import http11
from websockets.datastructures import Headers

from msframework.application import Application
from msframework.serving.http import LeanHttp
from msframework.serving.intake import Intake
from msframework.serving.state import ServerState
from msframework.serving.strict import StrictHttp
from msframework.serving.timeouts import ConnectionClock
from msframework.serving.websocket import SignedHandshake, silence_hang_ups

_Base: Any = object
_IDLE, _REQUEST = Stage.IDLE, Stage.REQUEST
# NOTE: they stand in each protocol, as a class has one base at most that has slots.
_SLOTS = ("_handle", "clock", "held", "serving", "waiter")


class _Writable:
    """The event of a connection that can be written to, as long as nobody has to wait for it.

    NOTE: an `Event` is 800 bytes, mostly of its queue, and a protocol of Sanic's has two.
    """

    def is_set(self) -> bool:
        """Return whether something may be written."""
        return True

    def set(self) -> None:
        """Change nothing."""

    async def wait(self) -> bool:
        """Return at once."""
        return True


_WRITABLE = _Writable()


class _SharedProtocol(_Base):  # type: ignore[misc]
    """The common methods of our protocols; it stands before Sanic's among their bases.

    Attributes:
        serving: the state that all connections share.
        waiter: where `LeanHttp` waits for a request.
        clock: the time-outs of this connection.
        held: bytes of a body that are counted in `Bodies`.
    """

    if not TYPE_CHECKING:  # the classes below have the slots
        __slots__ = ()
    app: Any
    loop: AbstractEventLoop
    serving: ServerState
    waiter: Future[bytes] | None
    clock: ConnectionClock
    held: int
    request_handler: Any
    recv_buffer: bytearray
    transport: Any
    _can_write: Any
    _data_received: Any
    _http: Any
    _handle: Any
    _task: Any
    _time: float

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.serving = self.app._serving
        if self.serving.backlog.make is None:
            self.serving.backlog.make = partial(type(self), **options)
        self.waiter = None
        self.held = 0
        self.clock = ConnectionClock(self, self.app.settings.server)
        self._handle, self.request_handler = self.app.handle_request, self._handle_request
        if self.serving.heads.fast:
            self._can_write, self._data_received = _WRITABLE, None

    @property
    def HTTP_CLASS(self) -> type[Http]:
        """The class that reads and answers requests."""
        return LeanHttp if self.serving.lean else StrictHttp

    # A request of Sanic's own path.

    async def receive_more(self) -> None:
        """Wait for more of a head or a body, while its time runs."""
        if self.serving.heads.fast and self._data_received is None:
            self._data_received = Event()
        http, clock = self._http, self.clock
        if http.stage is _IDLE and not http.request_body:
            await super().receive_more()
            return
        before = len(self.recv_buffer)
        clock.begin_wait(is_head=http.stage is _REQUEST and not http.request_body)
        try:
            await super().receive_more()
        finally:
            clock.end_wait(len(self.recv_buffer) - before)

    def read_on(self) -> None:
        """Go on reading, unless enough of what follows has arrived.

        NOTE: a full buffer halts reading, and a client that hangs up is not noticed meanwhile; but
        one that sends requests ahead would fill the memory.
        """
        transport = self.transport
        if transport is not None and len(self.recv_buffer) < self.app.config.REQUEST_BUFFER_SIZE:
            transport.resume_reading()

    async def _handle_request(self, request: object) -> None:
        """Have Sanic handle *request*, and hold nothing of its body afterwards."""
        self.clock.begin_request()
        try:
            await self._handle(request)
        finally:
            held, self.held = self.held, 0
            if held:
                self.serving.bodies.give_back(held)

    def hold(self, size: int) -> None:
        """Count *size* bytes of a body until the request is over.

        Raises:
            ServiceUnavailable: the worker holds as much as it may.
        """
        self.serving.bodies.hold(size)
        self.held += size

    # What the transport and Sanic call.

    def connection_made(self, transport: Any) -> None:
        """Begin a connection, once its handshake is over where TLS is served."""
        tls = self.serving.tls
        if not self.serving.bound.admit(self, transport, is_plain=tls is None):
            return
        if tls is None:
            self.begin(transport)
        else:
            tls.admit(self, transport)

    def begin(self, transport: Transport) -> None:
        """Begin a connection, whose task waits for the first bytes where nobody else does.

        One that never sends anything costs little more than its descriptor.
        """
        if self.serving.is_heard:
            super().connection_made(transport)
        else:
            SanicProtocol.connection_made(self, transport)  # type: ignore[no-untyped-call]
            self.recv_buffer = bytearray()

    def abandon(self) -> None:
        """Forget a connection whose handshake came to nothing."""
        self.serving.watch.discard(self.clock)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self.serving.watch.discard(self.clock)
        super().connection_lost(exc)

    def close_if_idle(self) -> bool:
        """Close the connection if it is idle, and nothing came that the loop has still to see."""
        return not self.recv_buffer and super().close_if_idle()

    def check_timeouts(self) -> None:
        """Do nothing: Sanic's own time-outs are those of `clock`."""

    def pause_writing(self) -> None:
        """Let what is written wait."""
        if self.serving.heads.fast:
            self._can_write = Event()
        else:
            super().pause_writing()

    def resume_writing(self) -> None:
        """Let more of an answer be written."""
        self.clock.resume_writing()
        super().resume_writing()
        if self.serving.heads.fast:
            self._can_write = _WRITABLE

    def data_received(self, data: bytes) -> None:
        """Hand *data* to whoever waits for a request, without a copy."""
        waiter = self.waiter
        if waiter is None or waiter.done() or not data:
            super().data_received(data)
            transport = self.transport
            if (
                self._task is None
                and transport is not None
                and not transport.is_closing()
                # NOTE: what a websocket's client says after its handler ended is no request.
                and getattr(self, "websocket", None) is None
            ):
                self._task = self.loop.create_task(self.connection_task())
            return
        self.waiter = None
        self._time = monotonic()
        # NOTE: a server that stops closes what is idle, so this one is not idle from now on.
        self._http.stage = _REQUEST
        self.serving.outbox.busy += 1
        waiter.set_result(data)

    def eof_received(self) -> bool | None:
        """Write the answers that wait: the transport is closed after this."""
        self.serving.outbox.flush()
        half_open: bool | None = super().eof_received()
        return half_open


class PatientClose(HttpProtocol):
    """A base of our protocols, behind Sanic's: it closes a connection when its answer was read."""

    __slots__ = ()

    def close(self, timeout: float | None = None) -> None:
        """Close the connection when the rest of its answers was read.

        Sanic would look ten times a second whether it was, and break it off after
        `GRACEFUL_TCP_CLOSE_TIMEOUT`, in the middle of an answer that is being read; its clock knows
        better.
        """
        transport = self.transport
        if timeout is None and transport is not None and transport.get_write_buffer_size():
            transport.close()
        else:
            super().close(timeout)


class LeanProtocol(_SharedProtocol, PatientClose):  # type: ignore[override]
    """Sanic's protocol with `LeanHttp`, or `StrictHttp` where a service stands back from that."""

    __slots__ = _SLOTS


class LeanWebSocketProtocol(  # type: ignore[override]
    _SharedProtocol, WebSocketProtocol, SignedHandshake, PatientClose
):
    """The same for services with websockets."""

    __slots__ = _SLOTS

    @staticmethod
    def sanic_request_to_ws_request(request: Request) -> http11.Request:
        """Return a handshake's request without text beyond ASCII, on which the library fails.

        `Upgrade` means nothing on HTTP/1.0 (RFC 9110, 7.8).
        """
        ignored = "upgrade" if request.version == "1.0" else None
        headers = [
            (name, value)
            for name, value in request.headers.items()
            if value.isascii() and name.lower() != ignored
        ]
        return http11.Request(path=request.path, headers=Headers(headers))

    async def websocket_handshake(
        self, request: Request, subprotocols: Sequence[str] | None = None
    ) -> Any:
        """Begin a websocket, and hand it the bytes that arrived together with its request."""
        websocket = await super().websocket_handshake(request, subprotocols)
        Intake(websocket)
        early = bytes(self.recv_buffer)
        if early:
            self.recv_buffer.clear()
            self.read_on()
            websocket.data_received(early)
        return websocket


def choose_protocol(service: Application) -> type[HttpProtocol]:
    """Return the protocol that *service* is served with, when it names none itself."""
    if not service.websocket_enabled:
        return LeanProtocol
    silence_hang_ups()
    return LeanWebSocketProtocol
