"""PostgreSQL servers of the tests' own: primaries, and standbys that follow them by streaming."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from msframework.db.cluster import PORT, SUPERUSER, Cluster, reachable_binaries, run_as
from msframework.db.cluster import find_binaries as wheel_binaries
from msframework.db.home import make_home, make_private


class Server:
    """One server, with a directory, a socket and processes of its own.

    Args:
        root: a directory of the tests; as root the data lies elsewhere, as the embedded server's.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.home = make_home(root)
        self.cluster = Cluster(self.home)
        host = quote(str(self.home.run))
        self.url = f"postgresql://{SUPERUSER}@/postgres?host={host}&port={PORT}"

    def make_primary(self) -> "Server":
        """Make an empty cluster."""
        self.home.prepare()
        with self.home.lock() as lock:
            self.cluster.initialise(lock)
        return self

    def make_standby(self, primary: "Server") -> "Server":
        """Copy *primary*, to follow it from there on."""
        self.home.prepare()
        make_private(self.home.data, self.home.user)
        source = f"host={primary.home.run} port={PORT} user={SUPERUSER}"
        options = ["-D", str(self.home.data), "-d", source, "-R", "-X", "stream", "-c", "fast"]
        done = self.run("pg_basebackup", *options, "--no-sync")
        assert done.returncode == 0, done.stdout
        return self

    def run(self, program: str, *options: str):
        """Run one of PostgreSQL's programs as the server's user."""
        user = self.home.user
        binaries = wheel_binaries() if user is None else reachable_binaries(user, self.home.path)
        return run_as(user, [str(binaries / program), *options], self.home.path, ())

    def start(self) -> None:
        """Start the server; returns when it takes connections."""
        self.cluster.launch()

    def stop(self) -> None:
        """End the server."""
        self.cluster.halt()

    @property
    def pid(self) -> int:
        """The postmaster's."""
        return int((self.home.data / "postmaster.pid").read_text().split("\n", 1)[0])

    def kill(self) -> None:
        """End every process of the server with SIGKILL, as the end of its machine would."""
        postmaster = self.pid
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in (postmaster, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def query(self, sql: str, *parameters: object) -> list[tuple]:
        """Run one statement over a connection of its own."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            cursor = conn.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def remove(self) -> None:
        """End the server and take its files away."""
        with suppress(FileNotFoundError):
            os.kill(self.pid, signal.SIGCONT)
        self.cluster.halt()
        self.cluster.wipe()
        shutil.rmtree(self.home.path, ignore_errors=True)


@contextmanager
def replicated(root: Path) -> Iterator[tuple[Server, Server, Server]]:
    """Yield a primary and two standbys that stream from it, all running."""
    primary = Server(root / "primary")
    servers = [primary]
    try:
        primary.make_primary().start()
        for name in ("first", "second"):
            standby = Server(root / name)
            servers.append(standby)
            standby.make_standby(primary).start()
        yield tuple(servers)
    finally:
        for server in reversed(servers):
            server.remove()
