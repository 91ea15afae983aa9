"""The limit of open files of a worker, and of the connections that it allows. Runs at start-up."""

from __future__ import annotations

import logging
import os
import resource
from contextlib import suppress
from typing import Final

from msframework.conf.settings import Settings

logger = logging.getLogger("msframework.server")
MOST_CONNECTIONS: Final = 10_000  # where MAX_CONNECTIONS says nothing
# Connections that may wait to be accepted, unless the kernel allows fewer (net.core.somaxconn).
# Without room for its connection a client tries again after a second.
BACKLOG: Final = 2048
# Descriptors for anything but callers and pools: files, logs, pipes, listening sockets, probes,
# refused connections that are not closed yet, and what the service's own code opens.
_RESERVE: Final = 256


def hold_standard() -> None:
    """Open /dev/null in the place of standard input, output or error where one is closed.

    NOTE: otherwise a socket or a file gets that number. Then libuv ends the process when it closes
    the socket, and what writes to standard error writes into the file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # It gets the lowest number that is free, and is for the processes started here, too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def raise_limit() -> None:
    """Raise the soft limit of open files to the hard one, for this process and those it starts.

    NOTE: the soft one is 1,024 on most systems, for the sake of programs that use `select`, which
    nothing here does; see systemd.exec(5), LimitNOFILE.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # the hard limit may be above the kernel's present one
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def choose_most(settings: Settings) -> int:
    """Return the most connections that a worker holds; warn if `MAX_CONNECTIONS` does not fit."""
    wanted = settings.operations.max_connections
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return wanted or MOST_CONNECTIONS
    needed = _needed(settings)
    most = max(1, limit // 2, limit - needed)
    if wanted is not None and wanted > most:
        logger.warning(
            "MAX_CONNECTIONS is %s, but a worker may open %s files, of which %s are for databases, "
            "services and itself; it holds %s connections. Raise the limit (ulimit -n, or "
            "LimitNOFILE= of systemd), or lower MAX_CONNECTIONS.",
            wanted,
            limit,
            limit - most,
            most,
        )
    return min(wanted or MOST_CONNECTIONS, most)


def _needed(settings: Settings) -> int:
    """Return the number of descriptors that a worker needs beside those of its callers."""
    database = settings.database
    pools = database.max_size * (1 + len(database.replicas))
    return _RESERVE + pools + sum(entry.limit for entry in settings.services.values())
