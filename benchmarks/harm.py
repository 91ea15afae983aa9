"""The server and the service of faults.py, and what is done to the former."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from benchmarks.children import start_child
from benchmarks.ledger import SCHEMA
from msframework.db.embedded import EmbeddedServer

ROOT = Path(__file__).resolve().parents[1]
TARGET = "manage.py runserver --settings benchmarks.settings --port {port}"
POOL = 8  # connections that the service may hold
CONNECTIONS = 40  # that the server takes
ACQUIRE, CONNECT, COMMAND = 0.5, 2.0, 2.0  # the service's timeouts, in seconds


class Bench:
    """The server, the service, and what can be done to the former."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.embedded = EmbeddedServer(root)

    def open(self) -> None:
        """Start both."""
        with psycopg.connect(self.embedded.start(), autocommit=True) as conn:
            conn.execute(f"ALTER SYSTEM SET max_connections = {CONNECTIONS}")
            conn.execute(SCHEMA)
        self.embedded.stop()
        self.url = self.embedded.start()
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.log = self.root / "service.log"
        env = {
            "CONFIGURE": "benchmarks.ledger.configure",
            "DATABASE_URL": self.url,
            "BENCH_LOG": str(self.root / "access.log"),
            "BENCH_POOL": str(POOL),
            "DB_MIN_SIZE": "2",
            "DB_ACQUIRE_TIMEOUT": str(ACQUIRE),
            "DB_CONNECT_TIMEOUT": str(CONNECT),
            "DB_COMMAND_TIMEOUT": str(COMMAND),
            "DB_POOL": os.environ.get("DB_POOL", "light"),
        }
        with self.log.open("wb") as out:
            self.process = start_child(
                [sys.executable, *shlex.split(TARGET.format(port=port))],
                cwd=ROOT,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def wait_ready(self, session: aiohttp.ClientSession) -> None:
        """Wait until the service answers."""
        deadline = time.monotonic() + 40
        while True:
            with suppress(aiohttp.ClientError):
                async with session.get(f"{self.base}/counters/1") as response:
                    if response.status == 200:
                        return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service is not ready:\n{self.log.read_text()}")
            await asyncio.sleep(0.05)

    def close(self) -> None:
        """End both, and take the data away."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.embedded.reset()

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection beside those of the service."""
        return psycopg.connect(self.url, autocommit=True, application_name="fault")

    def query(self, sql: str) -> list[Any]:
        """Run one statement."""
        with self.connect() as conn:
            cursor = conn.execute(sql)
            return cursor.fetchall() if cursor.description else []

    @property
    def postmaster(self) -> int:
        """The server's first process."""
        data = self.embedded.status().data
        assert data is not None
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])

    def terminate_all(self) -> int:
        """End every backend of the service; returns how many there were."""
        return len(
            self.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND application_name <> 'fault'"
            )
        )


# What is done to the server; each returns as soon as the server is well again.


def terminate(bench: Bench) -> None:
    """`pg_terminate_backend` of every backend, five times."""
    for _ in range(5):
        bench.terminate_all()
        time.sleep(0.2)


def crash(bench: Bench) -> None:
    """`kill -9` of one backend: PostgreSQL ends all others, and recovers."""
    [[pid]] = bench.query(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND application_name <> 'fault' LIMIT 1"
    )
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.05)
    deadline = time.monotonic() + 20
    while True:
        try:
            bench.query("SELECT 1")
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def restart(bench: Bench) -> None:
    """The server is stopped, and started a second later."""
    bench.embedded.stop()
    time.sleep(1)
    bench.embedded.start()


def freeze(bench: Bench) -> None:
    """SIGSTOP of the postmaster for 5 s; backends live on, new ones don't come."""
    os.kill(bench.postmaster, signal.SIGSTOP)
    try:
        time.sleep(5)
    finally:
        os.kill(bench.postmaster, signal.SIGCONT)


def freeze_alone(bench: Bench) -> None:
    """The same, and every backend is ended meanwhile, so that the service has none."""
    with bench.connect() as conn:
        os.kill(bench.postmaster, signal.SIGSTOP)
        try:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            time.sleep(5)
        finally:
            os.kill(bench.postmaster, signal.SIGCONT)


def crowd(bench: Bench) -> None:
    """Others take every connection that the server gives, for 3 s, also those of the service."""
    held: list[psycopg.Connection[Any]] = []
    try:
        deadline, ended = time.monotonic() + 3, 0
        while time.monotonic() < deadline:
            try:
                held.append(bench.connect())
            except psycopg.OperationalError:
                if ended < 3 * POOL and held:
                    ended += (
                        held[0]
                        .execute(
                            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                            "backend_type = 'client backend' AND application_name <> 'fault'"
                        )
                        .fetchone()[0]
                    )  # type: ignore[index]
                time.sleep(0.02)
    finally:
        for conn in held:
            conn.close()


def lock_for(bench: Bench, seconds: float) -> None:
    """Keep every statement waiting for *seconds*."""
    with bench.connect() as conn, conn.transaction():
        conn.execute("LOCK TABLE counters IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)


def exhaust(bench: Bench) -> None:
    """All connections of the pool are busy for longer than a borrower waits."""
    lock_for(bench, COMMAND * 0.7)


def exceed(bench: Bench) -> None:
    """Every statement takes longer than its time limit."""
    lock_for(bench, COMMAND * 2)


def alter(bench: Bench) -> None:
    """Columns come and go, and one changes its type, under cached statements."""
    for number in range(8):
        for sql in (
            f"ALTER TABLE counters ADD COLUMN more_{number} int DEFAULT 0",
            f"ALTER TABLE entries ADD COLUMN more_{number} text",
            f"ALTER TABLE counters DROP COLUMN more_{number}",
            f"ALTER TABLE counters ALTER COLUMN total TYPE {('bigint', 'int')[number % 2]}",
            f"ALTER TABLE entries DROP COLUMN more_{number}",
        ):
            bench.query(sql)
            time.sleep(0.05)


FAULTS: dict[str, Callable[[Bench], None]] = {
    "terminate": terminate,
    "crash": crash,
    "restart": restart,
    "freeze": freeze,
    "freeze_alone": freeze_alone,
    "crowd": crowd,
    "exhaust": exhaust,
    "exceed": exceed,
    "alter": alter,
}
