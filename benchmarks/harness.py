"""What a measurement stands on: PostgreSQL, the upstream and the collector, all on the load's core.

`Bench` starts them, starts servers on the server's core, and ends everything it started.
"""

import argparse
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.database import Database
from benchmarks.processes import Server
from benchmarks.targets import PYTHON, Target

LOGS = Path(tempfile.gettempdir()) / "msframework-benchmark-logs"
RESULTS = Path(__file__).with_name("results")


def require_tools() -> None:
    """End the program where a tool is missing, with what to do."""
    for tool in ("wrk", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: apt-get install -y wrk util-linux")


class Bench:
    """A context manager: helpers run while it is open, and every server is ended with it.

    Attributes:
        helpers: process ids of what belongs to the load, not to a server.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.server_cores: Sequence[int] = [options.server_core]
        self.load_cores: Sequence[int] = [options.load_core]
        self.servers: dict[str, Server] = {}
        self._stack = ExitStack()
        self._port = options.port

    def __enter__(self) -> "Bench":
        require_tools()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends with it
        # The harness, PostgreSQL and wrk inherit this; servers are pinned by taskset.
        os.sched_setaffinity(0, self.load_cores)
        with ExitStack() as stack:
            self.database = Database()
            stack.callback(self.database.stop)
            self.database.fill()
            self.env = {
                "BENCH_DSN": self.database.dsn,
                "BENCH_PG_HOST": self.database.host,
                "BENCH_PG_USER": self.database.user,
                "BENCH_PG_DB": self.database.name,
                "BENCH_POOL": "16",
            }
            self.upstream = self._help(stack, "upstream", "benchmarks.peers.upstream", "/cities/1")
            self.collector = self._help(stack, "collector", "benchmarks.collector", "/counts")
            self.env["BENCH_UPSTREAM"] = f"http://127.0.0.1:{self.upstream.port}"
            self.env["BENCH_ZIPKIN"] = f"http://127.0.0.1:{self.collector.port}/api/v2/spans"
            own = [self.upstream.process.pid, self.collector.process.pid]
            self.helpers = [*own, self.database.pid]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for server in self.servers.values():
            server.stop()
        self._stack.close()

    def _help(self, stack: ExitStack, name: str, module: str, path: str) -> Server:
        target = Target(name, f"{PYTHON} -m {module}")
        helper = Server(target, self._next_port(), list(self.load_cores), self.env, LOGS)
        stack.callback(helper.stop)
        helper.wait_ready(path)
        return helper

    def start(self, target: Target, **env: str) -> Server:
        """Start *target* on the server's core; it is not awaited."""
        server = Server(
            target, self._next_port(), list(self.server_cores), {**self.env, **env}, LOGS
        )
        self.servers[target.name] = server
        return server

    def stop(self, server: Server) -> None:
        """End *server*."""
        del self.servers[server.name]
        server.stop()

    def _next_port(self) -> int:
        """Return the next port that no other server answers on."""
        while True:
            self._port += 1
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self._port)) != 0:
                    return self._port
