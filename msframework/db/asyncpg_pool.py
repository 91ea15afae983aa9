"""`DB_POOL = "asyncpg"`: asyncpg's own pool behind the interface of ours.

It resets every connection before it is lent again, whatever ran on it. Runs per request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from time import monotonic
from typing import Any

import asyncpg

from msframework.conf.address import read_address
from msframework.conf.settings import DatabaseSettings
from msframework.db.connection import connect_options, set_codecs
from msframework.db.deadline import Untimed
from msframework.db.lease import Lease, PoolCounts, exhausted, is_lost
from msframework.db.opening import AddressOpener
from msframework.db.statement import NO_SERVER, ServerTags
from msframework.db.statement_cache import StatementCache
from msframework.exceptions import DatabaseUnavailable


class AsyncpgPool:
    """Lends the connections of an `asyncpg.Pool`.

    Args:
        url: where the server is.
        settings: sizes and times.
        read_only: transactions are read-only unless they say READ WRITE.
        server: the tags by which spans tell of the server.
    """

    def __init__(
        self,
        url: str,
        settings: DatabaseSettings,
        *,
        read_only: bool = False,
        server: ServerTags = NO_SERVER,
    ) -> None:
        self._opener = AddressOpener(read_address(url), settings.connect_timeout)
        self.server = server
        self._settings = settings
        self._read_only = read_only
        self._untimed = Untimed()
        self._pool: Any = None
        self._lent: set[Lease] = set()
        self._born: dict[int, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[object]] = set()
        self._waits = 0

    @property
    def counts(self) -> PoolCounts:
        """How many connections and borrowers there are."""
        size = 0 if self._pool is None else self._pool.get_size()
        used, waiting = len(self._lent), len(self._waiting)
        return PoolCounts(self._settings.max_size, used, max(0, size - used), waiting, self._waits)

    async def start(self) -> None:
        """Open `DB_MIN_SIZE` connections.

        Raises:
            DatabaseUnavailable: the server doesn't answer, or refuses us.
        """
        settings = self._settings
        try:
            self._pool = await asyncpg.create_pool(
                connect=self._connect,
                min_size=min(settings.min_size, settings.max_size),
                max_size=settings.max_size,
                max_queries=2**62,
                max_inactive_connection_lifetime=settings.idle_timeout,
                init=self._prepare,
                **connect_options(settings, read_only=self._read_only),
            )
        except (OSError, TimeoutError, asyncpg.PostgresError) as exc:
            raise DatabaseUnavailable() from exc

    async def _connect(self, _: None, **options: Any) -> asyncpg.Connection:
        return await self._opener.open(**options)

    async def _prepare(self, conn: asyncpg.Connection) -> None:
        await set_codecs(conn)
        pid = conn.get_server_pid()
        self._born[pid] = monotonic()
        conn.add_termination_listener(lambda _: self._born.pop(pid, None))

    def take_nowait(self) -> Lease | None:
        """Return nothing: asyncpg's pool lends only by waiting."""
        return None

    async def take(self) -> Lease:
        """Return a connection.

        Raises:
            PoolExhausted: none became free within `DB_ACQUIRE_TIMEOUT`.
            DatabaseUnavailable: none can be opened, or the pool is closed.
        """
        pool, waits = self._pool, self._settings.acquire_timeout
        if pool is None or pool.is_closing():
            raise DatabaseUnavailable()
        self._waits += len(self._lent) >= self._settings.max_size
        getting = asyncio.ensure_future(pool.acquire(timeout=waits))
        self._waiting.add(getting)
        try:
            conn = await getting
        except asyncio.CancelledError:
            if getting.done() and not getting.cancelled() and getting.exception() is None:
                # It was lent to the borrower just as it was cancelled.
                self.give(self._make_lease(getting.result()), clean=True)
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
            raise DatabaseUnavailable() from None
        except TimeoutError as exc:
            if len(self._lent) < self._settings.max_size:
                raise DatabaseUnavailable() from exc
            raise exhausted(list(self._lent), self._settings.max_size, waits) from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            raise DatabaseUnavailable() from exc
        finally:
            self._waiting.discard(getting)
        lease = self._make_lease(conn)
        self._lent.add(lease)
        return lease

    def _make_lease(self, conn: asyncpg.Connection) -> Lease:
        return Lease(conn, self, StatementCache(conn), self._untimed)

    def give(self, lease: Lease, *, clean: bool) -> None:
        """Take *lease* back; a task of the pool resets and releases it."""
        lease.holder = None
        self._spawn(self._release(lease, clean))

    async def _release(self, lease: Lease, clean: bool) -> None:
        conn = lease.conn
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                if not is_lost(conn):
                    await self._mend(lease, clean)
                # NOTE: one that is lost must be released too, unless asyncpg has noticed it.
                await self._pool.release(conn)
        except Exception:
            await self._close(conn)
        except BaseException:
            if not is_lost(conn):
                conn.terminate()
            raise
        finally:
            self._lent.discard(lease)

    async def _mend(self, lease: Lease, clean: bool) -> None:
        """Reset a connection before it goes back, also where asyncpg's pool would not."""
        conn = lease.conn
        if lease.retired or self._is_old(conn):
            await conn.close()
        elif not clean:
            if lease.began or conn.is_in_transaction():
                await conn.execute("ROLLBACK")
            # NOTE: asyncpg warns when a connection comes back with listeners left.
            await conn.reset()

    async def _close(self, conn: asyncpg.Connection) -> None:
        """Close a connection that cannot be mended, and cancel what still runs on it."""
        failures = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
        if not is_lost(conn):
            with suppress(*failures):
                await conn.close(timeout=self._settings.connect_timeout)
        # NOTE: asyncpg may not have noticed that it ended while it was mended; its pool would wait
        # for it for ever. Nothing happens when it has.
        with suppress(*failures):
            await self._pool.release(conn)

    def _is_old(self, conn: asyncpg.Connection) -> bool:
        lifetime = self._settings.max_lifetime
        born = self._born.get(conn.get_server_pid(), monotonic())
        return 0 < lifetime <= monotonic() - born

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refresh(self, *, renew: bool = False) -> None:
        """Have every connection replaced before it is lent again."""
        self._spawn(self._pool.expire_connections())

    def expel(self) -> None:
        """Fail all who wait for a connection."""
        for getting in list(self._waiting):
            getting.cancel()

    async def stop(self) -> None:
        """Wait until every connection has come back, then close them; cancelling cuts them off."""
        if self._pool is None:
            return
        try:
            await self._pool.close()
            if self._tasks:
                await asyncio.wait(self._tasks)
        except asyncio.CancelledError:
            for task in self._tasks:
                task.cancel()
            self._pool.terminate()
            raise
