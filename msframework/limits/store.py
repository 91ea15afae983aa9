"""`SharedStore`: counts what callers use up for all workers of a service, in Redis or Valkey.

`start` and `stop` run with the service, `take` per request. While the store does not answer, `take`
says so at once, and a task of the store's own looks whether it is back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from msframework.limits.rate import RatePolicy
from msframework.limits.windows import Count, judge

if TYPE_CHECKING:
    from limits.aio.storage import RedisStorage

# A policy, and the key of the caller who asks.
Asked = tuple[RatePolicy, bytes]

PATIENCE: Final = 0.2  # seconds for all questions of a request together
PAUSE: Final = 1.0  # seconds between two looks at a store that is away
_CONNECTIONS: Final = 64
# NOTE: Valkey speaks the protocol of Redis, and so one client is enough.
_SCHEMES: Final = {
    "valkey": "redis",
    "valkeys": "rediss",
    "redis+unix": "unix",
    "valkey+unix": "unix",
}

logger = logging.getLogger("msframework.limits")


class SharedStore:
    """The counts of one service in Redis or Valkey.

    Attributes:
        is_used: whether any operation has a limit; it is not opened otherwise.
        is_away: whether it did not answer when it was last asked.
    """

    def __init__(self, url: str, service_name: str) -> None:
        self._url, self._prefix = url, f"rates:{service_name}"
        self._storage: RedisStorage | None = None
        self._pool: Any = None
        self._watch: asyncio.Task[None] | None = None
        self.is_used = self.is_away = False

    @property
    def place(self) -> str:
        """Where it is, for messages: never a password."""
        parts = urlsplit(self._url)
        return parts.path if "unix" in parts.scheme else f"{parts.hostname}:{parts.port or 6379}"

    async def start(self) -> None:
        """Make the client; it connects when it is first asked."""
        if not self.is_used:
            return
        # PERF: they take a while to import, and most services need neither.
        from limits.aio.storage import RedisStorage
        from redis.asyncio import BlockingConnectionPool
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        scheme, _, rest = self._url.partition("://")
        url = f"{_SCHEMES.get(scheme, scheme)}://{rest}"
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=PATIENCE,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            # NOTE: once, at once, for a connection that ended since it was last used.
            retry=Retry(NoBackoff(), 1),
        )
        self._storage = RedisStorage(
            f"async+{scheme.replace('valkey', 'redis')}://{rest}",
            implementation="redispy",
            key_prefix=self._prefix,
            connection_pool=self._pool,
        )

    async def stop(self) -> None:
        """Close all connections."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        self._watch, self._storage, self.is_away = None, None, False
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.disconnect()

    async def take(self, asked: Sequence[Asked]) -> list[Count] | None:
        """Use up what is *asked* for, where that much is left; `None` while the store is away."""
        storage = self._storage
        if storage is None or self.is_away:
            return None
        try:
            # NOTE: one time for all of it, which no answer in pieces prolongs.
            async with asyncio.timeout(PATIENCE):
                if len(asked) == 1:
                    return [await _ask(storage, *asked[0])]
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(_ask(storage, *each)) for each in asked]
                return [task.result() for task in tasks]
        except Exception as exc:
            self._leave(storage, exc)
            return None

    def _leave(self, storage: RedisStorage, exc: Exception) -> None:
        """Note that the store is away, and look for it from now on."""
        if self.is_away or storage is not self._storage:
            return
        self.is_away = True
        while isinstance(exc, ExceptionGroup):
            exc = exc.exceptions[0]
        # NOTE: the type alone, as the text may hold a part of the address.
        logger.warning(
            "the store of rate limits at %s does not answer (%s): until it does, each worker "
            "counts for itself",
            self.place,
            type(exc).__name__,
        )
        self._watch = asyncio.create_task(self._look(storage))

    async def _look(self, storage: RedisStorage) -> None:
        """Ask the store until it answers."""
        since = monotonic()
        while True:
            await asyncio.sleep(PAUSE)
            with suppress(Exception):
                async with asyncio.timeout(PATIENCE):
                    # NOTE: a replica or a full store would answer a PING.
                    await storage.acquire_sliding_window_entry("probe", 1, 1, 1)
                break
        self.is_away = False
        logger.warning(
            "the store of rate limits at %s answers again after %.1f s",
            self.place,
            monotonic() - since,
        )


async def _ask(storage: RedisStorage, policy: RatePolicy, key: bytes) -> Count:
    amount, window, cost = policy.amount, policy.window, policy.cost
    name = f"{policy.name}:{key.hex()}"
    allowed = await storage.acquire_sliding_window_entry(name, amount, window, cost)
    before, before_left, current, current_left = await storage.get_sliding_window(name, window)
    # A present window is kept for the length of two, the one before for what is left of its own.
    left = current_left - window if current_left else before_left
    left = min(max(left, 0.0), window)
    return judge(amount, window, cost, allowed, before, current, left)
