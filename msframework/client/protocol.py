"""aiohttp's protocol of one connection, with bounds on the work that the other side may cause.

No turn of the loop takes long, for any answer: bytes are read in pieces, and a service that sends
heads of answers which nobody asked for is hung up on. Runs per piece of data received.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Final, cast

import aiohttp
from aiohttp import client_proto

from msframework.client.packed import UnpackedBody

_PIECE: Final = 16_384  # bytes that are read at once
_TURN: Final = 0.002  # seconds after which no further piece is read in one turn of the loop
# Answers that may wait to be read: one, and those of the kind 1xx before it.
MOST_WAITING: Final = 16

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
else:
    # NOTE: where aiohttp has no such class, it is never made; see `lean.is_known`.
    ResponseHandler = getattr(client_proto, "ResponseHandler", object)


_EMPTY: Final = getattr(aiohttp, "EMPTY_PAYLOAD", None)


class BoundedProtocol(ResponseHandler):
    """aiohttp's protocol, which reads in pieces and goes on reading only where it had stopped.

    Attributes:
        may_switch: whether the request asks for another protocol.
    """

    may_switch = False
    _rest: bytes = b""
    _next: asyncio.Handle | None = None

    def data_received(self, data: bytes) -> None:
        """Read *data*, or the first piece of it and the rest in later turns."""
        if self._rest and data:
            self._rest += data
        elif len(data) > _PIECE:
            self._rest = data
            self._read_on()
        else:
            self._read(data)

    def _read(self, data: bytes) -> None:
        super().data_received(data)
        if self._buffer:
            # PERF: most answers are plain ones, and come one at a time (benchmarks/client.py).
            (message, payload), _ = self._buffer[-1]
            if (
                message.code < 200
                or message.compression is not None
                or payload is _EMPTY
                or len(self._buffer) > 1
            ):
                self._look_over()

    def _read_on(self) -> None:
        """Read the data that was kept, piece by piece, as long as others can wait for it."""
        self._next = None
        ends = perf_counter() + _TURN
        while self._rest:
            piece, self._rest = self._rest[:_PIECE], self._rest[_PIECE:]
            self._read(piece)
            # NOTE: with TLS the transport is closing as soon as the other side is; its bytes count.
            if self.transport is None or self.exception() is not None:
                self._rest = b""
            elif self._rest and perf_counter() > ends:
                # NOTE: uvloop (0.23) forgets what TLS has received when the other side hangs up
                # while reading is paused, so it is paused for no other reason.
                self._pause_transport_reading()
                self._next = self._loop.call_soon(self._read_on)
                return
        if not self._reading_paused:
            self._resume_transport_reading()

    def _look_over(self) -> None:
        """Refuse waiting messages that are no answers; replace packed bodies by unpacked ones.

        The parser takes any three digits for a status, and for no length one that it cannot count.
        """
        if len(self._buffer) > MOST_WAITING:
            self._refuse("answers that nobody asked for")
        for at, ((message, payload), size) in enumerate(self._buffer):
            code, is_empty = message.code, payload is _EMPTY
            may_be_empty = self._skip_payload or code < 200 or code in (204, 304)
            is_switch = code == 101 and not self.may_switch
            if code < 100 or is_switch or (is_empty and not may_be_empty):
                self._refuse("no HTTP")
                return
            if message.compression is not None and type(payload) is aiohttp.StreamReader:
                body = UnpackedBody(payload, message.compression, self, self._loop)
                self._buffer[at] = (message, body), size

    def _refuse(self, what: str) -> None:
        self._buffer.clear()
        self._rest = b""
        self.set_exception(aiohttp.ClientPayloadError(what))
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Read the answers that wait, and end."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        rest, self._rest = self._rest, b""
        self._take_all(rest)
        super().connection_lost(exc)

    def _take_all(self, rest: bytes) -> None:
        """Read *rest*, and what the parser still holds, however much of it waits to be taken.

        With TLS the end of a connection is told while reading is paused.
        """
        for start in range(0, len(rest) + self._reading_paused, _PIECE):
            if self.exception() is not None:
                return
            if type(payload := self._payload) is aiohttp.StreamReader:
                payload.set_read_chunk_size(sys.maxsize)
                payload._high_water_chunks = sys.maxsize
            self._reading_paused = False
            self._read(rest[start : start + _PIECE])

    @property
    def should_close(self) -> bool:
        """Whether the connection is of no further use."""
        return bool(self._rest) or super().should_close

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on reading, when it was paused.

        PERF: streams ask for it at their end and with each chunk that is taken, and each time the
        parser is run for nothing (benchmarks/client.py).
        """
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Raise *exc* in the task that waits, also where it waits for the rest of a body.

        aiohttp leaves such a task alone when the rest turns out to be no HTTP.
        """
        super().set_exception(exc, *cause)
        payload = self._payload
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            if not isinstance(exc, TimeoutError | aiohttp.ClientError):
                exc = aiohttp.ClientPayloadError("no HTTP")
            payload.set_exception(exc)

    def expire(self) -> None:
        """Raise `TimeoutError` in the task that waits, and take the connection out of use."""
        self.set_exception(TimeoutError())


def use_bounded_protocol(connector: aiohttp.BaseConnector, loop: asyncio.AbstractEventLoop) -> None:
    """Have *connector* make its connections with `BoundedProtocol`."""
    connector._factory = cast("partial[ResponseHandler]", partial(BoundedProtocol, loop=loop))
