"""The operations port of a supervisor, and the directory in which its workers share metrics.

Runs in the first process of `runserver`, where there are workers.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from msframework.conf.settings import Settings
from msframework.management.sockets import name_of
from msframework.management.supervisor import Supervisor
from msframework.metrics.directory import shared_directory
from msframework.metrics.registry import DIRECTORY_VARIABLE
from msframework.metrics.shared import SharedMetrics
from msframework.operations.server import OperationsServer
from msframework.operations.source import PATHS
from msframework.operations.workers import WorkersSource


@contextmanager
def sharing_metrics(settings: Settings) -> Iterator[SharedMetrics | None]:
    """Make the directory that workers share metrics in, for the block; `None` without metrics.

    Raises:
        ImproperlyConfigured: no directory can be made.
    """
    os.environ.pop(DIRECTORY_VARIABLE, None)
    if not settings.is_measured:
        yield None
        return
    with shared_directory() as directory:
        os.environ[DIRECTORY_VARIABLE] = directory
        try:
            yield SharedMetrics(directory)
        finally:
            del os.environ[DIRECTORY_VARIABLE]


@contextmanager
def answering(
    sock: socket.socket | None, supervisor: Supervisor, metrics: SharedMetrics | None
) -> Iterator[None]:
    """Serve the operations port of *supervisor* on *sock* during the block, where there is one."""
    if sock is None or metrics is None:
        yield
        return
    source = WorkersSource(supervisor.statuses, lambda: supervisor.is_stopping, metrics.collect)
    server = OperationsServer(sock, source)
    server.start()
    try:
        yield
    finally:
        server.stop()


def place_of_probes(sock: socket.socket) -> str:
    """Return the address and paths of the operations port, for the announcement."""
    root = name_of(sock)
    where = root if root.startswith("unix:") else f"http://{root}"
    return f"{where} ({', '.join(PATHS)})"
