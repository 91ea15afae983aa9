"""The metrics of the process and the interpreter: CPU, memory, file descriptors, the collector.

`register_process` runs at start-up, `GarbageWatch` per garbage collection.
"""

from __future__ import annotations

import gc
import os
import resource
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from msframework.metrics.catalogue import (
    GC_PAUSE,
    PROCESS_CPU,
    PROCESS_MAX_FDS,
    PROCESS_MEMORY,
    PROCESS_OPEN_FDS,
    PROCESS_START,
    WORKER_STARTS,
)
from msframework.metrics.registry import Metrics

# What the supervisor calls the variable that tells a worker why it was started, and the reasons.
START_REASON: Final = "MSFRAMEWORK_START_REASON"
START_REASONS: Final = ("first", "died", "hung", "failed", "renewed", "changed", "stand-in")

_FDS: Final = "/proc/self/fd"
_STAT_MEMORY: Final = "/proc/self/statm"
_PAGE: Final = resource.getpagesize()
# What client libraries of Prometheus, such as Go's, give for no limit.
_UNLIMITED: Final = float(2**64 - 1)


def register_process(metrics: Metrics) -> None:
    """Register the metrics of this process.

    NOTE: memory, descriptors and start come from Linux' /proc; on other systems they are 0.
    """
    metrics.register(PROCESS_CPU, read=time.process_time)
    metrics.register(PROCESS_MEMORY, read=read_memory)
    metrics.register(PROCESS_OPEN_FDS, read=count_descriptors)
    metrics.register(PROCESS_MAX_FDS, read=read_most_descriptors)
    metrics.register(PROCESS_START, read=lambda: read_start(os.getpid()))
    metrics.register(WORKER_STARTS)


def read_memory() -> float:
    """Return the resident memory in bytes."""
    # PERF: a file object would take longer than all other readings (benchmarks/metrics.py).
    with suppress(OSError):
        descriptor = os.open(_STAT_MEMORY, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return float(int(os.read(descriptor, 100).split()[1]) * _PAGE)
        finally:
            os.close(descriptor)
    return 0.0


def count_descriptors() -> float:
    """Return the number of open file descriptors."""
    with suppress(OSError):
        # NOTE: since Linux 6.2 the size of the directory is that number, which saves listing it.
        size = os.stat(_FDS).st_size
        return float(size or len(os.listdir(_FDS)) - 1)
    return 0.0


def read_most_descriptors() -> float:
    """Return the number of file descriptors that the process may have."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _UNLIMITED if limit == resource.RLIM_INFINITY else float(limit)


@cache
def read_start(pid: int) -> float:
    """Return the time when a process was started, in seconds since 1970."""
    with suppress(OSError, ValueError, IndexError):
        # The 22nd field, in ticks since boot (proc(5)); the 2nd, in parentheses, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        ticks = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks
    return 0.0


class GarbageWatch:
    """A part that times garbage collections, and counts the start of its worker."""

    def __init__(self, metrics: Metrics) -> None:
        family = metrics.register(GC_PAUSE)
        self._series = [family.series(str(generation)) for generation in range(3)]
        # NOTE: all of them from the first start on, at 0: Prometheus sees no increase in a series
        # that begins at 1.
        starts = {each: metrics.register(WORKER_STARTS).series(each) for each in START_REASONS}
        self._starts = starts.get(os.environ.get(START_REASON, ""), starts["first"])
        self._began = 0.0

    async def start(self) -> None:
        """Count this start, and begin to time collections."""
        self._starts.add()
        gc.callbacks.append(self._note)

    async def stop(self) -> None:
        """Stop timing collections."""
        with suppress(ValueError):
            gc.callbacks.remove(self._note)

    def _note(self, phase: str, info: dict[str, int]) -> None:
        # NOTE: collections run in whatever thread allocates, one at a time.
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self._series[info["generation"]].observe(time.perf_counter() - self._began)
