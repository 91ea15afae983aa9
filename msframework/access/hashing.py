"""`HashingThreads`: a few threads for slow work that needs much memory, with a bounded queue.

Runs where passwords are hashed.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from msframework.exceptions import ServiceUnavailable

P = ParamSpec("P")
T = TypeVar("T")


class HashingThreads:
    """Runs functions in *threads* threads; at most *waiting* more calls wait for one.

    The threads start with the first call and end with the last one, so that there is nothing to
    close, and none is lost when a worker forks.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._threads, self._most = threads, threads + waiting
        self._current = ProcessThreads()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result of *function*; cancelled, it is not started, or its result dropped.

        Raises:
            ServiceUnavailable: *waiting* calls wait already.
        """
        return await asyncio.wrap_future(self._begin(partial(function, *args, **kwargs)))

    def _begin(self, work: Callable[[], T]) -> Future[T]:
        if self._current.pid != os.getpid():  # a forked process has no threads of its parent
            self._current = ProcessThreads()
        current = self._current
        with current.lock:
            if current.busy >= self._most:
                raise ServiceUnavailable(
                    "too many passwords are being checked", headers={"Retry-After": "1"}
                )
            if current.executor is None:
                current.executor = ThreadPoolExecutor(self._threads, "msframework-password")
            future = current.executor.submit(work)
            current.busy += 1
        future.add_done_callback(current.leave)
        return future


class ProcessThreads:
    """The threads of the current process, which a fork does not inherit.

    Attributes:
        busy: the calls that run or wait. One that was cancelled after its start still counts, as
            it still uses memory.
    """

    __slots__ = ("busy", "executor", "lock", "pid")

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.executor: ThreadPoolExecutor | None = None
        self.busy = 0

    def leave(self, future: Future[T]) -> None:
        """Count a call that has ended; the last one ends the threads."""
        with self.lock:
            self.busy -= 1
            ended = None if self.busy else self.executor
            if ended is not None:
                self.executor = None
        if ended is not None:
            ended.shutdown(wait=False)
