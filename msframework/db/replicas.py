"""Which replica a read goes to, and what if it is down or behind.

`Replicas.take` runs per request; a task probes every replica each `DB_PROBE_INTERVAL`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Any

import asyncpg

from msframework.conf.address import read_address
from msframework.conf.settings import DatabaseSettings
from msframework.db.lease import Lease, Pool
from msframework.db.opening import AddressOpener
from msframework.exceptions import DatabaseUnavailable, PoolExhausted

logger = logging.getLogger("msframework.db")

# Positions in the write-ahead log, as bytes since its beginning. A server that isn't in recovery
# (a logical replica, for instance) has nothing to replay, and counts as up to date.
_WRITTEN = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
_REPLAYED = """
SELECT CASE WHEN pg_is_in_recovery()
       THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END
"""
_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Probe:
    """One connection of its own to a server, opened when first asked and after each failure."""

    def __init__(self, url: str, timeout: float) -> None:
        self._opener, self._timeout = AddressOpener(read_address(url), timeout), timeout
        self._conn: asyncpg.Connection | None = None

    async def ask(self, sql: str) -> Any:
        """Return the value of *sql*.

        Raises:
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: no answer came.
        """
        try:
            async with asyncio.timeout(self._timeout):
                if self._conn is None or self._conn.is_closed():
                    self._conn = await self._opener.open(statement_cache_size=0)
                return await self._conn.fetchval(sql)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection."""
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None


class Replica:
    """A replica: its pool, and whether it may be read from.

    Args:
        name: what log lines call it.
        url: where it is.
        pool: lends its connections.
    """

    def __init__(self, name: str, url: str, pool: Pool) -> None:
        self.name, self.url, self.pool = name, url, pool
        self.healthy = False
        self.started = False


class Replicas:
    """Lends connections of healthy replicas in turn, and of the primary when there is none.

    Args:
        primary: what serves when no replica can.
        primary_url: where the primary is asked how far it has written.
        replicas: all of them.
        settings: `DB_PROBE_INTERVAL`, `DB_MAX_LAG`, `DB_CONNECT_TIMEOUT`.

    Attributes:
        replicas: all of them, fit to be read from or not.
    """

    def __init__(
        self,
        primary: Pool,
        primary_url: str,
        replicas: Sequence[Replica],
        settings: DatabaseSettings,
    ) -> None:
        self._primary = primary
        self.replicas = tuple(replicas)
        self._interval = settings.probe_interval
        self._max_lag = settings.max_lag
        timeout = min(settings.connect_timeout, settings.probe_interval)
        self._written = Probe(primary_url, timeout)
        self._probes = {replica: Probe(replica.url, timeout) for replica in replicas}
        self._healthy: list[Replica] = []
        self._next = 0
        # (when, how far the primary had written), the oldest first.
        self._history: deque[tuple[float, int]] = deque(maxlen=1024)
        self._task: asyncio.Task[None] | None = None

    # Per request.

    def take_nowait(self) -> Lease | None:
        """Return a free connection of the next healthy replica, if it has one."""
        healthy = self._healthy
        if not healthy:
            return self._primary.take_nowait()
        self._next = (self._next + 1) % len(healthy)
        return healthy[self._next].pool.take_nowait()

    async def take(self) -> Lease:
        """Return a connection of a healthy replica; one that fails to give any is ejected.

        Raises:
            PoolExhausted: the replica, or the primary in its place, has none free in time.
            DatabaseUnavailable: the primary serves, and cannot be reached either.
        """
        while self._healthy:
            replica = self._healthy[self._next % len(self._healthy)]
            try:
                return await replica.pool.take()
            except PoolExhausted:
                raise
            except DatabaseUnavailable:
                self._eject(replica, "it gives no connection")
        return self._primary.take_nowait() or await self._primary.take()

    # In the background.

    async def start(self) -> None:
        """Probe every replica once, then go on in a task."""
        await self.probe()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """End the task, and close the pools of the replicas."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        self._healthy = []
        for probe in (self._written, *self._probes.values()):
            probe.close()
        await asyncio.gather(*(item.pool.stop() for item in self.replicas if item.started))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.probe()
            except Exception:
                logger.exception("the probe of the replicas failed")

    async def probe(self) -> None:
        """Ask the primary how far it has written, and every replica how far it is."""
        try:
            self._history.append((monotonic(), await self._written.ask(_WRITTEN)))
        except _FAILURES:
            # What is known of the primary's past still tells who is behind.
            logger.debug("the primary did not answer the probe")
        await asyncio.gather(*(self._check(replica) for replica in self.replicas))

    async def _check(self, replica: Replica) -> None:
        try:
            replayed = await self._probes[replica].ask(_REPLAYED)
        except _FAILURES as exc:
            self._eject(replica, f"it does not answer ({type(exc).__name__})")
            return
        lag = 0.0 if replayed is None else self._lag(replayed)
        if lag > self._max_lag:
            self._eject(replica, f"it is {lag:.1f} s behind")
        else:
            await self._admit(replica)

    def _lag(self, replayed: int) -> float:
        """Return for how many seconds there has been something to replay that is not replayed.

        NOTE: the replica's own clock and timestamps tell nothing when its receiver is broken, so
        what the primary had written at each probe is what counts.
        """
        for when, written in self._history:
            if written > replayed:
                return monotonic() - when
        return 0.0

    async def _admit(self, replica: Replica) -> None:
        if replica.healthy:
            return
        if not replica.started:
            try:
                await replica.pool.start()
            except DatabaseUnavailable:
                return
            replica.started = True
        replica.healthy = True
        self._healthy = [item for item in self.replicas if item.healthy]
        logger.info("%s is read from", replica.name)

    def _eject(self, replica: Replica, reason: str) -> None:
        if not replica.healthy:
            return
        replica.healthy = False
        self._healthy = [item for item in self.replicas if item.healthy]
        # Those who wait for one of its connections go on to the next replica.
        replica.pool.expel()
        logger.warning("%s is not read from any more: %s", replica.name, reason)
