"""The metrics of several workers: two files for each in one directory, added up per scrape.

A worker has two files: `NAME.series`, a line of JSON for each metric and each series, and
`NAME.cells`, their numbers, which it maps into its memory. As long as it lives it holds a lock
(flock(2)) on the first; a process that gets that lock knows that the worker is dead. It adds the
worker's counters and histograms to those of all dead workers, in the file `dead.json`, and removes
the worker's files. The lock of the directory is held while files are made, added up or removed.

Runs when a worker starts, when a series is new, and per scrape.
"""

from __future__ import annotations

import logging
import mmap
import os
import secrets
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from threading import RLock
from typing import Final

from msframework.metrics.facts import MetricFacts, MetricKind
from msframework.metrics.series import Cells, allocate_array
from msframework.metrics.snapshot import Snapshot
from msframework.metrics.table import (
    SharedTable,
    read_store,
    write_metric,
    write_series,
    write_store,
)

logger = logging.getLogger("msframework.metrics")

SEGMENT: Final = 64 * 1024  # bytes by which the cells of a worker grow
_LARGEST: Final = 64 * 1024 * 1024  # bytes of one file that a reader takes
_PREFIX, _SERIES, _CELLS = "worker-", ".series", ".cells"
_LOCK, _STORE = "lock", "dead.json"


class WorkerFile:
    """The two files with the numbers of this process.

    Raises:
        OSError: the files cannot be made.
    """

    def __init__(self, shared: SharedMetrics) -> None:
        name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(6)}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._size = 0
        self._free: memoryview[float] = memoryview(array("d"))
        self._start = 0  # the place of `_free` among all cells
        self._declared: set[str] = set()
        self._lock = RLock()
        with shared.locked():
            shared.fold()
            self._table = os.open(shared.path / f"{name}{_SERIES}", flags, 0o600)
            flock(self._table, LOCK_EX | LOCK_NB)
            self._cells = os.open(shared.path / f"{name}{_CELLS}", flags & ~os.O_APPEND, 0o600)
            self._grow()

    def allocator(self, facts: MetricFacts) -> Callable[[int, tuple[str, ...]], Cells]:
        """Return the function that allocates the cells of series of *facts*."""

        def allocate(count: int, labels: tuple[str, ...]) -> Cells:
            try:
                with self._lock:
                    return self._allocate(facts, count, labels)
            except OSError as exc:
                logger.error("a series of %s cannot be shared: %s", facts.name, exc)
                return allocate_array(count)

        return allocate

    def _allocate(self, facts: MetricFacts, count: int, labels: tuple[str, ...]) -> Cells:
        if count > len(self._free):
            self._grow()
        cells, self._free = self._free[:count], self._free[count:]
        if facts.name not in self._declared:
            os.write(self._table, write_metric(facts))
            self._declared.add(facts.name)
        os.write(self._table, write_series(facts, labels, self._start))
        self._start += count
        return cells

    def _grow(self) -> None:
        # NOTE: with its pages, so that a full disk is an error here and not the end of the process
        # (SIGBUS) when a page is written for the first time.
        os.posix_fallocate(self._cells, self._size, SEGMENT)
        segment = mmap.mmap(self._cells, SEGMENT, offset=self._size)
        self._free = memoryview(segment).cast("d")
        self._start = self._size // 8
        self._size += SEGMENT

    def close(self) -> None:
        """Close the files; for readers this worker is dead from now on."""
        self._free = memoryview(array("d"))
        for descriptor in (self._table, self._cells):
            with suppress(OSError):
                os.close(descriptor)


class SharedMetrics:
    """The metrics of all workers that share a directory.

    Attributes:
        path: the directory, which exists.
    """

    def __init__(self, directory: str | Path) -> None:
        self.path = Path(directory)

    def collect(self) -> Snapshot:
        """Return the numbers of all workers, except those whose files cannot be read."""
        snapshot = Snapshot()
        with self.locked():
            left = self.fold()
            store = read_store(self._load(self.path / _STORE))
            for name in sorted(self._names(), reverse=True):
                if name not in left:
                    self._read(name).add_to(snapshot)
                elif name not in store.names:
                    self._read(name).add_to(snapshot, leave_out=MetricKind.GAUGE)
            store.add_to(snapshot)
        return snapshot

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the directory."""
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            flock(descriptor, LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def fold(self) -> Sequence[str]:
        """Add the counters and histograms of newly dead workers to the sums; remove their files.

        Where there is no room for the sums, all stays; return the names of the dead that are left.

        NOTE: the caller holds the lock of the directory. The file of the sums names the workers in
        it, so that none is added twice if this is interrupted before its files are removed.
        """
        names = [name for name in self._names() if self._is_dead(name)]
        if not names:
            return ()
        store = self.path / _STORE
        table = read_store(self._load(store))
        sums = Snapshot()
        table.add_to(sums)
        for name in names:
            if name not in table.names:
                self._read(name).add_to(sums, leave_out=MetricKind.GAUGE)
        new = store.with_suffix(".new")
        try:
            new.write_bytes(write_store(sums, names))
            new.replace(store)
        except OSError:
            with suppress(OSError):
                new.unlink()
            return names
        for name in names:
            for suffix in (_CELLS, _SERIES):
                with suppress(OSError):
                    (self.path / f"{name}{suffix}").unlink()
        return ()

    def _names(self) -> list[str]:
        """Return the names of the workers that have files, dead or alive."""
        with os.scandir(self.path) as entries:
            found = {
                entry.name.rpartition(".")[0]
                for entry in entries
                if entry.name.startswith(_PREFIX)
                and entry.name.endswith((_SERIES, _CELLS))
                and entry.is_file(follow_symlinks=False)
            }
        return sorted(found)

    def _is_dead(self, name: str) -> bool:
        try:
            descriptor = os.open(self.path / f"{name}{_SERIES}", os.O_RDONLY)
        except OSError as exc:
            return isinstance(exc, FileNotFoundError)
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _read(self, name: str) -> SharedTable:
        lines = self._load(self.path / f"{name}{_SERIES}")
        numbers = self._load(self.path / f"{name}{_CELLS}")
        return SharedTable.read(lines, numbers)

    @staticmethod
    def _load(path: Path) -> bytes:
        """Return the bytes of a file, or b"" if it cannot be read."""
        try:
            with path.open("rb") as file:
                return file.read(_LARGEST)
        except OSError:
            return b""
