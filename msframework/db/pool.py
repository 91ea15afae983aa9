"""The light pool: asyncpg connections, first come first served, nothing sent when one goes back.

A connection goes back at once when all that ran on it is known to be stateless; any other is reset
by a task of the pool first. `give` never waits, so a borrower that is cancelled anywhere can call
it. Runs per request.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from functools import partial
from time import monotonic
from typing import Any

import asyncpg

from msframework.conf.settings import DatabaseSettings
from msframework.db.connection import Opener
from msframework.db.deadline import Deadlines
from msframework.db.lease import Lease, PoolCounts, exhausted, reset
from msframework.db.statement import NO_SERVER, ServerTags
from msframework.db.statement_cache import StatementCache, is_watched, supports_direct
from msframework.exceptions import DatabaseUnavailable

logger = logging.getLogger("msframework.db")

_ROUNDS = 4  # maintenance rounds within the shorter of the two limits
_LONGEST_ROUND = 30.0
_CROWDED_FOR = 1.0  # after "too many connections", time until the next attempt to grow
_COMPLAIN_EVERY = 1.0  # seconds between two log lines about an exhausted pool


# A borrower's future, and until when it waits, on the loop's clock.
Waiter = tuple[asyncio.Future[Lease], float]


class LightPool:
    """Lends the connections that *opener* makes.

    Args:
        opener: opens one connection.
        settings: sizes and times.
        name: what log lines call the server.
        server: the tags by which spans tell of the server.
    """

    def __init__(
        self,
        opener: Opener,
        settings: DatabaseSettings,
        *,
        name: str = "primary",
        server: ServerTags = NO_SERVER,
    ) -> None:
        self.name = name
        self.server = server
        self._opener = opener
        self._max = settings.max_size
        self._min = min(settings.min_size, settings.max_size)
        self._keeps = settings.statement_cache_size if supports_direct() else 0
        self._acquire_timeout = settings.acquire_timeout
        self._reset_timeout = settings.connect_timeout
        self._idle = settings.idle_timeout
        self._lifetime = settings.max_lifetime
        self._leases: set[Lease] = set()
        self._deadlines = Deadlines(settings.command_timeout)
        self._free: list[Lease] = []
        self._waiters: deque[Waiter] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = 0
        self._opened = self._waits = 0
        self._closed = True
        self._away = False
        self._failure: Exception | None = None
        self._crowded_until = 0.0
        self._complain_after = 0.0
        self._round: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    @property
    def counts(self) -> PoolCounts:
        """How many connections and borrowers there are."""
        free = len(self._free)
        used = len(self._leases) - free
        return PoolCounts(self._max, used, free, len(self._waiters), self._waits)

    # Lending.

    def take_nowait(self) -> Lease | None:
        """Return a free connection, the one used last; those that died are dropped on the way."""
        free = self._free
        while free:
            lease = free.pop()
            if not lease.conn.is_closed():
                return lease
            self._drop(lease)
        return None

    async def take(self) -> Lease:
        """Return a connection, in turn, growing the pool if it may.

        Raises:
            PoolExhausted: none became free within `DB_ACQUIRE_TIMEOUT`.
            DatabaseUnavailable: none can be opened, or the pool is closed.
        """
        if self._closed:
            raise DatabaseUnavailable()
        if self._free:
            lease = self.take_nowait()
            if lease is not None:
                return lease
        # PERF: with more borrowers than connections nearly all of them come here: no look-up of
        # the loop, no look at a pool that is full (benchmarks/lending.py).
        loop = self._loop
        future: asyncio.Future[Lease] = loop.create_future()
        waiter = (future, loop.time() + self._acquire_timeout)
        self._waiters.append(waiter)
        self._waits += 1
        if self._sweeper is None:
            self._sweeper = loop.call_at(waiter[1], self._sweep)
        if len(self._leases) < self._max:
            self._grow()
        try:
            return await future
        except asyncio.CancelledError:
            self._forget(waiter)
            raise

    def give(self, lease: Lease, *, clean: bool) -> None:
        """Take *lease* back; it is lent on at once if *clean*, else after a reset."""
        lease.holder = lease.deadline.task = None
        if clean and not lease.spoiled:
            lease.unused = 0
            self._lend_on(lease)
            return
        lease.deadline.clear()
        if lease.retired or lease.conn.is_closed():
            self._drop(lease)
        else:
            self._spawn(self._reset(lease))

    def refresh(self, *, renew: bool = False) -> None:
        """Have every connection forget its cached statements, or replaced, before it is lent."""
        for lease in self._leases:
            lease.statements.expire()
            lease.spoiled = True
            lease.retired = lease.retired or renew
        free, self._free = self._free, []
        for lease in free:
            self.give(lease, clean=False)

    def expel(self) -> None:
        """Fail all who wait for a connection."""
        waiters, self._waiters = self._waiters, deque()
        for future, _ in waiters:
            if not future.done():
                future.set_exception(DatabaseUnavailable())

    def _lend_on(self, lease: Lease) -> None:
        """Give *lease* to whoever waits longest; keep it when nobody does."""
        while self._waiters:
            future = self._waiters.popleft()[0]
            if not future.done():
                future.set_result(lease)
                return
        if self._closed:
            self._drop(lease)
        else:
            self._free.append(lease)

    def _forget(self, waiter: Waiter) -> None:
        """Undo what was done for a borrower that was cancelled while it waited."""
        future = waiter[0]
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif not future.cancelled() and future.exception() is None:
            # It was lent to the borrower just as it was cancelled.
            self._lend_on(future.result())

    def _sweep(self) -> None:
        """Fail those whose time is up: all wait for the same time, so they stand in its order."""
        self._sweeper = None
        loop = asyncio.get_running_loop()
        waiters, now = self._waiters, loop.time()
        while waiters:
            future, deadline = waiters[0]
            if deadline > now and not future.done():
                self._sweeper = loop.call_at(deadline, self._sweep)
                return
            waiters.popleft()
            if not future.done():
                self._time_out(future)

    def _time_out(self, waiter: asyncio.Future[Lease]) -> None:
        if len(self._leases) < self._max:
            failure = DatabaseUnavailable()
            failure.__cause__ = self._failure
            waiter.set_exception(failure)
            return
        exc = exhausted(list(self._leases), self._max, self._acquire_timeout)
        if monotonic() >= self._complain_after:
            self._complain_after = monotonic() + _COMPLAIN_EVERY
            logger.warning("%s: %s", self.name, "\n".join(exc.__notes__))
        waiter.set_exception(exc)

    # Growing and shrinking.

    async def start(self) -> None:
        """Open `DB_MIN_SIZE` connections; the first of them proves that the server answers.

        Raises:
            DatabaseUnavailable: the server doesn't answer, or refuses us.
        """
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._empty = asyncio.Event()
        self._deadlines.start()
        try:
            if self._min:
                self.give(await self.take(), clean=True)
                self._fill_up()
                if self._tasks:
                    await asyncio.wait(self._tasks)
        except BaseException:
            self._closed = True
            self._cut_off()
            raise
        limits = [limit for limit in (self._idle, self._lifetime) if limit > 0]
        if limits:
            self._plan_round(min(_LONGEST_ROUND, min(limits) / _ROUNDS))

    def _plan_round(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._round = loop.call_later(seconds, self._maintain, seconds)

    def _maintain(self, seconds: float) -> None:
        """Retire connections that are idle or old, and open others up to `DB_MIN_SIZE`."""
        self._plan_round(seconds)
        now = monotonic()
        spare = len(self._leases) - self._min
        kept = []
        for lease in self._leases:
            if now >= lease.expires:
                lease.retire()
        for lease in self._free:
            lease.unused += 1
            idle = 0 < self._idle <= (lease.unused - 1) * seconds
            if lease.retired or (idle and spare > 0):
                spare -= 1
                self._drop(lease)
            else:
                kept.append(lease)
        self._free = kept
        self._fill_up()

    def _fill_up(self) -> None:
        while len(self._leases) + self._opening < self._min:
            self._open_one()

    def _grow(self) -> None:
        """Open one connection for each that waits, up to `DB_MAX_SIZE`."""
        if self._leases and monotonic() < self._crowded_until:
            return
        while self._opening < len(self._waiters) and len(self._leases) + self._opening < self._max:
            self._open_one()

    def _open_one(self) -> None:
        self._opening += 1
        self._spawn(self._open())

    async def _open(self) -> None:
        try:
            conn = await self._opener()
        except Exception as exc:
            self._opening -= 1
            self._report_away(exc)
            return
        except BaseException:
            self._opening -= 1
            raise
        self._opening -= 1
        if self._away:
            self._away, self._failure = False, None
            logger.info("%s: connected again", self.name)
        # Lifetimes are spread over a tenth, so that connections are not renewed all at once.
        self._opened += 1
        share = 0.9 + 0.1 * (self._opened * 0.618 % 1)
        lifetime = self._lifetime * share if self._lifetime else float("inf")
        statements = StatementCache(conn, 0 if is_watched() else self._keeps)
        lease = Lease(conn, self, statements, self._deadlines.add(), monotonic() + lifetime)
        self._leases.add(lease)
        conn.add_termination_listener(partial(self._lost, lease))
        self._lend_on(lease)

    def _report_away(self, exc: Exception) -> None:
        """Fail the borrower who waits longest; the others get attempts of their own."""
        self._failure = exc
        if not self._away:
            self._away = True
            logger.warning("%s: cannot connect: %s: %s", self.name, type(exc).__name__, exc)
        if isinstance(exc, asyncpg.TooManyConnectionsError) and self._leases:
            self._crowded_until = monotonic() + _CROWDED_FOR
            return
        while self._waiters:
            future = self._waiters.popleft()[0]
            if not future.done():
                failure = DatabaseUnavailable()
                failure.__cause__ = exc
                future.set_exception(failure)
                break
        self._grow()

    def _lost(self, lease: Lease, conn: asyncpg.Connection) -> None:
        """Drop a connection that ended while nobody held it."""
        if lease in self._free:
            self._free.remove(lease)
            self._drop(lease)

    def _drop(self, lease: Lease) -> None:
        """Forget *lease* and close its connection."""
        self._leases.discard(lease)
        self._deadlines.remove(lease.deadline)
        if not lease.conn.is_closed():
            self._spawn(self._close(lease.conn))
        if self._waiters and not self._closed:
            self._grow()
        self._note_empty()

    # What takes time runs in tasks of the pool.

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._note_empty()

    def _note_empty(self) -> None:
        if self._closed and not self._leases and not self._tasks:
            self._empty.set()

    async def _reset(self, lease: Lease) -> None:
        conn = lease.conn
        try:
            async with asyncio.timeout(self._reset_timeout):
                await reset(lease)
        except Exception:
            # NOTE: closing cancels what still runs on it; a backend whose client merely vanishes
            # would hold its locks until it has something to say.
            self._drop(lease)
        except BaseException:
            conn.terminate()
            self._drop(lease)
            raise
        else:
            if lease.retired:
                self._drop(lease)
            else:
                self._lend_on(lease)

    async def _close(self, conn: asyncpg.Connection) -> None:
        try:
            await conn.close(timeout=self._reset_timeout)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            conn.terminate()

    async def stop(self) -> None:
        """Wait until every connection has come back, then close them; cancelling cuts them off."""
        self._closed = True
        if self._round is not None:
            self._round.cancel()
        free, self._free = self._free, []
        for lease in free:
            self._drop(lease)
        self._note_empty()
        try:
            await self._empty.wait()
        except asyncio.CancelledError:
            self._cut_off()
            raise
        finally:
            self._deadlines.stop()

    def _cut_off(self) -> None:
        self.expel()
        for task in self._tasks:
            task.cancel()
        for lease in self._leases:
            lease.conn.terminate()
            self._deadlines.remove(lease.deadline)
        self._leases.clear()
