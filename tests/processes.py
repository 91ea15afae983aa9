"""Servers as processes of their own, on free ports, with their output in a file."""

import os
import pty
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import psycopg

from msframework.db.embedded import EmbeddedServer
from msframework.db.home import find_home
from settings.access import build_issuer
from tests.console import ROOT, answers, environment

_KEY = secrets.token_hex(32)  # of the tokens that the servers of this run take


def bearer_token(*scopes: str, caller: str = "1") -> str:
    """Return the token of a caller with *scopes*, whom every server of this run knows."""
    return build_issuer(_KEY).issue(caller, scopes=scopes, lifetime=86_400)


def credentials(*scopes: str, caller: str = "1") -> dict[str, str]:
    """Return the header of such a caller."""
    return {"Authorization": f"Bearer {bearer_token(*scopes, caller=caller)}"}


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until *condition* holds; there is nothing to await in another process."""
    deadline = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def free_port() -> int:
    """Return a port that nothing listens on, below those that the system gives to others."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def usual_signals() -> Iterator[None]:
    """Let processes start as from a shell, whatever this one was told to ignore or block."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)


class ServerProcess:
    """`manage.py runserver` in a process group of its own; a context manager.

    Args:
        log: the file that takes what it prints.
        arguments: those of `runserver`, beside the port.
        terminal: whether it prints to a terminal, whose text then goes into the file.
        env: variables of the environment, beside our own.
    """

    def __init__(
        self,
        log: Path,
        *arguments: str,
        port: int | None = None,
        cwd: Path = ROOT,
        terminal: bool = False,
        **env: str,
    ) -> None:
        self.log, self.cwd, self.terminal, self.env = log, cwd, terminal, env
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.arguments = arguments

    def __enter__(self) -> "ServerProcess":
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self, *, usual: bool = True) -> None:
        """Start the process; with signals as they are in this one unless they are *usual*."""
        signals = usual_signals() if usual else nullcontext()
        command = [sys.executable, "manage.py", "runserver", *self.arguments]
        printed = self.terminal_of(self.log) if self.terminal else self.log.open("wb")
        with signals, printed as out:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                cwd=self.cwd,
                env=environment(
                    watched=False, PORT=str(self.port), **{"ACCESS_KEY": _KEY, **self.env}
                ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @staticmethod
    @contextmanager
    def terminal_of(log: Path) -> Iterator[int]:
        """Yield one end of a terminal; what is written there goes to *log*, until all is closed."""
        ours, theirs = pty.openpty()

        def copy() -> None:
            with log.open("wb", buffering=0) as out, suppress(OSError):
                while block := os.read(ours, 4096):
                    out.write(block)
            os.close(ours)

        log.touch()
        threading.Thread(target=copy, daemon=True).start()
        try:
            yield theirs
        finally:
            os.close(theirs)

    def wait_ready(self, timeout: float = 250) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it ended, or does not answer in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            # NOTE: in this order, as another server may answer where this one could not listen.
            ready = answers(f"{self.url}/openapi/spec.json")
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server is not ready; it printed:\n{self.output()}")
            if ready and "serves at" in self.output():  # every worker does
                return
            time.sleep(0.05)

    def stop(self) -> int:
        """End it as an operator would, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(200)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def output(self) -> str:
        """Return what it printed so far."""
        return self.log.read_text(errors="replace")


@contextmanager
def fresh_database(name: str) -> Iterator[str]:
    """Yield the URL of an empty database on the checkout's embedded server; dropped afterwards."""
    server = EmbeddedServer(ROOT)
    root_url = server.start()
    name = f"{name}_{os.getpid()}"
    with psycopg.connect(root_url, autocommit=True) as conn:
        conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        conn.execute(f'CREATE DATABASE "{name}" STRATEGY file_copy')
        try:
            yield root_url.replace("/postgres?", f"/{name}?")
        finally:
            conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def throw_away(server: EmbeddedServer) -> None:
    """Stop *server* and delete its data.

    The files go many at once: one after the other they take seconds where a disk discards blocks.
    """
    server.stop()
    home = find_home(server.root)
    if home is not None:
        files = [path for path in home.data.rglob("*") if path.is_file()]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(Path.unlink, files))
    server.reset()
