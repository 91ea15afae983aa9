"""Parts start in order and stop in reverse, each within its time; what fails is logged.

Runs when a worker starts and stops.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import signal
from functools import partial
from typing import Any

from msframework.types import Part

logger = logging.getLogger("msframework.lifecycle")


class Parts:
    """The parts of one service, in the order in which they start."""

    def __init__(self, stop_timeout: float) -> None:
        self._stop_timeout = stop_timeout
        self._parts: list[Part] = []
        self._started: list[Part] = []

    def add(self, part: Part) -> None:
        """Take *part*, to be started after all that were added before.

        Raises:
            TypeError: it is a class, or has no coroutine methods `start` and `stop`.
        """
        if isinstance(part, type):
            raise TypeError(
                f"add_part got the class {part.__qualname__}; expected a part. "
                f"Make one: {part.__qualname__}(…)."
            )
        for name in ("start", "stop"):
            if not _is_coroutine(getattr(part, name, None)):
                raise TypeError(
                    f"add_part got {part!r}, which has no coroutine method {name!r}. "
                    f"Write `async def {name}(self)`."
                )
        self._parts.append(part)

    @property
    def running(self) -> bool:
        """Whether any part is started."""
        return bool(self._started)

    async def start(self) -> None:
        """Start every part; when one fails, those before it are stopped and the error surfaces."""
        try:
            for part in self._parts:
                await part.start()
                self._started.append(part)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop what was started, in reverse; failures and time-outs are logged, none is raised."""
        while self._started:
            part = self._started.pop()
            try:
                async with asyncio.timeout(self._stop_timeout):
                    await part.stop()
            except TimeoutError:
                logger.error("%s did not stop within %s s", _name(part), self._stop_timeout)
            except Exception:
                logger.exception("%s failed to stop", _name(part))


def _is_coroutine(method: Any) -> bool:
    """Tell whether *method* can be awaited; for what no function is behind, it is believed."""
    function = inspect.unwrap(method) if callable(method) else method
    while isinstance(function, partial):
        function = function.func
    if not inspect.isroutine(function):
        return callable(function)
    return inspect.iscoroutinefunction(function)


def _name(part: Any) -> str:
    return type(part).__name__


def ignore_repeated_signals() -> None:
    """Let a worker that is stopping already finish, whatever signals still come.

    NOTE: Ctrl-C reaches a worker twice, from the terminal and from Sanic's manager. By then Sanic
    has taken its handlers away, and the second would be a KeyboardInterrupt amid the stop.
    """
    if os.environ.get("SANIC_WORKER_PROCESS") == "true":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
