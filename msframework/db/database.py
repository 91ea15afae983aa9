"""`Database`: `acquire()` to read, `transaction()` to write, over one pool or several.

Built at start-up; `acquire` and `transaction` run per request.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import asyncpg

from msframework.conf.address import read_address
from msframework.conf.settings import DatabaseSettings
from msframework.context import RequestContext
from msframework.db.affinity import Affinity
from msframework.db.asyncpg_pool import AsyncpgPool
from msframework.db.connection import build_opener
from msframework.db.cursor import Cursor, ReadCursor
from msframework.db.lease import Lease, Pool
from msframework.db.pool import LightPool
from msframework.db.probe import PrimaryProbe
from msframework.db.replicas import Replica, Replicas
from msframework.db.shared import TIMED_ONLY, Lender, Observe, Shared
from msframework.db.statement import ServerTags, Statements
from msframework.db.transaction import (
    Isolation,
    Savepoint,
    Transaction,
    begin_text,
    find_outer,
)
from msframework.exceptions import DatabaseUnavailable, ImproperlyConfigured
from msframework.tracing import Tracer
from msframework.tracing.context import current_span
from msframework.tracing.span import Tags

T = TypeVar("T")
_RETRIED = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
)
_FIRST_PAUSE = 0.02  # seconds before the second attempt at most; doubled for each further one


class Block(Protocol):
    """What `transaction()` returns: a transaction, or a savepoint inside of an open one."""

    async def __aenter__(self) -> Transaction:
        """Begin; the cursor takes a connection at its first statement."""

    async def __aexit__(self, *exc_info: Any) -> None:
        """Commit, or roll back after an exception."""


class _Unconfigured:
    """Where connections come from when `DATABASE_URL` is not set."""

    def take_nowait(self) -> Lease | None:
        """Refuse."""
        raise ImproperlyConfigured(
            "A statement was run, but no database is configured. Set DATABASE_URL; with DEBUG on, "
            "manage.py starts an embedded server without it."
        )

    async def take(self) -> Lease:
        """Refuse."""
        raise NotImplementedError


class Database:
    """The primary, its replicas, and the cursors that run statements on them.

    Args:
        settings: where PostgreSQL is, sizes and times.
        tracer: makes a span of each statement whose trace is kept.
        debug: connections of `acquire()` are read-only, so that what would fail on a replica
            fails on the desk; not with `DB_STATEMENT_CACHE_SIZE` 0, as PgBouncer refuses that.
        trace_arguments: spans show the arguments of statements, too.

    Attributes:
        probe: asks whether the primary answers; `None` without one.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        tracer: Tracer | None = None,
        debug: bool = False,
        trace_arguments: bool = False,
    ) -> None:
        self._settings = settings
        self._tracer = tracer
        self._debug = debug and settings.statement_cache_size > 0
        self._primary: Lender = _Unconfigured()
        self._pool: Pool | None = None
        self.probe: PrimaryProbe | None = None
        self._replicas: Replicas | None = None
        if settings.url is not None:
            self._primary = self._pool = self._build_pool(settings.url, "primary")
            self.probe = PrimaryProbe(settings.url, settings)
            if settings.replicas:
                self._replicas = self._build_replicas(settings.url)
        self._reader = self._primary if self._replicas is None else self._replicas
        self._unkept: object = None
        self._plain_begin = begin_text(None, False, False, write=self._debug)
        self._shared = Shared(
            statements=Statements(always_reset=settings.reset == "always"),
            tracer=tracer,
            trace_arguments=trace_arguments,
            cursor_idle_timeout=settings.cursor_idle_timeout,
            max_size=settings.max_size,
            affinity=None if self._replicas is None else Affinity(),
            writer=self._pool if not debug and _wants_writer(settings.url) else None,
        )

    def _build_pool(self, url: str, name: str) -> Pool:
        role = "primary" if name == "primary" else "replica"
        server = ServerTags({**peer_tags(url), "db.role": role})
        if self._settings.pool == "asyncpg":
            return AsyncpgPool(url, self._settings, read_only=self._debug, server=server)
        opener = build_opener(url, self._settings, read_only=self._debug)
        return LightPool(opener, self._settings, name=name, server=server)

    def _build_replicas(self, primary: str) -> Replicas:
        settings = self._settings
        assert self._pool is not None
        replicas = [
            Replica(f"replica {number}", url, self._build_pool(url, f"replica {number}"))
            for number, url in enumerate(settings.replicas, 1)
        ]
        return Replicas(self._pool, primary, replicas, settings)

    def measure(self, observe: Observe) -> None:
        """Count every statement by *observe* from now on."""
        self._shared = replace(self._shared, observe=observe)
        self._unkept = TIMED_ONLY

    @property
    def pools(self) -> dict[str, Pool]:
        """The pools by the names of their servers."""
        pools = {} if self._pool is None else {"primary": self._pool}
        if self._replicas is not None:
            pools |= {replica.name: replica.pool for replica in self._replicas.replicas}
        return pools

    async def start(self) -> None:
        """Open the first connections; replicas that are away keep nothing from starting.

        Raises:
            DatabaseUnavailable: the primary doesn't answer, or refuses us.
        """
        self._shared = replace(self._shared, loop=asyncio.get_running_loop())
        if self.probe is not None:
            self.probe.start()
        if self._pool is not None:
            try:
                await self._pool.start()
            except DatabaseUnavailable as exc:
                raise self._away_at_start(exc) from exc.__cause__
        if self._replicas is not None:
            await self._replicas.start()

    def _away_at_start(self, exc: DatabaseUnavailable) -> DatabaseUnavailable:
        """Return *exc*, which nobody outside sees, saying which database it is about."""
        cause = exc.__cause__
        said = "" if cause is None else f" ({f'{type(cause).__name__}: {cause}'.rstrip(': ')})"
        place = read_address(self._settings.url or "").place
        return DatabaseUnavailable(
            f"PostgreSQL at {place}, cannot be reached{said}. "
            "Mend DATABASE_URL, or start the server."
        )

    async def stop(self) -> None:
        """Wait until every connection has come back, then close them; cancelling cuts them off."""
        try:
            if self.probe is not None:
                await self.probe.stop()
            if self._replicas is not None:
                await self._replicas.stop()
        finally:
            if self._pool is not None:
                await self._pool.stop()

    async def ready(self) -> str | None:
        """Return why the primary does not answer; `None` when it does, be the pool exhausted."""
        return None if self.probe is None else await self.probe.ready()

    def acquire(self, request: RequestContext | None = None, *, primary: bool = False) -> Cursor:
        """Return a cursor for reading: `async with db.acquire(request) as cur`.

        Args:
            request: the request it is for; without, the current span and context stand for it.
            primary: don't read from a replica.
        """
        source = self._primary if primary else self._reader
        affinity = self._shared.affinity
        if affinity is not None and affinity.wrote(request):
            source = self._primary
        return ReadCursor(self._shared, source, request, self._find_span(request))

    def transaction(
        self,
        request: RequestContext | None = None,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> Block:
        """Return a transaction: `async with db.transaction(request) as cur`.

        Inside of another one of the same task it is a savepoint of that.

        Raises:
            ValueError: *isolation* is none of PostgreSQL's, or a nested one has options of its own.
        """
        outer = find_outer(self._shared)
        if outer is not None:
            if isolation is not None or readonly or deferrable:
                raise ValueError(
                    "a nested transaction is a savepoint, and cannot have isolation, readonly or "
                    "deferrable of its own: give them to the outermost one"
                )
            return Savepoint(outer)
        begin = self._plain_begin
        if isolation is not None or readonly or deferrable:
            begin = begin_text(isolation, readonly, deferrable, write=self._debug)
        span = self._find_span(request)
        return Transaction(self._shared, self._primary, request, span, begin, readonly=readonly)

    async def retry(
        self,
        function: Callable[[Transaction], Awaitable[T]],
        request: RequestContext | None = None,
        *,
        attempts: int = 3,
        isolation: Isolation | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> T:
        """Run `function(cur)` in a transaction, again after a serialization failure or a deadlock.

        The function may run several times, so it must do nothing but work on *cur*.

        Args:
            attempts: how often it is run at most; the last failure surfaces.

        Raises:
            ValueError: a transaction is open already: only the outermost one can be run again.
        """
        if find_outer(self._shared) is not None:
            raise ValueError("retry() was called inside of a transaction; call it around it")
        for attempt in range(1, attempts + 1):
            try:
                async with self.transaction(
                    request, isolation=isolation, readonly=readonly, deferrable=deferrable
                ) as cur:
                    return await function(cur)
            except _RETRIED:
                if attempt == attempts:
                    raise
            await asyncio.sleep(random.random() * _FIRST_PAUSE * 2 ** (attempt - 1))  # noqa: S311
        raise ValueError(f"attempts is {attempts}: at least one is needed")

    def _find_span(self, request: RequestContext | None) -> Any:
        """Return the span that statements are children of; `None` where none is to be made.

        It is `TIMED_ONLY` where they are measured all the same.
        """
        if self._tracer is None:
            return self._unkept
        span = current_span()
        if span is None and request is not None:
            span = request.span
        return span if span is not None and span.sampled else self._unkept


def peer_tags(url: str) -> Tags:
    """Return what spans say of the server at *url*: host, port and database, no user, no secret."""
    address = read_address(url)
    host = address.host
    tags: Tags = {"peer.service": "postgresql", "db.instance": address.database}
    if not host.local:
        tags |= {"peer.hostname": host.name, "peer.port": host.port}
    return tags


def _wants_writer(url: str | None) -> bool:
    """Tell whether the address asks for a server that takes writes."""
    if url is None:
        return False
    return read_address(url).values.get("target_session_attrs") in ("read-write", "primary")
