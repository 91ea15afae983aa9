"""A listening socket at its end: no connection is accepted by the kernel that nobody serves.

Runs while a service stops.
"""

from __future__ import annotations

import asyncio
import ctypes
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
    with suppress(OSError):
        if sock.family == socket.AF_UNIX:
            sock.shutdown(socket.SHUT_RD)
        else:
            code = b"".join(struct.pack("HBBI", *line) for line in _NO_SYN)
            kept = ctypes.create_string_buffer(code)
            program = struct.pack("HL", len(_NO_SYN), ctypes.addressof(kept))
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


async def accept_the_rest(sock: socket.socket, until: float, *, shared: bool) -> None:
    """Let the running loop, which accepts on *sock*, take what waits there.

    Args:
        sock: a socket that listens.
        until: the time of the loop when it is left alone in any case.
        shared: whether others accept on it, too, now or later: then nothing need be emptied.
    """
    loop = asyncio.get_running_loop()
    if not shared:
        refuse_connections(sock)
        if sock.family != socket.AF_UNIX:
            await asyncio.sleep(_HANDSHAKE)
        while _has_waiting(sock) and loop.time() < until:  # noqa: ASYNC110 - the kernel tells not
            await asyncio.sleep(_LOOK)


def _has_waiting(sock: socket.socket) -> bool:
    """Whether a connection waits to be accepted."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))
