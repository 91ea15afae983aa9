"""Settings of the measured service with metrics and shedding: metrics.py compares."""

from benchmarks.measured import *  # noqa: F403

SHEDDING = True
