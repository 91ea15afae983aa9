"""A client that sends any bytes in any pieces, over real transports, and knows when to look.

It waits for no clock: after each piece it lets the loop turn until the server asks for more bytes
or has ended the connection.
"""

import asyncio
import re
import socket
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import zip_longest

from msframework.serving.protocol import choose_protocol
from msframework.testing.server import Server

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n")
_CONNECTION = re.compile(rb"\r\nconnection: ([^\r\n]*)\r\n", re.IGNORECASE)
_MOST_TURNS = 2000
_MOST_PAUSES = 10_000  # of a millisecond at the least


async def _turns():
    """Let the loop turn, again and again; a file is read by a thread, which needs longer."""
    for turn in range(_MOST_TURNS + _MOST_PAUSES):
        await asyncio.sleep(0 if turn < _MOST_TURNS else 0.001)
        yield turn


@dataclass(frozen=True)
class Outcome:
    """What a stranger saw: (status, connection, body) of each answer, and whether it was closed."""

    answers: tuple[tuple[int, str, bytes], ...]
    closed: bool

    @property
    def statuses(self):
        """The statuses of the answers."""
        return [status for status, _, _ in self.answers]


def read_answers(data):
    """Return status, connection header and what follows the head, for each answer in *data*."""
    found = []
    starts = list(_STATUS.finditer(data))
    for start, following in zip_longest(starts, starts[1:]):
        part = data[start.start() : following.start() if following else None]
        head, _, body = part.partition(b"\r\n\r\n")
        connection = _CONNECTION.search(head + b"\r\n")
        found.append((int(start[1]), connection[1].decode() if connection else "", body))
    assert bool(starts) == bool(data), data[:200]
    return tuple(found)


class Stranger:
    """One connection to a served service."""

    def __init__(self, sock, protocol):
        self._sock, self.protocol = sock, protocol
        self._received, self.closed = b"", False

    async def send(self, *pieces):
        """Send *pieces*, each when the server has dealt with the one before."""
        for piece in pieces:
            self._send(piece)
            await self.settle(len(piece))

    def _send(self, piece):
        try:
            sent = self._sock.send(piece)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return
        assert sent == len(piece)

    async def settle(self, size=0):
        """Let the loop turn until the server waits for this connection, or is done with it."""
        protocol = self.protocol
        protocol.wanted += size
        async for _ in _turns():
            if protocol.settled:
                break
        else:
            raise AssertionError(f"the server came to no rest at {protocol._http.stage}")
        for _ in range(3):  # until what was written is sent
            await asyncio.sleep(0)
        if isinstance(self._sock, ssl.SSLSocket) and protocol.is_closing:
            async for _ in _turns():  # TLS ends in several steps
                if protocol.conn_info.lost:
                    break

    def outcome(self):
        """Return what was received so far."""
        while not self.closed:
            try:
                data = self._sock.recv(1 << 20)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except (ConnectionResetError, ssl.SSLError):
                data = b""
            self._received += data
            self.closed = not data
        return Outcome(read_answers(self._received), self.closed)

    @property
    def received(self):
        """The bytes that `outcome` read."""
        return self._received

    async def close(self):
        """Hang up, and see the server's side end."""
        self._sock.close()
        async for _ in _turns():
            if self.protocol.conn_info.lost and self.protocol._task is None:
                return
        raise AssertionError("the server did not notice that its client is gone")


def _watched(kind):
    """Return a subclass of the protocol *kind* that tells whether it waits for bytes."""

    class Watched(kind):
        __slots__ = ("early", "got", "hungry", "wanted")

        def __init__(self, early, **options):
            super().__init__(**options)
            self.early, self.hungry = early, False
            self.got = self.wanted = 0

        def begin(self, transport):
            super().begin(transport)
            if self.early:
                self.data_received(self.early)

        def data_received(self, data):
            self.got += len(data)
            super().data_received(data)

        async def receive_more(self):
            self.hungry = True
            try:
                await super().receive_more()
            finally:
                self.hungry = False

        @property
        def is_closing(self):
            return self.transport is None or self.transport.is_closing()

        @property
        def is_ending(self):
            # TLS drops what comes behind the end of the answers.
            lingers = getattr(self.transport, "_has_ended", False)
            return self.is_closing or (self._task is None and self.got > 0) or lingers

        @property
        def settled(self):
            if self.conn_info is None:
                return False
            if self.is_ending:
                return True
            waits = self.hungry and not self._data_received.is_set()
            upgraded = getattr(self, "websocket", None) is not None
            waits = waits or self._task is None or self.waiter is not None
            return self.got >= self.wanted and (waits or upgraded)

    return Watched


async def _shake_hands(context, sock):
    """Return *sock* with TLS."""
    sock = context.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False)
    async for _ in _turns():
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            continue
        return sock
    raise AssertionError("the handshake came to no end")


class Street:
    """Where strangers come from: makes connections to one served service.

    Args:
        context: the client's side of TLS, where the service has it.
    """

    def __init__(self, service, context=None):
        self.service, self._context = service, context
        self._kind = _watched(choose_protocol(service))
        self._strangers = []

    async def meet(self, first=b""):
        """Return a new connection; the bytes *first* arrive together with it."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        protocol = self._kind(early=first, loop=loop, app=self.service, connections=set(), state={})
        await loop.connect_accepted_socket(lambda: protocol, theirs)
        if self._context is not None:
            ours = await _shake_hands(self._context, ours)
        stranger = Stranger(ours, protocol)
        self._strangers.append(stranger)
        await stranger.settle()
        return stranger

    async def exchange(self, *pieces):
        """Return what comes of *pieces* on a connection of its own."""
        stranger = await self.meet()
        await stranger.send(*pieces)
        outcome = stranger.outcome()
        await stranger.close()
        return outcome

    async def leave(self):
        """Close what is open."""
        for stranger in self._strangers:
            await stranger.close()


@asynccontextmanager
async def street_of(service, context=None):
    """Serve *service* to strangers for the time of the block; see `Street`."""
    server = Server(service)
    await server.start()
    street = Street(service, context)
    try:
        yield street
    finally:
        await street.leave()
        await server.stop()
