"""Sanic's protocols with `LeanHttp` inside. Runs per connection and per piece of data received."""

from __future__ import annotations

from asyncio import Future
from time import monotonic
from typing import Any

from sanic.http import Http, Stage
from sanic.server.protocols.http_protocol import HttpProtocol
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

from msframework.serving.http import LeanHttp
from msframework.serving.strict import StrictHttp

_REQUEST = Stage.REQUEST


class LeanProtocol(HttpProtocol):
    """Sanic's protocol with `LeanHttp`, or `StrictHttp` where a service stands back from that."""

    __slots__ = ("waiter",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.waiter: Future[bytes] | None = None

    @property
    def HTTP_CLASS(self) -> type[Http]:  # type: ignore[override]
        """The class that reads and answers requests."""
        service: Any = self.app
        return LeanHttp if service.lean else StrictHttp

    def data_received(self, data: bytes) -> None:
        """Hand *data* to whoever waits for a request, without a copy."""
        if not _hand_over(self, data):
            super().data_received(data)

    def eof_received(self) -> bool | None:
        """Write the answers that wait: the transport is closed after this."""
        service: Any = self.app
        service.outbox.flush()
        return super().eof_received()


class LeanWebSocketProtocol(WebSocketProtocol):
    """The same for services with websockets."""

    __slots__ = ("waiter",)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.waiter: Future[bytes] | None = None

    HTTP_CLASS = LeanProtocol.HTTP_CLASS

    def data_received(self, data: bytes) -> None:
        """Hand *data* to whoever waits for a request, without a copy."""
        if not _hand_over(self, data):
            super().data_received(data)  # type: ignore[no-untyped-call]

    def eof_received(self) -> bool | None:
        """Write the answers that wait: the transport is closed after this."""
        service: Any = self.app
        service.outbox.flush()
        return super().eof_received()


def _hand_over(protocol: Any, data: bytes) -> bool:
    """Give *data* to `LeanHttp` when that waits for it; tell whether it does."""
    waiter = protocol.waiter
    if waiter is None or waiter.done() or not data:
        return False
    protocol.waiter = None
    protocol._time = monotonic()
    # NOTE: a server that stops closes what is idle, so this one is not idle from now on.
    protocol._http.stage = _REQUEST
    protocol.app.outbox.busy += 1
    waiter.set_result(data)
    return True


def choose_protocol(service: Any) -> type[HttpProtocol]:
    """Return the protocol that *service* is served with, when it names none itself."""
    return LeanWebSocketProtocol if service.websocket_enabled else LeanProtocol
