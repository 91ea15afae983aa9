"""The connection that migrations run on, and the name `db` for it. Runs at start-up."""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any

import peewee
from peewee import PostgresqlDatabase
from playhouse.postgres_ext import Psycopg3Database

from msframework.conf.address import read_address
from msframework.conf.loader import load_settings
from msframework.conf.settings import Settings
from msframework.db.embedded import ensure_database
from msframework.db.opening import libpq_options
from msframework.exceptions import ImproperlyConfigured

Echo = Callable[[str], None]

_LOCK = 0x6D73_6672_616D_6577  # "msframew"; an advisory lock belongs to one database


class MigrationDatabase(Psycopg3Database):  # type: ignore[misc]
    """PostgreSQL through psycopg 3, for migrations.

    `around`, while it is set, is handed each statement outside of transactions, and what runs it.
    """

    around: Callable[[str, Callable[[], Any]], Any] | None = None

    def execute_sql(self, sql: str, params: Any = None, **options: Any) -> Any:
        """Run one statement."""
        run = partial(super().execute_sql, sql, params, **options)
        if self.around is None or self.in_transaction():
            return run()
        return self.around(sql, run)


def connect(url: str) -> PostgresqlDatabase:
    """Return a peewee database for *url* that uses psycopg 3; it connects when first used.

    Raises:
        ImproperlyConfigured: psycopg is not installed.
    """
    try:
        from psycopg import ClientCursor
    except ImportError as exc:
        raise ImproperlyConfigured(
            "Migrations need psycopg, which is not installed: `pip install 'psycopg[binary]'`."
        ) from exc
    options = {"application_name": "msframework migrations", "connect_timeout": "10"}
    options |= libpq_options(read_address(url))
    # NOTE: parameters are put in by the client, as PostgreSQL takes none in DDL (SET DEFAULT %s).
    database: PostgresqlDatabase = MigrationDatabase(
        options.pop("dbname"),
        cursor_factory=ClientCursor,
        **options,
    )
    return database


@contextmanager
def opened(url: str) -> Iterator[PostgresqlDatabase]:
    """Connect to *url* and close the connection at the end; `db` is this database meanwhile.

    Raises:
        ImproperlyConfigured: PostgreSQL cannot be reached.
    """
    database = connect(url)
    try:
        database.connect()
    except peewee.OperationalError as exc:
        raise ImproperlyConfigured(
            f"PostgreSQL cannot be reached: {first_line(exc)}. Check DATABASE_URL, and that the "
            "server runs."
        ) from exc
    try:
        with db.using(database):
            yield database
    finally:
        database.close()


def database_url(settings: Settings) -> str:
    """Return the address of the primary.

    Raises:
        ImproperlyConfigured: there is none.
    """
    if settings.database.url is None:
        raise ImproperlyConfigured(
            "There is no database to migrate: set DATABASE_URL, or DEBUG for an embedded one."
        )
    return settings.database.url


class LazyDatabase:
    """The database of the settings module, found when first used (so that importing does nothing).

    Within a run of `Runner` it is the database of that run.
    """

    def __init__(self) -> None:
        self._default: PostgresqlDatabase | None = None
        self._current: ContextVar[PostgresqlDatabase | None] = ContextVar(
            "msframework_migrations_db", default=None
        )

    def resolve(self) -> PostgresqlDatabase:
        """Return the peewee database behind this name.

        Raises:
            ImproperlyConfigured: the settings are wrong, or name no database.
        """
        current = self._current.get()
        if current is not None:
            return current
        if self._default is None:
            settings = ensure_database(load_settings(), say)
            self._default = connect(database_url(settings))
            atexit.register(self.close)
        return self._default

    @contextmanager
    def using(self, database: PostgresqlDatabase) -> Iterator[None]:
        """Let the name stand for *database* inside the `with`."""
        token = self._current.set(database)
        try:
            yield
        finally:
            self._current.reset(token)

    def close(self) -> None:
        """Close this thread's connection to the settings' database, if there is one."""
        default, self._default = self._default, None
        if default is not None and not default.is_closed():
            default.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.resolve(), name)

    def __enter__(self) -> PostgresqlDatabase:
        return self.resolve().__enter__()

    def __exit__(self, *exc_info: Any) -> None:
        self.resolve().__exit__(*exc_info)


db = LazyDatabase()


@contextmanager
def migration_lock(
    database: PostgresqlDatabase, echo: Echo, timeout: float = 600.0
) -> Iterator[None]:
    """Keep other runs on the same database out; inside a transaction, until its end.

    Args:
        timeout: how long to wait for another run, in seconds.

    Raises:
        ImproperlyConfigured: another run held the lock for longer than that.
    """
    inside = database.in_transaction()
    function = "pg_try_advisory_xact_lock" if inside else "pg_try_advisory_lock"
    deadline = time.monotonic() + timeout
    waiting = False
    # NOTE: tried again and again, as a statement that waits holds a snapshot, and the other run's
    # CREATE INDEX CONCURRENTLY waits for everybody's snapshot: each would wait for the other.
    run: Any = database.execute_sql
    while not run(f"SELECT {function}(%s)", (_LOCK,)).fetchone()[0]:
        if time.monotonic() > deadline:
            raise ImproperlyConfigured(
                f"Another run of migrations has held this database for {timeout:.0f} s. Wait for "
                "it, or end its connection, then try again."
            )
        if not waiting:
            echo("Another run of migrations holds the lock; waiting for it.")
            waiting = True
        time.sleep(0.05)
    try:
        yield
    finally:
        if not inside:
            with suppress(peewee.PeeweeException):  # a lost connection has lost the lock
                run("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def first_line(exc: BaseException) -> str:
    """Return the message of *exc*, without PostgreSQL's DETAIL, which carries values."""
    return str(exc).strip().partition("\n")[0] or type(exc).__name__


def say(text: str) -> None:
    """Write *text* for whoever runs a script of migrations."""
    print(text, file=sys.stderr)
