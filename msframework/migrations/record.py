"""The tables `migrate_record` and `migrate_progress`: the migrations that a database has.

Both are in the first schema of the connection's search path, so that each tenant of a database has
its own. Runs at start-up.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from peewee import PostgresqlDatabase

TABLE = "migrate_record"

_CREATE = """
CREATE TABLE IF NOT EXISTS migrate_record (
    app text NOT NULL,
    name text NOT NULL,
    author text,
    datetime text,
    time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (app, name)
)"""


_CREATE_PROGRESS: Final = """
CREATE TABLE IF NOT EXISTS migrate_progress (
    app text NOT NULL,
    name text NOT NULL,
    backwards boolean NOT NULL,
    done integer NOT NULL,
    digest text NOT NULL,
    time timestamptz NOT NULL,
    PRIMARY KEY (app, name)
)"""
_SAVE: Final = """
INSERT INTO migrate_progress (app, name, backwards, done, digest, time)
VALUES (%s, %s, %s, %s, %s, clock_timestamp())
ON CONFLICT (app, name) DO UPDATE SET backwards = excluded.backwards, done = excluded.done,
    digest = excluded.digest, time = excluded.time"""
_FIND: Final = "SELECT to_regclass(quote_ident(current_schema()) || '.' || %s)"


@dataclass(frozen=True, slots=True)
class Entry:
    """One migration that a database has.

    Args:
        datetime: when it was written, if the file says so.
        time: when it was applied here.
    """

    app: str
    name: str
    author: str | None
    datetime: str | None
    time: dt.datetime


class Record:
    """The table `migrate_record` of one database."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    def create(self) -> None:
        """Make the table where it is missing; called with the migration lock held."""
        self._database.execute_sql(_CREATE)  # type: ignore[no-untyped-call]

    def read(self) -> dict[tuple[str, str], Entry]:
        """Return the applied migrations, by app and name, in the order of their application."""
        if not _exists(self._database, TABLE):
            return {}
        rows = self._database.execute_sql(  # type: ignore[no-untyped-call]
            "SELECT app, name, author, datetime, time FROM migrate_record ORDER BY time, app, name"
        )
        return {(row[0], row[1]): Entry(*row) for row in rows.fetchall()}

    def add(
        self, app: str, name: str, author: str | None = None, datetime: str | None = None
    ) -> None:
        """Note that *name* of *app* is applied."""
        self._database.execute_sql(  # type: ignore[no-untyped-call]
            "INSERT INTO migrate_record (app, name, author, datetime, time) "
            "VALUES (%s, %s, %s, %s, clock_timestamp())",
            (app, name, author, datetime),
        )

    def remove(self, app: str, name: str) -> None:
        """Note that *name* of *app* is no longer applied."""
        self._database.execute_sql(  # type: ignore[no-untyped-call]
            "DELETE FROM migrate_record WHERE app = %s AND name = %s", (app, name)
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an interrupted migration with `atomic = False`.

    Args:
        done: the number of finished phases.
        digest: of those phases, to detect that the file was edited since.
    """

    app: str
    name: str
    backwards: bool
    done: int
    digest: str


class ProgressTable:
    """The table `migrate_progress` of one database, which is made when first needed."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    def create(self) -> None:
        """Make the table where it is missing; called with the migration lock held."""
        self._database.execute_sql(_CREATE_PROGRESS)  # type: ignore[no-untyped-call]

    def read(self) -> dict[tuple[str, str], Progress]:
        """Return the interrupted migrations, by app and name."""
        if not _exists(self._database, "migrate_progress"):
            return {}
        run: Any = self._database.execute_sql
        rows = run("SELECT app, name, backwards, done, digest FROM migrate_progress ORDER BY time")
        return {(row[0], row[1]): Progress(*row) for row in rows.fetchall()}

    def save(self, progress: Progress) -> None:
        """Save the progress of one migration."""
        values = (progress.app, progress.name, progress.backwards, progress.done, progress.digest)
        self._database.execute_sql(_SAVE, values)  # type: ignore[no-untyped-call]

    def remove(self, app: str, name: str) -> None:
        """Remove the progress of a migration, if it has any."""
        if _exists(self._database, "migrate_progress"):
            self._database.execute_sql(  # type: ignore[no-untyped-call]
                "DELETE FROM migrate_progress WHERE app = %s AND name = %s", (app, name)
            )


def _exists(database: PostgresqlDatabase, table: str) -> bool:
    run: Any = database.execute_sql
    return run(_FIND, (table,)).fetchone()[0] is not None
