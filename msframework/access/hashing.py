"""`HashingThreads`: a few threads for work that takes long and much memory, and a bound for it.

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
    """Runs functions in *threads* threads, with *waiting* more before them at most.

    The threads begin with the first work and end with the last, so that there is nothing to close:
    neither an idle service nor one that stops has any, and none is lost when a worker forks.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._threads, self._most = threads, threads + waiting
        self._crew = Crew()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what *function* returns; cancelled, it is not begun, or its result is dropped.

        Raises:
            ServiceUnavailable: as many wait as may.
        """
        return await asyncio.wrap_future(self._begin(partial(function, *args, **kwargs)))

    def _begin(self, work: Callable[[], T]) -> Future[T]:
        if self._crew.pid != os.getpid():  # a fork has none of the threads
            self._crew = Crew()
        crew = self._crew
        with crew.lock:
            if crew.busy >= self._most:
                raise ServiceUnavailable(
                    "too many passwords are being checked", headers={"Retry-After": "1"}
                )
            if crew.executor is None:
                crew.executor = ThreadPoolExecutor(self._threads, "msframework-password")
            future = crew.executor.submit(work)
            crew.busy += 1
        future.add_done_callback(crew.leave)
        return future


class Crew:
    """The threads of one process.

    Attributes:
        busy: the work that has begun or waits. What was cancelled after it began still counts, as
            its memory does.
    """

    __slots__ = ("busy", "executor", "lock", "pid")

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.executor: ThreadPoolExecutor | None = None
        self.busy = 0

    def leave(self, future: Future[T]) -> None:
        """Count a piece of work that has ended; the last one ends the threads."""
        with self.lock:
            self.busy -= 1
            ended = None if self.busy else self.executor
            if ended is not None:
                self.executor = None
        if ended is not None:
            ended.shutdown(wait=False)
