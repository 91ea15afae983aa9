"""What an operator asks of a supervisor: the probes and metrics of all its workers.

Runs in the first process of `runserver`, where there are workers.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from msframework.conf.settings import Settings
from msframework.management.supervisor import Supervisor
from msframework.metrics.registry import DIRECTORY_VARIABLE
from msframework.metrics.shared import SharedMetrics
from msframework.operations.server import OperationsServer
from msframework.operations.workers import WorkersSource


@contextmanager
def sharing_metrics(settings: Settings) -> Iterator[SharedMetrics | None]:
    """Make a directory for the metrics of workers, and remove it; `None` where none are counted."""
    os.environ.pop(DIRECTORY_VARIABLE, None)
    if not settings.is_measured:
        yield None
        return
    directory = tempfile.mkdtemp(prefix="msframework-metrics-")  # nobody else may enter it
    os.environ[DIRECTORY_VARIABLE] = directory
    try:
        yield SharedMetrics(directory)
    finally:
        del os.environ[DIRECTORY_VARIABLE]
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def answering(
    sock: socket.socket | None, supervisor: Supervisor, metrics: SharedMetrics | None
) -> Iterator[None]:
    """Answer for the workers of *supervisor* at *sock* during the block, where there is one."""
    if sock is None or metrics is None:
        yield
        return
    source = WorkersSource(supervisor.statuses, lambda: supervisor.is_stopping, metrics.render)
    server = OperationsServer(sock, source)
    server.start()
    try:
        yield
    finally:
        server.stop()
