"""`MetricsSharing`: the part that shares the metrics of a supervised worker.

Runs when a worker starts and stops.
"""

from __future__ import annotations

import os

from msframework.metrics.registry import DIRECTORY_VARIABLE, Metrics


class MetricsSharing:
    """Shares *metrics* in the directory of the supervisor, where there is one."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def start(self) -> None:
        """Move the numbers into files of this worker."""
        directory = os.environ.get(DIRECTORY_VARIABLE)
        if directory:
            self._metrics.begin_sharing(directory)

    async def stop(self) -> None:
        """Leave the files to their readers."""
        self._metrics.end_sharing()
