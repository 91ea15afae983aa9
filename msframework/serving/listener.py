"""`ListeningSocket`: ends listening so that every connection that the kernel accepts is served.

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

# The number of this option in Linux (asm-generic/socket.h), which the module `socket` lacks.
_SO_ATTACH_FILTER: Final = 26
# A classic BPF program for TCP headers: drop segments that begin a connection, SYN without ACK
# (RFC 9293, 3.1), and keep all others, so that handshakes under way are completed.
_NO_SYN: Final = (
    (0x30, 0, 0, 13),  # load the byte with the flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK of them
    (0x15, 0, 1, 0x02),
    (0x06, 0, 0, 0),  # SYN alone: drop
    (0x06, 0, 0, 0xFFFFFFFF),
)
_HANDSHAKE: Final = 0.1  # seconds for TCP handshakes under way
_LOOK: Final = 0.002  # seconds between two looks whether a connection waits


def refuse_connections(sock: socket.socket) -> None:
    """Have the kernel begin no further connections on *sock*; those that wait can be accepted.

    The SYN of a later client is dropped, so it sends another after a second, and finds the port
    closed or another server on it. This holds for all processes that have the socket, and is not
    undone. Where the kernel has no socket filters nothing happens.
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
        sock: a listening socket.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        name = sock.getsockname()
        is_file = sock.family == socket.AF_UNIX and isinstance(name, str) and bool(name)
        # NOTE: the working directory may change.
        self._path = os.path.abspath(name) if is_file else None
        self._identity = self._look()

    def _look(self) -> tuple[int, int] | None:
        with suppress(OSError):
            if self._path is not None:
                found = os.lstat(self._path)
                return found.st_dev, found.st_ino
        return None

    async def accept_the_rest(self, until: float, *, shared: bool) -> None:
        """Wait until the running loop has accepted every connection that waits on the socket.

        Args:
            until: the time of the loop at which the waiting ends in any case.
            shared: whether other processes accept on the socket, too; then this does not wait.
        """
        if shared:
            return
        if self._path is None:
            refuse_connections(self._sock)
            await asyncio.sleep(_HANDSHAKE)
        elif self._identity is not None and self._look() == self._identity:
            with suppress(OSError):
                os.unlink(self._path)  # so that no client finds it
        loop = asyncio.get_running_loop()
        while _has_waiting(self._sock) and loop.time() < until:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(_LOOK)


def _has_waiting(sock: socket.socket) -> bool:
    """Return whether a connection waits to be accepted."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))
