"""Parts start in order and stop in reverse, each within its time; failures are logged.

Runs when a worker starts and stops.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import signal
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from msframework.aio import is_failure
from msframework.types import Part

# Seconds for a stop that was cancelled to end.
CANCEL_TIMEOUT: Final = 1.0
logger = logging.getLogger("msframework.lifecycle")


@dataclass(slots=True)
class Place:
    """The place of one part among the others; `part` is `None` where there is none to start."""

    name: str
    part: Part | None


class Parts:
    """The parts of one service, in the order in which they start."""

    def __init__(self, stop_timeout: float) -> None:
        self._stop_timeout = stop_timeout
        self._places: list[Place] = []
        self._started: list[Part] = []
        self._is_stopped, self._stopping = False, asyncio.Lock()

    def add(self, part: Part, name: str | None = None) -> None:
        """Take *part*, to be started after all that were added before.

        Args:
            name: the name for `replace`; the name of its class when `None`.

        Raises:
            TypeError: it is a class, or has no coroutine methods `start` and `stop`.
            ValueError: there is a part of that name.
        """
        _check(part, "add_part")
        if name is not None and any(name == place.name for place in self._places):
            raise ValueError(
                f"add_part got the name {name!r}, which another part has. Choose another name."
            )
        self._places.append(Place(type(part).__name__ if name is None else name, part))

    def reserve(self, name: str) -> None:
        """Keep a place for a part *name*, which only `replace` may bring."""
        self._places.append(Place(name, None))

    def replace(self, name: str, part: Part) -> None:
        """Put *part* in the place of the part *name*.

        Raises:
            TypeError: it is a class, or has no coroutine methods `start` and `stop`.
            ValueError: no part has that name, or several have.
        """
        _check(part, "replace_part")
        found = [place for place in self._places if place.name == name]
        if len(found) != 1:
            known = ", ".join(repr(place.name) for place in self._places)
            raise ValueError(
                f"replace_part got the name {name!r}, which {len(found) or 'no'} parts have; "
                f"there are {known}. A part gets a name of its own by add_part(part, name=…)."
            )
        found[0].part = part

    def items(self) -> Iterator[tuple[str, Part]]:
        """Yield the name of each part, and the part."""
        for place in self._places:
            if place.part is not None:
                yield place.name, place.part

    @property
    def running(self) -> bool:
        """Whether any part is started."""
        return bool(self._started)

    async def start(self) -> None:
        """Start every part; when one fails, those before it are stopped and the error surfaces."""
        self._is_stopped, self._stopping = False, asyncio.Lock()
        try:
            for place in self._places:
                if place.part is not None:
                    await place.part.start()
                    self._started.append(place.part)
                    # NOTE: a start may swallow its cancellation, and go on while the others stop.
                    if self._is_stopped:
                        raise asyncio.CancelledError
        except BaseException:
            await self.stop()
            raise

    @property
    def longest_stop(self) -> float:
        """The most seconds that `stop` may take now."""
        return len(self._started) * (self._stop_timeout + CANCEL_TIMEOUT)

    async def stop(self) -> None:
        """Stop the started parts, in reverse; failures and time-outs are logged, none is raised.

        One call waits for another, such as that of a start that was broken off.
        """
        self._is_stopped = True
        async with self._stopping:
            while self._started:
                part = self._started.pop()
                await complete(part.stop(), self._stop_timeout, _name(part))


async def complete(work: Coroutine[Any, Any, object], seconds: float, name: str) -> None:
    """Await *work* of a stop, but no longer than *seconds*; what goes wrong is logged.

    Work that is too late is cancelled, and left to itself if it does not end then either.

    Args:
        work: the work.
        seconds: the time that it has.
        name: whose work it is, for the log.
    """
    task = asyncio.ensure_future(_end_of(work))
    try:
        await asyncio.wait((task,), timeout=seconds)
    finally:
        is_late = not task.done()
        if is_late:
            task.cancel()
    if is_late:
        logger.error("%s did not stop within %s s", name, seconds)
        await asyncio.wait((task,), timeout=CANCEL_TIMEOUT)
        if not task.done():
            logger.error("%s ignores that it was cancelled, and is left behind", name)
            return
    failure = None if task.cancelled() else task.result()
    if failure is not None:
        logger.error("%s failed to stop", name, exc_info=failure)


async def _end_of(work: Coroutine[Any, Any, object]) -> BaseException | None:
    """Await *work*; return its failure, as a `SystemExit` that leaves a task ends the loop."""
    task = asyncio.current_task()
    try:
        await work
    except BaseException as exc:
        if not is_failure(exc, task):
            raise
        return exc
    return None


def _check(part: object, method: str) -> None:
    """Refuse an object that cannot be started and stopped; *method* names who got it."""
    if isinstance(part, type):
        raise TypeError(
            f"{method} got the class {part.__qualname__}; expected a part. "
            f"Make one: {part.__qualname__}(…)."
        )
    for name in ("start", "stop"):
        if not _is_coroutine(getattr(part, name, None)):
            raise TypeError(
                f"{method} got {part!r}, which has no coroutine method {name!r}. "
                f"Write `async def {name}(self)`."
            )


def _is_coroutine(method: object) -> bool:
    """Tell whether *method* can be awaited; one without a function behind it is believed."""
    function = inspect.unwrap(method) if callable(method) else method
    while isinstance(function, partial):
        function = function.func
    if not inspect.isroutine(function):
        return callable(function)
    return inspect.iscoroutinefunction(function)


def _name(part: object) -> str:
    return type(part).__name__


def ignore_repeated_signals() -> None:
    """Let a worker that is stopping already finish, whatever signals still come.

    NOTE: Ctrl-C reaches a worker twice, from the terminal and from Sanic's manager. By then Sanic
    has taken its handlers away, and the second would be a KeyboardInterrupt amid the stop.
    """
    if os.environ.get("SANIC_WORKER_PROCESS") == "true":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
