"""The processes of a measurement: started on cores of their own, asked, timed, stopped."""

import http.client
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

from benchmarks.children import start_child
from benchmarks.targets import Target


class CheckFailed(Exception):
    """A server is not what it should be."""


def expect(condition: bool, message: str) -> None:
    """Raise `CheckFailed` unless *condition* holds."""
    if not condition:
        raise CheckFailed(message)


def tree(pid: int) -> list[psutil.Process]:
    """Return the process *pid* and all below it."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(*pids: int) -> float:
    """Return user and system time of these processes and those below them."""
    return sum(spent(tree(pid)) for pid in pids)


def spent(processes: Iterable[psutil.Process]) -> float:
    """Return user and system time of *processes*, without those below them."""
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


class Server:
    """One server, with all its processes, on *cores*."""

    def __init__(
        self, target: Target, port: int, cores: list[int], env: Mapping[str, str], logs: Path
    ) -> None:
        self.name, self.full, self.port = target.name, target.full, port
        logs.mkdir(parents=True, exist_ok=True)
        self.log = logs / f"{target.name}.log"
        self.access = logs / f"{target.name}.access.log"
        self.access.unlink(missing_ok=True)
        own = {"BENCH_PORT": str(port), "BENCH_LOG": str(self.access)}
        pinned = f"taskset -c {','.join(map(str, cores))}"
        command = target.command.replace("{port}", str(port))
        self.began = time.monotonic()
        with self.log.open("wb") as out:
            self.process = start_child(
                [*shlex.split(pinned), *shlex.split(command)],
                cwd=target.cwd,
                env={**os.environ, **env, **own},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self, path: str = "/json", timeout: float = 240, pause: float = 0.1) -> float:
        """Wait until it answers, and return how many seconds after its start that was."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise CheckFailed(f"exited with {self.process.returncode}; see {self.log}")
            try:
                status, _, _ = self.request("GET", path)
                if status < 500:
                    return time.monotonic() - self.began
            except OSError:
                pass
            time.sleep(pause)
        raise CheckFailed(f"not ready after {timeout} s; see {self.log}")

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send one request over a connection of its own; return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            return exchange(connection, method, path, body, headers)
        finally:
            connection.close()

    def get_json(self, path: str) -> Any:
        """Return what `GET path` answers."""
        return json.loads(self.request("GET", path)[2])

    def memory(self) -> dict[str, float]:
        """Return the memory of all its processes in MiB: resident, and its own share of it."""
        found = [process.memory_full_info() for process in tree(self.process.pid)]
        return {
            kind: round(sum(getattr(info, kind) for info in found) / 2**20, 1)
            for kind in ("rss", "pss", "uss")
        }

    def forget_lines(self) -> None:
        """Empty its access log, where nobody counts the lines."""
        if self.access.exists():
            os.truncate(self.access, 0)

    def stop(self) -> None:
        """End it and whatever it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)  # only the group started above
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.access.unlink(missing_ok=True)


def exchange(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send one request over *connection*; return status, headers and body."""
    payload = None if body is None else json.dumps(body)
    sent = dict(headers or {})
    if body is not None:
        sent["Content-Type"] = "application/json"
    connection.request(method, path, payload, sent)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


class Lines:
    """The access log of a server: how many lines it gained."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self, patience: float = 5.0) -> bytes:
        """Wait until no more lines come; return what there is, and empty the file.

        The server appends, so that what it writes next begins at the start of the file.
        """
        size, deadline = -1, time.monotonic() + patience
        while time.monotonic() < deadline:
            now = self._size()
            if now == size:
                break
            size = now
            time.sleep(0.6)  # more than twice the interval at which lines are written
        text = self.path.read_bytes() if size > 0 else b""
        if size > 0:
            os.truncate(self.path, 0)
        return text

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0
