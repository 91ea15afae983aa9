"""`Drain`: ends the connections of a service that stops: each is answered, none waits for ever.

Runs while a service stops, after it has stopped listening.

A connection ends with the answer that says `Connection: close`. One that waits for a request ends
when it has been silent for `_QUIET`, since a client that sends into a connection that was closed
meanwhile cannot know whether its request was served (RFC 9112, 9.3.1 and 9.5): the shorter ago it
was used, the more likely is the next request. Bytes that have arrived already are a request, though
the loop has not read them yet.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import sys
import termios
from collections.abc import Collection
from time import monotonic, perf_counter
from typing import Any, Final

from sanic.http import Stage

from msframework.exceptions import ServiceUnavailable
from msframework.serving.tls import ServerTLS
from msframework.serving.websocket import GOING_AWAY

logger = logging.getLogger("msframework.server")
# Seconds of silence after which an idle connection is closed.
_QUIET: Final = 1.0
_HANDSHAKE: Final = 3.0  # seconds for TLS handshakes under way
LAST_WORD: Final = 1.0  # seconds after the grace period to send the last answers
_LOOK: Final = 0.01  # seconds between two looks at all connections
_LOOK_EACH: Final = 0.000_02  # more seconds for each connection; a look at one takes about 1 µs


class Drain:
    """The connections of one service, on their way to an end.

    Args:
        connections: those that are open, as Sanic's server keeps them.
        tls: the TLS of the service, with the handshakes under way.
    """

    def __init__(self, connections: Collection[Any], tls: ServerTLS | None) -> None:
        self._connections, self._tls = connections, tls
        self._closes: dict[Any, asyncio.Task[None]] = {}
        self._began = 0.0

    async def run(self, until: float) -> None:
        """Wait until all connections have ended, or break off those that are left at *until*.

        Args:
            until: the time of the loop at which the grace period is over.
        """
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        while (self._connections or self._has_handshakes(loop.time())) and loop.time() < until:
            self._look()
            await asyncio.sleep(_LOOK + _LOOK_EACH * len(self._connections))
        if self._connections:
            await self._break_off()
        for task in self._closes.values():
            task.cancel()
        await asyncio.gather(*self._closes.values(), return_exceptions=True)

    def _has_handshakes(self, now: float) -> bool:
        return self._tls is not None and self._tls.pending and now - self._began < _HANDSHAKE

    def _look(self) -> None:
        """Close idle connections, and begin to close websockets."""
        now = monotonic()
        for protocol in tuple(self._connections):
            websocket = getattr(protocol, "websocket", None)
            if websocket is not None:
                if protocol not in self._closes:
                    task = asyncio.ensure_future(_close_websocket(websocket))
                    self._closes[protocol] = task
            elif now - protocol._time >= _QUIET and is_idle(protocol):
                protocol.close()

    async def _break_off(self) -> None:
        """Break off the connections that are left, and wait for their end a little longer."""
        logger.warning("%s connections did not end within the grace period", len(self._connections))
        break_off(self._connections)
        loop = asyncio.get_running_loop()
        until = loop.time() + LAST_WORD
        while self._connections and loop.time() < until:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_LOOK)
        for protocol in tuple(self._connections):
            request = getattr(protocol.http, "request", None)
            if request is not None and protocol.http.stage is not Stage.IDLE:  # it has its answer
                logger.warning("%s %s was cut off", request.method, request.path)
            protocol.abort()
        await asyncio.sleep(0)  # for transports that were aborted


def break_off(connections: Collection[Any]) -> None:
    """Have each of *connections* answer 503 where no answer has begun, and cut off the others."""
    now = perf_counter()
    failure = ServiceUnavailable("The service stops, and could not finish in time.")
    for protocol in tuple(connections):
        if getattr(protocol, "websocket", None) is not None:
            protocol.websocket.fail_connection(GOING_AWAY)
        elif is_idle(protocol):
            protocol.close()
        elif protocol.http is not None:
            protocol.clock.end(failure, now)


async def _close_websocket(websocket: Any) -> None:
    """Close a websocket with the code that tells its client to connect elsewhere."""
    await websocket.close(GOING_AWAY)


def is_idle(protocol: Any) -> bool:
    """Return whether the connection of *protocol* waits for a request that has not begun."""
    http, transport = protocol.http, protocol.transport
    if transport is None or transport.is_closing() or protocol.recv_buffer:
        return False
    # NOTE: the task of a connection begins with its first bytes.
    waits = protocol._task is None if http is None else http.stage is Stage.IDLE
    return waits and not _has_arrived(transport)


def _has_arrived(transport: asyncio.Transport) -> bool:
    """Return whether bytes wait in the kernel to be read."""
    sock = transport.get_extra_info("socket")
    try:
        count = fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4))
    except (AttributeError, OSError):
        return False
    return int.from_bytes(count, sys.byteorder) > 0
