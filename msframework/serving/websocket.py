"""Websockets: a span and an access line for each, and a close code that tells how it ended.

Runs per websocket, around Sanic's own.
"""

from __future__ import annotations

from asyncio import CancelledError, current_task
from collections.abc import Awaitable
from logging import Filter, LogRecord
from typing import Any, Final

from sanic.exceptions import WebsocketClosed
from sanic.log import websockets_logger
from sanic.server.protocols.http_protocol import HttpProtocol
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from msframework.aio import is_failure
from msframework.headers import encode_lines
from msframework.serving.request import Request
from msframework.types import Handler

# RFC 6455, 7.4.1
GOING_AWAY, ABNORMAL, INVALID_DATA, POLICY_VIOLATION = 1001, 1006, 1007, 1008
INTERNAL_ERROR = 1011
_LONGEST_REASON = 123  # bytes (RFC 6455, 5.5)
_PATIENCE: Final = 2.0  # seconds for a client to answer a CLOSE frame
_SWITCHING = b"HTTP/1.1 101 "


class SignedHandshake(HttpProtocol):
    """A base of our protocol of websockets, behind Sanic's: it signs the answer to a handshake.

    That answer is no response of Sanic's; so it gets the headers of every answer here.
    """

    __slots__ = ()

    def send(self, data: object) -> Awaitable[None]:  # type: ignore[override]
        """Write *data*; a `bytearray` is a handshake's head, which ends with an empty line."""
        if data.__class__ is bytearray and data.startswith(_SWITCHING):
            http: Any = self._http
            app: Any = self.app
            data[-2:] = encode_lines(app._serving.observer.headers_of(http.request)) + b"\r\n"
        return super().send(data)  # type: ignore[no-untyped-call]


class _HangUps(Filter):
    """Leaves out the ERROR that Sanic writes of a peer that left without a closing handshake."""

    def filter(self, record: LogRecord) -> bool:
        exc_info = record.exc_info
        return not (exc_info and isinstance(exc_info[1], OSError))


_HANG_UPS = _HangUps()


def silence_hang_ups() -> None:
    """Keep hang-ups out of the log of websockets; calling it again changes nothing."""
    websockets_logger.addFilter(_HANG_UPS)


def watch_websocket(service: Any, handler: Handler) -> Handler:
    """Return *handler*, whose failures are reported once and told to the other side.

    An exception that was expected closes with 1008, any other with 1011. A peer that leaves is no
    failure.
    """
    failures = service._serving.failures

    async def handle_websocket(
        request: Request, websocket: Any, *args: object, **path: object
    ) -> Any:
        _refuse_malformed_text(websocket)
        _await_answer(websocket)
        task = current_task()
        try:
            return await handler(request, websocket, *args, **path)
        except (ConnectionClosed, WebsocketClosed):
            return None
        except BaseException as exc:
            if isinstance(exc, CancelledError):
                # NOTE: Sanic's `recv` also raises it where the connection ends.
                if websocket.ws_proto.state is not State.OPEN or not is_failure(exc, task):
                    websocket.end_connection(GOING_AWAY)
                    raise
            elif not is_failure(exc, task):
                raise
            known = failures.expected(exc, {})
            if known is None or known.status_code >= 500:
                await failures.report(request, exc)
                await websocket.close(INTERNAL_ERROR)
            else:
                await websocket.close(POLICY_VIOLATION, _as_reason(str(known.message)))
            if isinstance(exc, Exception):
                raise
            # NOTE: a `SystemExit` would end the loop, and Sanic lets the others through.
            raise RuntimeError(f"the websocket's handler raised {type(exc).__name__}") from exc

    return handle_websocket


def _as_reason(message: str) -> str:
    """Return as much of *message* as a close frame can say; a lone surrogate becomes `?`."""
    return message.encode(errors="replace")[:_LONGEST_REASON].decode(errors="ignore")


def _refuse_malformed_text(websocket: Any) -> None:
    """Close *websocket* with 1007 at a text that is no UTF-8, which would leave Sanic's waiting."""
    process = websocket.process_events

    async def process_events(events: Any) -> None:
        try:
            await process(events)
        except UnicodeDecodeError:
            websocket.fail_connection(INVALID_DATA)
            if websocket.recv_cancel is not None:
                websocket.recv_cancel.cancel()

    websocket.process_events = process_events


def _await_answer(websocket: Any) -> None:
    """Have the connection of *websocket* stay until its client has answered our CLOSE frame.

    A connection that ends before (RFC 6455, 7.1.1) is reset by the answer, and its client may never
    see why it was closed. Sanic's ends it at once.
    """
    end, is_waiting = websocket.end_connection, False

    def end_connection(code: int = 1000, reason: str = "") -> bool:
        nonlocal is_waiting
        if is_waiting:
            return False
        frames, io = websocket.ws_proto, websocket.io_proto
        transport = None if io is None else io.transport
        lost = websocket.connection_lost_waiter
        if transport is None or transport.is_closing() or lost is None or lost.done():
            return bool(end(code, reason))
        if frames.state is State.OPEN and code != ABNORMAL:
            frames.send_close(code, reason)
            for data in frames.data_to_send():
                transport.write(data)
        if frames.state is not State.CLOSING:
            return bool(end(code, reason))
        is_waiting = True
        # NOTE: nobody receives any more, and a client that goes on sending fills no queue.
        websocket.process_events = _discard
        websocket.intake.release()
        if websocket.pause_frame_fut is not None:
            websocket.resume_frames()
        timer = websocket.loop.call_later(_PATIENCE, end, code, reason)
        lost.add_done_callback(lambda _: timer.cancel())
        return False

    websocket.end_connection = end_connection


async def _discard(events: object) -> None:
    """Take no notice of *events* (RFC 6455, 5.5.1)."""
