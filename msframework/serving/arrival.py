"""The time since a connection last received data in the kernel, whether it was read or not.

A loop that is late accepts connections late; only the kernel knows how long they have waited. Runs
per new connection while the loop stays late.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Final

_TCP_INFO: Final = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
# The offset of tcpi_last_data_recv, in milliseconds, in struct tcp_info of linux/tcp.h (tcp(7)).
_LAST_DATA_RECEIVED: Final = 52
_SIZE: Final = 56


def seconds_since_data(transport: asyncio.BaseTransport) -> float:
    """Return the seconds since data last arrived; 0 where the system does not tell."""
    sock = transport.get_extra_info("socket")
    if _TCP_INFO is None or sock is None or sock.family == getattr(socket, "AF_UNIX", None):
        return 0.0
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _SIZE)
    except OSError:  # it is closed
        return 0.0
    if len(info) < _SIZE:
        return 0.0
    milliseconds: int = struct.unpack_from("@I", info, _LAST_DATA_RECEIVED)[0]
    return milliseconds / 1000
