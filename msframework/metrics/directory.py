"""The directory in which the workers of one supervisor share their metrics.

Runs in the supervisor's process when it starts and ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from msframework.exceptions import ImproperlyConfigured

_IN_MEMORY: Final = "/dev/shm"  # noqa: S108 - the directory in it is made for us alone
_PREFIX: Final = "msframework-metrics-"
_LOCK: Final = "supervisor.lock"
_ROOM: Final = 1024 * 1024  # bytes, which a few workers need


@contextmanager
def shared_directory() -> Iterator[str]:
    """Make a directory for the block; also remove those that killed supervisors left behind.

    Raises:
        ImproperlyConfigured: no directory can be made.
    """
    path, lock = _make_directory()
    try:
        yield path
    finally:
        os.close(lock)
        shutil.rmtree(path, ignore_errors=True)


def _make_directory() -> tuple[str, int]:
    """Return a new directory and its lock, in memory where possible, as every request writes."""
    try:
        return _make_in(_IN_MEMORY)
    except OSError:
        pass
    try:
        return _make_in(tempfile.gettempdir())
    except OSError as exc:
        raise ImproperlyConfigured(
            f"The workers cannot share their metrics ({exc.strerror or exc}); expected a directory "
            "for temporary files that this process may write to, with room. Name one in TMPDIR."
        ) from exc


def _make_in(parent: str) -> tuple[str, int]:
    """Return a new directory in *parent* that has room, and its lock.

    Raises:
        OSError: it cannot be made there, or has none.
    """
    _remove_abandoned(parent)
    path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    try:
        lock = _take_lock(os.path.join(path, _LOCK))
        try:
            os.posix_fallocate(lock, 0, _ROOM)
            os.truncate(lock, 0)
        except OSError:
            os.close(lock)
            raise
    except OSError:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return path, lock


def _take_lock(path: str) -> int:
    """Return the descriptor of a new file at *path*, which appears there already locked."""
    lock = os.open(f"{path}.new", os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.rename(f"{path}.new", path)
    return lock


def _remove_abandoned(parent: str) -> None:
    """Remove the directories of supervisors of this user that no longer live.

    NOTE: a lock ends with its process. Process ids would not do, as each container has its own.
    """
    for path in Path(parent).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # of another user, just removed, without a lock yet, or locked
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
