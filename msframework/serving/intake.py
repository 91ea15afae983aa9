"""`Intake`: reads a websocket as fast as its messages are taken, and lets others come between.

Runs per piece of data that a websocket receives. Sanic takes all data apart at once, and makes a
task of it: the small messages of a client, or its pings where it reads no pong, then take a hundred
times the memory of what it sends.
"""

from __future__ import annotations

from asyncio import Task, create_task, current_task, sleep
from collections.abc import Sequence
from typing import Any, Final

from websockets.protocol import State

_PIECE: Final = 4096  # bytes that are taken apart in one turn of the loop
_LARGE: Final = 32_768  # the same after a piece of few frames
_MANY: Final = 16  # frames, of which a piece no longer has few


class Intake:
    """The data that one websocket has received, on its way to its handler.

    Reading halts while more of it comes than is taken.

    Args:
        websocket: Sanic's, whose handshake is over.
    """

    __slots__ = ("_data", "_eof", "_is_halted", "_resume", "_task", "_websocket")

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket
        self._data = bytearray()
        self._is_halted = False
        self._task: Task[None] | None = None
        self._eof, self._resume = websocket.eof_received, websocket.resume_frames
        websocket.data_received, websocket.eof_received = self.receive, self.end
        websocket.resume_frames, websocket.intake = self.resume, self

    def receive(self, data: bytes) -> None:
        """Take in *data*, and read no more before all of it is processed."""
        if self._task is not None:
            self._data += data
            self._halt()
            return
        if len(data) > _PIECE:
            self._data += data[_PIECE:]
            self._halt()
        answers, frames = self._take(data[:_PIECE])
        if answers or frames or self._data:
            self._task = create_task(self._process(answers, frames))

    def resume(self) -> bool:
        """Read on, as the handler took a message, unless there is more for it."""
        resumed = bool(self._resume())
        if self._is_halted:
            self._halt()
        return resumed

    def end(self) -> bool | None:
        """Take in the end of the data, after all that is left of it."""
        data = bytes(self._data)
        self._data.clear()
        self._websocket.ws_proto.receive_data(data)
        half_open: bool | None = self._eof()
        return half_open

    def release(self) -> None:
        """Go on without the handler, which takes no message any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = create_task(self._process((), ()))

    def _take(self, data: bytes) -> tuple[Sequence[bytes], Sequence[object]]:
        """Parse *data*; return the bytes to send in reply, and the frames that it completed."""
        protocol = self._websocket.ws_proto
        protocol.receive_data(data)
        return protocol.data_to_send(), protocol.events_received()

    async def _process(self, answers: Sequence[bytes], frames: Sequence[object]) -> None:
        websocket, data = self._websocket, self._data
        try:
            while True:
                size = _PIECE if len(frames) >= _MANY else _LARGE
                await websocket.async_data_received(answers, frames)
                if data:
                    await sleep(0)
                # NOTE: in this order, as `end` may have taken all that was left meanwhile.
                if not data or websocket.ws_proto.state is State.CLOSED:
                    break
                piece = bytes(data[:size])
                del data[:size]
                answers, frames = self._take(piece)
        finally:
            if self._task is current_task():
                self._task = None
                data.clear()
                self._read_on()

    def _halt(self) -> None:
        self._is_halted = True
        transport = self._websocket.io_proto.transport
        if transport is not None:
            transport.pause_reading()

    def _read_on(self) -> None:
        if not self._is_halted:
            return
        self._is_halted = False
        websocket = self._websocket
        transport = websocket.io_proto.transport
        if transport is None or transport.is_closing() or websocket.pause_frame_fut is not None:
            return
        transport.resume_reading()
