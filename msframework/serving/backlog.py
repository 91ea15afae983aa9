"""Accepts the connections that wait on a listening socket, many at once.

uvloop accepts one in each turn of its loop. Where turns are long, new callers would wait in the
kernel while those that are connected are served, and no limit would know of them. Runs several
times a second, and costs one call of the kernel where nobody waits.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

_MOST: Final = 512  # connections at once


class Backlog:
    """The connections that wait to be accepted by one worker.

    Attributes:
        sock: the listening socket; `None` where only the loop knows it.
        make: what makes the protocol of a connection; known from the first one on.
    """

    def __init__(self) -> None:
        self.sock: socket.socket | None = None
        self.make: Callable[[], Any] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def accept(self) -> None:
        """Accept those that wait, up to a bound; the loop accepts the others."""
        sock, make = self.sock, self.make
        if sock is None or make is None or sock.fileno() < 0 or sock.gettimeout() != 0:
            return
        loop = asyncio.get_running_loop()
        # NOTE: nobody waits, the server has ended, or the process has no file descriptor left.
        with suppress(OSError):
            for _ in range(_MOST):
                connection, _ = sock.accept()
                connection.setblocking(False)
                task = loop.create_task(loop.connect_accepted_socket(make, connection))
                self._tasks.add(task)
                task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[Any]) -> None:
        """Let go of *task*; a connection that was broken off at once is no failure."""
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()
