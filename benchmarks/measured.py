"""Settings of the measured service whose metrics can be read: metrics.py compares."""

from benchmarks.settings import *  # noqa: F403

OPERATIONS_PORT = 0
