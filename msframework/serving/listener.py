"""A listening socket at its end: no connection is accepted by the kernel that nobody serves.

Runs while a service stops.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import socket
import struct
from contextlib import suppress
from typing import Final

# Linux's number of this option, which Python's socket module lacks (asm-generic/socket.h).
_SO_ATTACH_FILTER: Final = 26
# A filter for the headers of TCP: drop what begins a connection, SYN without ACK (RFC 9293, 3.1),
# and keep all else, so that handshakes under way come to their end.
_NO_SYN: Final = (
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x54, 0, 0, 0x12),  # of which SYN and ACK count
    (0x15, 0, 1, 0x02),
    (0x06, 0, 0, 0),  # SYN alone: keep nothing
    (0x06, 0, 0, 0xFFFFFFFF),
)
_HANDSHAKE: Final = 0.1  # seconds for the rest of handshakes of TCP
_LOOK: Final = 0.002


def refuse_connections(sock: socket.socket) -> None:
    """Have the kernel take no further connections on *sock*; those that wait can be accepted.

    A client that comes later tries again after a second, as after a packet that was lost, and finds
    the port closed or another server on it. This is for every process that has the socket, and
    cannot be undone; where the kernel knows no filters nothing happens.
    """
    if sock.family == socket.AF_UNIX:
        return
    code = b"".join(struct.pack("HBBI", *line) for line in _NO_SYN)
    kept = ctypes.create_string_buffer(code)
    program = struct.pack("HL", len(_NO_SYN), ctypes.addressof(kept))
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


class ListeningSocket:
    """The socket that a service accepts connections on.

    Args:
        sock: a socket that listens.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        name = sock.getsockname()
        is_file = sock.family == socket.AF_UNIX and isinstance(name, str) and bool(name)
        # NOTE: the working directory may be another one later.
        self._path = os.path.abspath(name) if is_file else None
        self._identity = self._look()

    def _look(self) -> tuple[int, int] | None:
        with suppress(OSError):
            if self._path is not None:
                found = os.lstat(self._path)
                return found.st_dev, found.st_ino
        return None

    async def accept_the_rest(self, until: float, *, shared: bool) -> None:
        """Let the running loop, which accepts on the socket, take what waits there.

        Args:
            until: the time of the loop when what still waits is left alone.
            shared: whether others accept on it, too, now or later: then nothing need be emptied.
        """
        if shared:
            return
        if self._path is None:
            refuse_connections(self._sock)
            await asyncio.sleep(_HANDSHAKE)
        elif self._identity is not None and self._look() == self._identity:
            with suppress(OSError):
                os.unlink(self._path)  # nobody finds it any more
        loop = asyncio.get_running_loop()
        while _has_waiting(self._sock) and loop.time() < until:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(_LOOK)


def _has_waiting(sock: socket.socket) -> bool:
    """Return whether a connection waits to be accepted."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))
