"""`Readiness`: whether requests may be sent to a service, by part. `Monitor`: how its loop turns.

Runs in the loop: per probe, and once a second.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import AbstractEventLoop, Task
from collections.abc import Awaitable, Callable
from itertools import chain, count
from time import monotonic
from typing import Final

from msframework.aio import is_failure
from msframework.lifecycle import Parts
from msframework.operations.source import INTERVAL, PartStates, Report
from msframework.operations.status import Status

PART_BOUND: Final = 0.7  # seconds for all parts, asked at once
CACHED: Final = 1.0  # seconds
_LONGEST: Final = 200  # characters of a reason

# Returns the reason why a part is not ready; `None` where it is.
PartCheck = Callable[[], Awaitable[str | None]]
logger = logging.getLogger("msframework.health")


class Readiness:
    """The readiness of one service; a part of it, which starts first and stops last.

    Attributes:
        starting: whether the service does not serve yet.
        draining: whether it was told to stop.
        caching: seconds for which an outcome is reported again.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._checks: dict[str, PartCheck] = {}
        self.starting, self.draining, self.caching = True, False, CACHED
        self._found: dict[str, PartCheck] | None = None
        self._running: dict[str, Task[str | None]] = {}
        self._asking: Task[Report] | None = None
        self._report, self._until = Report(False, {"service": "not asked yet"}), 0.0
        self._told: dict[str, str | None] = {}

    def add(self, name: str, check: PartCheck) -> None:
        """Add *check*, which belongs to no part, to those of the parts."""
        self._checks[name] = check

    @property
    def outside(self) -> Report | None:
        """The report while the service starts or stops, when no part is asked."""
        if self.draining:
            return Report(False, {"service": "draining"})
        return Report(False, {"service": "starting"}) if self.starting else None

    @property
    def last(self) -> Report:
        """The last outcome, of whatever age."""
        return self._report

    async def check(self) -> Report:
        """Return whether every part is ready; takes no longer than `PART_BOUND`."""
        if (outside := self.outside) is not None:
            return outside
        return self._report if monotonic() < self._until else await self.ask()

    async def ask(self) -> Report:
        """Return the present readiness of all parts, which replaces the last outcome."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        # NOTE: several askers wait for one outcome, and none that leaves takes it from the others.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Report:
        """Ask every part at once, and remember the outcome for a while."""
        if self._found is None:
            self._found = self._checks | find_checks(self._parts)
        for name, check in self._found.items():
            # NOTE: one that swallowed its cancellation still runs, and is not asked twice at once.
            if name not in self._running or self._running[name].done():
                self._running[name] = asyncio.create_task(_ask_part(check))
        if self._running:
            await asyncio.wait(self._running.values(), timeout=PART_BOUND)
        parts: dict[str, str | None] = {}
        for name, task in self._running.items():
            parts[name] = task.result() if task.done() else f"no answer within {PART_BOUND} s"
            task.cancel()
        self._tell(parts)
        self._report = Report(all(reason is None for reason in parts.values()), parts)
        self._until = monotonic() + self.caching
        return self._report

    def _tell(self, parts: PartStates) -> None:
        """Log the changes since the last time."""
        for name, reason in parts.items():
            if reason is not None and self._told.get(name) is None:
                logger.warning("%s is not ready: %s", name, reason)
            elif reason is None and self._told.get(name) is not None:
                logger.info("%s is ready again", name)
        self._told = dict(parts)

    async def start(self) -> None:
        """Report the service as starting, until `begin`."""
        self.starting, self.draining, self._until = True, False, 0.0

    async def begin(self, app: object, loop: object = None) -> None:
        """Ask the parts from now on, as the service now serves."""
        self.starting = False

    async def stop(self) -> None:
        """Cancel the checks that still run, and wait for them."""
        left = [*self._running.values(), *([self._asking] if self._asking is not None else ())]
        self._running.clear()
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=PART_BOUND)


async def _ask_part(check: PartCheck) -> str | None:
    """Return the reason that *check* gives in one short line; an exception is one by its name."""
    task = asyncio.current_task()
    try:
        reason: object = await check()
    except asyncio.CancelledError:
        return "cancelled"
    except BaseException as exc:  # its text may hold a secret
        if not is_failure(exc, task):
            raise
        return f"{type(exc).__name__} was raised"
    if reason is None:
        return None
    if not isinstance(reason, str):
        return f"its ready() returned a {type(reason).__name__}; expected a reason or None"
    return " ".join(reason.split())[:_LONGEST] or "it gives no reason"


def find_checks(parts: Parts) -> dict[str, PartCheck]:
    """Return the method `ready` of each part that has one, by the name of the part."""
    found: dict[str, PartCheck] = {}
    for name, part in parts.items():
        check = getattr(part, "ready", None)
        if callable(check):
            names = chain([name], (f"{name} {number}" for number in count(2)))
            found[next(each for each in names if each not in found)] = check
    return found


class Monitor:
    """The beat of the loop, once a second: its lag, the gauges, the word to the supervisor.

    Args:
        readiness: told to the supervisor.
        measured: whether anybody reads the gauges.

    Attributes:
        beat: when the loop last turned, by the monotonic clock; `None` while nothing watches it.
        lag: how much later than asked for it turned, in seconds.
        loop: the loop, once it turned.
        send: takes the status of this worker for its supervisor; set before the start.
        read: reads the gauges.
    """

    def __init__(self, readiness: Readiness, *, measured: bool) -> None:
        self._readiness, self._measured = readiness, measured
        self.beat: float | None = None
        self.lag = 0.0
        self.loop: AbstractEventLoop | None = None
        self.send: Callable[[Status], None] | None = None
        self.read: Callable[[], None] | None = None
        self._task: Task[None] | None = None
        self._told: PartStates | None = None

    async def start(self) -> None:
        """Begin to watch the loop, where metrics or a supervisor need it."""
        self.loop = asyncio.get_running_loop()
        if self._measured or self.send is not None:
            self.beat = monotonic()
            self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop watching the loop."""
        task, self._task, self.beat = self._task, None, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def tell(self) -> None:
        """Ask the parts, and tell the supervisor the readiness where it changed.

        NOTE: a worker of which nothing is known yet is not ready, and after a renewal all are new.
        """
        if self.send is None or not self._measured:
            return
        if self._readiness.outside is None:
            await self._readiness.ask()
        self.tell_change()

    def tell_change(self) -> None:
        """Tell the supervisor the readiness as it is known, where that is not what it was told."""
        if self.send is not None and self._measured and self._report.parts != self._told:
            self._tell(self.send)

    @property
    def _report(self) -> Report:
        return self._readiness.outside or self._readiness.last

    async def _watch(self) -> None:
        asking: Task[None] | None = None
        due = monotonic()
        try:
            while True:
                now = monotonic()
                self.beat, self.lag = now, max(0.0, now - due)
                if self._measured and self.read is not None:
                    self._read_gauges(self.read)
                if self.send is not None:
                    self._tell(self.send)
                    if self._measured and (asking is None or asking.done()):
                        asking = asyncio.create_task(self.tell())
                # NOTE: after a pause it does not catch up on what it missed.
                due = max(due + INTERVAL, now)
                await asyncio.sleep(due - monotonic())
        finally:
            if asking is not None:
                asking.cancel()

    def _read_gauges(self, read: Callable[[], None]) -> None:
        try:
            read()
        except Exception:
            logger.exception("The gauges could not be read")

    def _tell(self, send: Callable[[Status], None]) -> None:
        parts = self._told = self._report.parts
        try:
            send(Status(monotonic(), self.lag, parts))
        except Exception as exc:
            logger.error("The supervisor could not be told: %s", type(exc).__name__)
