"""Waits for locks: short ones with retries, and the connections that block them.

A statement that waits for a lock blocks all later ones on the table, so it waits only for a short
time (`lock_timeout`), gives up, and is tried again. Runs at start-up.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from peewee import PostgresqlDatabase

from msframework.conf.settings import DatabaseSettings

if TYPE_CHECKING:
    import psycopg

_LONGEST_PAUSE: Final = 5.0  # seconds
_GROWTH: Final = 1.5
_LOOK_EVERY: Final = 1.0  # seconds
_BLOCKERS: Final = """
SELECT pid, application_name, backend_type, state,
  extract(epoch FROM clock_timestamp() - xact_start)::float8
FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids(%s)) ORDER BY xact_start NULLS LAST, pid
LIMIT 1"""
_INDEX_PROGRESS: Final = """
SELECT phase, CASE WHEN tuples_total > 0 THEN tuples_done::float8 / tuples_total
    WHEN blocks_total > 0 THEN blocks_done::float8 / blocks_total END
FROM pg_stat_progress_create_index WHERE pid = %s"""
_CANCEL: Final = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE pid = %s AND backend_type = 'autovacuum worker' AND query !~ 'to prevent wraparound'"""
LOCK_NOT_AVAILABLE: Final = "55P03"
QUERY_CANCELED: Final = "57014"
# Lock not available, deadlock, serialization failure: the same again may well succeed.
TRANSIENT: Final = frozenset((LOCK_NOT_AVAILABLE, "40P01", "40001"))


@dataclass(frozen=True, slots=True)
class LockPolicy:
    """The limits of a migration's waits for locks.

    Args:
        timeout: seconds for which one statement waits, and others behind it; 0 for ever.
        retries: how often what could not get its locks is tried again.
        statement_timeout: seconds for one statement that holds others up, in a migration with
            `atomic = False`; 0 for ever.
    """

    timeout: float = 0.1
    retries: int = 30
    statement_timeout: float = 30.0

    @classmethod
    def of(cls, settings: DatabaseSettings) -> LockPolicy:
        """Return the policy that *settings* state."""
        return cls(
            settings.migration_lock_timeout,
            settings.migration_lock_retries,
            settings.migration_statement_timeout,
        )

    def pauses(self) -> Iterator[float]:
        """Yield the seconds before each retry: longer and longer, and by chance a bit shorter."""
        pause = max(self.timeout, 0.1)
        for _ in range(self.retries):
            yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)


@dataclass(frozen=True, slots=True)
class Blocker:
    """The connection that holds a lock which a migration waits for."""

    pid: int
    application: str | None
    kind: str | None
    state: str | None
    seconds: float | None

    def describe(self) -> str:
        """Return it in words, without its statement, which may contain values."""
        parts = []
        if self.kind and self.kind != "client backend":
            parts.append(self.kind)
        elif self.application:
            parts.append(self.application)
        if self.state:
            parts.append(self.state)
        if self.seconds is not None:
            parts.append(f"in a transaction for {self.seconds:.0f} s")
        return f"process {self.pid}" + (f" ({', '.join(parts)})" if parts else "")


@dataclass(frozen=True, slots=True)
class Sighting:
    """The state of a running statement, as another connection sees it.

    Args:
        stage: of an index that is built, in PostgreSQL's words; with how much of it is done.
    """

    blocker: Blocker | None
    stage: str | None = None
    fraction: float | None = None


class LockObserver:
    """Observes through a connection of its own what a statement waits for.

    It connects when a statement takes long enough to be looked at.
    """

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database
        self._connection: psycopg.Connection | None = None
        self._failed = False

    @contextmanager
    def watching(self, after: float, tell: Callable[[Sighting], None]) -> Iterator[None]:
        """Call *tell* with each sighting, from a thread, beginning *after* some seconds."""
        connection = self._database.connection()  # type: ignore[no-untyped-call]
        pid: int = connection.info.backend_pid
        stop = threading.Event()
        thread = threading.Thread(
            target=self._watch,
            args=(connection, pid, stop, after, tell),
            name="migration observer",
            daemon=True,
        )
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def end_autovacuum(self, blocker: Blocker) -> bool:
        """Cancel *blocker* if it is an autovacuum, and the role may do that.

        PostgreSQL does so itself for who waits longer than its timeout of deadlocks (its manual,
        24.1.6); it vacuums the table again later.
        """
        import psycopg

        if self._connection is None or blocker.kind != "autovacuum worker":
            return False
        with suppress(psycopg.Error):
            row = self._connection.execute(_CANCEL, (blocker.pid,)).fetchone()
            return row is not None and bool(row[0])
        return False

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _watch(
        self,
        watched: psycopg.Connection,
        pid: int,
        stop: threading.Event,
        after: float,
        tell: Callable[[Sighting], None],
    ) -> None:
        pause = after
        while not self._failed and not stop.wait(pause):
            sighting = self._look(watched, pid)
            if sighting is not None and not stop.is_set():
                tell(sighting)
            pause = _LOOK_EVERY

    def _look(self, watched: psycopg.Connection, pid: int) -> Sighting | None:
        import psycopg

        try:
            if self._connection is None:
                info = watched.info
                self._connection = psycopg.connect(
                    info.dsn,
                    host=info.host,
                    port=info.port,
                    password=info.password or None,
                    application_name="msframework migrations observer",
                    connect_timeout=2,
                    autocommit=True,
                )
            found = self._connection.execute(_BLOCKERS, (pid,)).fetchone()
            stage = self._connection.execute(_INDEX_PROGRESS, (pid,)).fetchone()
        except psycopg.Error:
            self._failed = True  # it is a help only
            with suppress(psycopg.Error):
                self.close()
            return None
        blocker = None if found is None else Blocker(*found)
        return Sighting(blocker, *(stage or (None, None)))


def sqlstate(exc: BaseException) -> str | None:
    """Return PostgreSQL's code for *exc*, an exception of psycopg, or peewee's around one."""
    for each in (exc, *exc.args[:1], exc.__cause__, exc.__context__):
        code = getattr(each, "sqlstate", None)
        if isinstance(code, str):
            return code
    return None


def milliseconds(seconds: float) -> str:
    """Return *seconds* as PostgreSQL's settings take them; 0 is no limit, so the least is 1 ms."""
    return f"{max(1, round(seconds * 1000)) if seconds > 0 else 0}ms"


def sleep(seconds: float) -> None:
    """Wait before a retry."""
    time.sleep(seconds)
