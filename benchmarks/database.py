"""The benchmark's PostgreSQL: an embedded server of its own, and the table of users.

It is reached through a Unix socket only, with fsync and synchronous_commit off: what is measured
is the client, not the disk. It runs on the cores of whoever starts it.
"""

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from msframework.db.embedded import EmbeddedServer

ROWS = 10_000
NAME = "bench"

SETTINGS = {
    "max_connections": "400",
    "shared_buffers": "256MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "8GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    # Each entry of the log begins so; see statements.py.
    "log_line_prefix": "@%d@ ",
}

SCHEMA = f"""
DROP TABLE IF EXISTS users;
CREATE TABLE users (
    id serial PRIMARY KEY,
    name varchar(128) NOT NULL,
    email varchar(128) NOT NULL,
    age int NOT NULL,
    sex varchar(32) NOT NULL,
    balance numeric(12,2) NOT NULL,
    city_id int NOT NULL,
    role_id int NOT NULL,
    uid uuid NOT NULL DEFAULT gen_random_uuid(),
    is_active bool NOT NULL DEFAULT true,
    create_time timestamptz NOT NULL DEFAULT now()
);
SELECT setseed(0.42);
INSERT INTO users (name, email, age, sex, balance, city_id, role_id, uid, is_active, create_time)
SELECT 'User Number ' || i,
       'user.number.' || i || '@example.com',
       (random() * 80)::int + 18,
       (ARRAY['male', 'female', 'other'])[1 + i % 3],
       (random() * 100000)::numeric(12,2),
       1 + i % 100,
       1 + i % 10,
       md5(i::text)::uuid,
       i % 7 <> 0,
       '2024-01-01 00:00:00+00'::timestamptz + i * interval '61.123457 seconds'
FROM generate_series(1, {ROWS}) AS i;
"""


def default_root() -> Path:
    """Return the directory that the server belongs to, as it would to a checkout."""
    return Path(os.environ.get("BENCH_PG", Path(tempfile.gettempdir(), "msframework-benchmarks")))


class Database:
    """The embedded server, started anew so that it runs on our cores and with our settings."""

    def __init__(self, root: Path | None = None) -> None:
        root = root or default_root()
        root.mkdir(parents=True, exist_ok=True)
        self.server = EmbeddedServer(root)
        self.server.stop()
        with psycopg.connect(self.server.start(), autocommit=True) as conn:
            stale = [
                name
                for name, value in SETTINGS.items()
                if conn.execute("SELECT current_setting(%s)", (name,)).fetchone()[0] != value
            ]
            for name in stale:
                conn.execute(f"ALTER SYSTEM SET {name} = '{SETTINGS[name]}'")
            known = conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,))
            if known.fetchone() is None:
                conn.execute(f"CREATE DATABASE {NAME}")
        if stale:
            self.server.stop()
            self.server.start()
        status = self.server.status()
        assert status.url is not None
        assert status.data is not None
        assert status.log is not None
        self.dsn = status.url.replace("/postgres?", f"/{NAME}?")
        self.log = status.log
        self.host = parse_qs(urlsplit(self.dsn).query)["host"][0]
        self.user, self.name = "postgres", NAME
        self.pid = int((status.data / "postmaster.pid").read_text().split("\n", 1)[0])

    def connect(self) -> psycopg.Connection:
        """Return a connection of the harness's own."""
        return psycopg.connect(self.dsn, autocommit=True)

    def fill(self) -> None:
        """Make the table anew."""
        with self.connect() as conn:
            conn.execute(SCHEMA)
            conn.execute("VACUUM (FREEZE, ANALYZE) users")

    def reset(self) -> int:
        """Take away what `create` added, and return how many rows that were.

        A threaded server still works off its queue after the load has gone: wait until no more
        rows come. The sequence goes on, so that a late insert can never collide with a later run.
        """
        total = quiet = 0
        with self.connect() as conn:
            while quiet < 3:
                deleted = conn.execute("DELETE FROM users WHERE id > %s", (ROWS,)).rowcount
                total += deleted
                quiet = 0 if deleted else quiet + 1
                time.sleep(0.1)
            conn.execute("VACUUM (FREEZE, ANALYZE) users")
            conn.execute("CHECKPOINT")
        return total

    def added(self) -> int:
        """Return how many rows `create` has added."""
        with self.connect() as conn:
            return conn.execute("SELECT count(*) FROM users WHERE id > %s", (ROWS,)).fetchone()[0]

    def transactions(self) -> int:
        """Return how many transactions the database counts so far.

        NOTE: backends report at most once a second, so this is up to a second late.
        """
        with self.connect() as conn:
            return conn.execute(
                "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %s",
                (NAME,),
            ).fetchone()[0]

    def log_statements(self, on: bool) -> None:
        """Have the server write every statement into its log, or stop that."""
        with self.connect() as conn:
            if on:
                conn.execute("ALTER SYSTEM SET log_statement = 'all'")
            else:
                conn.execute("ALTER SYSTEM RESET log_statement")
            conn.execute("SELECT pg_reload_conf()")
        time.sleep(0.5)  # until each backend has its signal

    def version(self) -> str:
        """Return the version of the server."""
        with self.connect() as conn:
            return conn.execute("SHOW server_version").fetchone()[0]

    def stop(self) -> None:
        """Stop the server; the data stays."""
        with suppress(psycopg.Error):
            self.log_statements(False)
        self.server.stop()
