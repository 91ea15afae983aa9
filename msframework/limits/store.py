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
from msframework.limits.windows import RateCount, judge

if TYPE_CHECKING:
    from redis.asyncio import Redis

# A policy, and the key of the caller who asks.
Asked = tuple[RatePolicy, bytes]
PendingCounts = tuple[Sequence[Asked], "asyncio.Future[list[RateCount] | None]"]

TIMEOUT: Final = 0.2  # seconds for the questions of a request, however the answers come in
PAUSE: Final = 1.0  # seconds between two looks at a store that is away
_LAG: Final = 0.1  # seconds by which a busy loop may be late; more tells nothing of the store
_BATCH: Final = 128  # requests that are asked for together
# NOTE: Valkey speaks the protocol of Redis, and so one client is enough.
_SCHEMES: Final = {
    "valkey": "redis",
    "valkeys": "rediss",
    "redis+unix": "unix",
    "valkey+unix": "unix",
}
# What `WindowCounter.take` does, with the clock of the store: of amount, milliseconds and cost.
# A key of another type is made anew, as its error would be taken for a store that is away.
_SCRIPT: Final = """
local amount, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = redis.pcall('HMGET', KEYS[1], 'begin', 'before', 'current')
if found.err then
    redis.call('DEL', KEYS[1])
    found = {}
end
local begin = tonumber(found[1]) or now
local before, current = tonumber(found[2]) or 0, tonumber(found[3]) or 0
local left = begin + window - now
if left <= -window or left > window then
    begin, before, current, left = now, 0, 0, window
elseif left <= 0 then
    begin, before, current, left = begin + window, current, 0, left + window
end
local allowed = 0
if current + math.floor(before * left / window) + cost <= amount then
    allowed, current = 1, current + cost
    redis.call('HSET', KEYS[1], 'begin', begin, 'before', before, 'current', current)
    redis.call('PEXPIRE', KEYS[1], left + window)
end
return {allowed, before, current, left}
"""
_PROBE: Final = RatePolicy("probe", "address", 1, 1, "second")

logger = logging.getLogger("msframework.limits")


class SharedStore:
    """The counts of one service in Redis or Valkey.

    The questions of all requests go over one connection: those that come while it is busy are asked
    together afterwards, which takes a fraction of the time.

    Attributes:
        is_used: whether any operation has a limit; it is not opened otherwise.
        is_away: whether it did not answer when it was last asked.
    """

    def __init__(self, url: str, service_name: str) -> None:
        self._url, self._prefix = url, f"rates:{service_name}"
        self._client: Redis | None = None
        self._sha = ""
        self._waiting: list[PendingCounts] = []
        self._asking: asyncio.Task[None] | None = None
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
        # PERF: they take a while to import, and most services do not need them.
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        self._client = Redis.from_url(
            client_address(self._url),
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            # NOTE: once, at once, for a connection that ended since it was last used.
            retry=Retry(NoBackoff(), 1),
        )

    async def stop(self) -> None:
        """Close the connection; whoever still asks is told that the store is away."""
        client, self._client = self._client, None
        tasks = [task for task in (self._asking, self._watch) if task is not None]
        for task in tasks:
            task.cancel()
        try:
            # NOTE: to await a task and suppress its CancelledError would suppress our own, too.
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._asking = self._watch = None
            self._give_up()
            self.is_away = False
            if client is not None:
                await client.aclose()

    async def take(self, asked: Sequence[Asked]) -> list[RateCount] | None:
        """Use the budgets *asked* for, as far as each has room; `None` while the store is away."""
        if self._client is None or self.is_away:
            return None
        answer: asyncio.Future[list[RateCount] | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(self._client))
        began = monotonic()
        try:
            # NOTE: one time for all of it, which no answer in pieces prolongs.
            async with asyncio.timeout(TIMEOUT):
                return await answer
        except TimeoutError as exc:
            self._leave(exc, monotonic() - began)
            return None

    async def _ask(self, client: Redis) -> None:
        """Ask for whoever waits, until nobody does."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
                await self._ask_batch(client, batch)
        finally:
            self._asking = None

    async def _ask_batch(self, client: Redis, batch: Sequence[PendingCounts]) -> None:
        counts: list[RateCount] | None = None
        began = monotonic()
        try:
            async with asyncio.timeout(TIMEOUT):
                counts = await self._run(client, [each for asked, _ in batch for each in asked])
        except Exception as exc:
            self._leave(exc, monotonic() - began)
        finally:
            begin = 0
            for asked, answer in batch:
                end = begin + len(asked)
                if not answer.done():  # whose request is over
                    answer.set_result(None if counts is None else counts[begin:end])
                begin = end

    async def _run(self, client: Redis, asked: Sequence[Asked]) -> list[RateCount]:
        """Return the count of each question; the script is loaded where the store lacks it."""
        from redis.exceptions import NoScriptError

        for _ in range(2):
            if not self._sha:
                self._sha = await client.script_load(_SCRIPT)
            pipeline = client.pipeline(transaction=False)
            for policy, key in asked:
                name = f"{self._prefix}:{policy.name}/{policy.amount}:{key.hex()}"
                window = policy.window * 1000
                pipeline.evalsha(self._sha, 1, name, policy.amount, window, policy.cost)
            found = await pipeline.execute(raise_on_error=False)
            if not any(isinstance(each, NoScriptError) for each in found):
                break
            self._sha = ""  # NOTE: a store that was started anew has forgotten it
        return [_read(policy, each) for (policy, _), each in zip(asked, found, strict=True)]

    def _leave(self, exc: Exception, took: float) -> None:
        """Note that the store is away, and look for it from now on.

        Args:
            took: how many seconds the question took.
        """
        if self.is_away or self._client is None or took > TIMEOUT + _LAG:
            return
        self.is_away = True
        self._give_up()
        # NOTE: the type alone, as the text may hold a part of the address.
        logger.warning(
            "the store of rate limits at %s does not answer (%s): until it does, each worker "
            "counts for itself",
            self.place,
            type(exc).__name__,
        )
        self._watch = asyncio.create_task(self._look(self._client))

    def _give_up(self) -> None:
        """Tell whoever waits that the store is away."""
        waiting, self._waiting = self._waiting, []
        for _, answer in waiting:
            if not answer.done():
                answer.set_result(None)

    async def _look(self, client: Redis) -> None:
        """Ask the store until it answers."""
        since = monotonic()
        while True:
            await asyncio.sleep(PAUSE)
            with suppress(Exception):
                async with asyncio.timeout(TIMEOUT):
                    # NOTE: an old connection may lead to what the address no longer does, such as
                    # a store that became a replica when another one took its place.
                    await client.connection_pool.disconnect()
                    # NOTE: a replica, or a store without memory, would answer a PING.
                    await self._run(client, [(_PROBE, b"")])
                break
        self.is_away = False
        took = monotonic() - since
        logger.warning(
            "the store of rate limits at %s answers again after %.1f s", self.place, took
        )


def client_address(url: str) -> str:
    """Return *url* as the client of Redis takes it."""
    scheme, _, rest = url.partition("://")
    return f"{_SCHEMES.get(scheme, scheme)}://{rest}"


def _read(policy: RatePolicy, found: Any) -> RateCount:
    """Return the count that the script answered.

    Raises:
        Exception: the store refused to run it.
    """
    if isinstance(found, Exception):
        raise found
    allowed, before, current, left = found
    amount, window, cost = policy.amount, policy.window, policy.cost
    return judge(amount, window, cost, bool(allowed), before, current, left / 1000)
