"""The table `migrate_record`: which migrations a database has. Runs at start-up."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Entry:
    """One migration that a database has.

    Args:
        datetime: when it was written, if its author says so.
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
        if not self._database.table_exists(TABLE):
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
