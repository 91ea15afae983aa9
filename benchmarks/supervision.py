"""What callers lose when a process of a service dies: `python -m benchmarks.supervision`.

Four callers with kept connections send requests to a service of two workers, while one of its
processes is killed. Prints a Markdown table: the line of the log, the time until a new worker
answered (or, at the end of a service, until its last process was gone), the failed requests, the
processes that were left, and whether the port is free afterwards.
"""

import argparse
import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import start_child

_ROOT = Path(__file__).resolve().parents[1]
_CALLERS = 4
_SETTINGS = """
INSTALLED_APPS = ("killed",)
SERVICE_NAME = "killed"
GRACEFUL_SHUTDOWN_TIMEOUT = 5
PART_STOP_TIMEOUT = 1
ACCESS_LOG = False
TRACING = False
"""
_RESOURCES = '''
import ctypes
import os
import time

from msframework import Blueprint, Resource, doc

killed = Blueprint("killed")


@killed.resource("/<how>")
class Killed(Resource):
    """Ends its process, or says which it is."""

    @doc.produces({"pid": int})
    async def get(self, request, how):
        if how == "exit":
            os._exit(3)
        if how == "crash":
            ctypes.string_at(0)
        if how == "hang":
            time.sleep(1000)
        return {"pid": os.getpid()}
'''


class KilledService:
    """Two workers in a process group of their own, and those who call them; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        self.answers: list[tuple[float, int | None]] = []  # when, and by which process
        self._stop = threading.Event()
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port: int = sock.getsockname()[1]

    def __enter__(self) -> "KilledService":
        package = self.folder / "killed"
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        (package / "settings.py").write_text(_SETTINGS)
        (package / "resources.py").write_text(_RESOURCES)
        command = ["-m", "msframework", "runserver", "--settings", "killed.settings"]
        self.process = start_child(
            [sys.executable, *command, "--workers", "2", "--port", str(self.port)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until(lambda: "serves at" in self.text())
        self._callers = [threading.Thread(target=self._call) for _ in range(_CALLERS)]
        for caller in self._callers:
            caller.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        for caller in self._callers:
            caller.join()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def text(self) -> str:
        return self.log.read_text()

    def workers(self) -> set[int]:
        """Return the processes that have served so far."""
        return {int(pid) for pid in re.findall(r"Worker ready \[(\d+)\]", self.text())}

    def pids(self, since: float) -> set[int]:
        """Return the processes that have answered since."""
        return {pid for when, pid in self.answers if pid is not None and when >= since}

    def members(self, name: str = "") -> list[int]:
        """Return the living processes of the group whose command line has *name* in it."""
        shown = subprocess.run(
            ["ps", "-eo", "pid=,pgid=,stat=,args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(None, 3) for line in shown.stdout.splitlines()]
        group = str(self.process.pid)
        return [int(r[0]) for r in rows if r[1] == group and r[2][0] != "Z" and name in r[3]]

    def ask(self, how: str) -> None:
        """Send one request that is not counted, and do not wait for what comes of it."""
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            sock.sendall(f"GET /{how} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            sock.settimeout(0.3)
            with contextlib.suppress(OSError):
                sock.recv(1)

    def ask_anew(self) -> int | None:
        """Return which process answers on a new connection, which is not counted."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3)
        with contextlib.closing(client), contextlib.suppress(OSError, http.client.HTTPException):
            client.request("GET", "/ok")
            return int(re.findall(rb'"pid":(\d+)', client.getresponse().read())[0])
        return None

    def _call(self) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3)
        while not self._stop.wait(0.005):
            pid = None
            try:
                client.request("GET", "/ok")
                response = client.getresponse()
                body = response.read()
                if response.status == 200:
                    pid = int(re.findall(rb'"pid":(\d+)', body)[0])
            except (OSError, http.client.HTTPException):
                client.close()
            self.answers.append((time.monotonic(), pid))


def wait_until(condition: Callable[[], bool], timeout: float = 40) -> float:
    """Wait until *condition* holds; return how long that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout:
            return float("inf")
        time.sleep(0.01)
    return time.monotonic() - began


@dataclass
class Case:
    """One way to die; *ends* where the service is to end by it."""

    name: str
    kill: Callable[[KilledService], object]
    ends: bool = False


def spoil(service: KilledService) -> None:
    """Renew the workers, by code that cannot be imported."""
    with (service.folder / "killed" / "resources.py").open("a") as file:
        file.write("import nothing\n")
    service.process.send_signal(signal.SIGHUP)


def hang_and(number: int) -> Callable[[KilledService], None]:
    """Have the loop of one worker hang, and send the supervisor a signal."""

    def kill(service: KilledService) -> None:
        service.ask("hang")
        service.process.send_signal(number)

    return kill


def signal_group(number: int) -> Callable[[KilledService], None]:
    return lambda service: os.killpg(service.process.pid, number)


CASES = (
    Case("a worker, `kill -9` (as for want of memory)", lambda s: os.kill(min(s.workers()), 9)),
    Case("a worker, `os._exit(3)` in a handler", lambda s: s.ask("exit")),
    Case("a worker, segmentation fault in a handler", lambda s: s.ask("crash")),
    Case("both workers, `kill -9`", lambda s: [os.kill(pid, 9) for pid in s.workers()]),
    Case("the fork server, `kill -9`", lambda s: os.kill(min(s.members("forkserver")), 9)),
    Case("nothing: SIGHUP renews", lambda s: s.process.send_signal(signal.SIGHUP)),
    Case("nothing: SIGHUP, with a mistake in the new code", spoil),
    Case("the supervisor, `kill -9`", lambda s: s.process.kill(), ends=True),
    Case("the supervisor, `kill -9`, a loop hangs", hang_and(signal.SIGKILL), ends=True),
    Case("the supervisor, SIGTERM", lambda s: s.process.terminate(), ends=True),
    Case("the supervisor, SIGTERM, a loop hangs", hang_and(signal.SIGTERM), ends=True),
    Case("the whole group, SIGTERM", signal_group(signal.SIGTERM), ends=True),
    Case("the whole group, SIGINT (Ctrl-C)", signal_group(signal.SIGINT), ends=True),
)


def run(case: Case) -> str:
    """Return the row of one case."""
    with tempfile.TemporaryDirectory() as folder, KilledService(Path(folder)) as service:
        time.sleep(0.5)  # of service
        known, seen = service.workers(), len(service.text())
        began = time.monotonic()
        case.kill(service)
        if case.ends:
            took = wait_until(lambda: not gone(service))
            orphans = str(len(service.members()))
            port = "free" if is_free(service.port) else "taken"
            failed = "-"
        else:
            took = wait_until(lambda: service.ask_anew() not in {None, *known}, 8)
            time.sleep(2)
            orphans, port = "-", "serves" if service.pids(time.monotonic() - 0.5) else "dead"
            since = [pid for when, pid in service.answers if when >= began]
            failed = f"{since.count(None)} of {len(since)}"
        said = " ".join(lines(service.text()[seen:]))
        code = f", exit code {service.process.poll()}" if case.ends else ""
    shown = f"{took:.2f} s" if took < 1000 else "-"
    return f"| {case.name} | {said}{code} | {shown} | {failed} | {orphans} | {port} |"


def gone(service: KilledService) -> bool:
    service.process.poll()
    return bool(service.members())


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def lines(text: str) -> Iterator[str]:
    """Yield what the supervisor logged."""
    for message in re.findall(r'"msframework.supervisor","message":"([^"]*)"', text):
        yield re.sub(r"\\n", "; ", message) + "."


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print("| killed | log | served again, or ended | failed | orphans | port |")
    print("|---|---|--:|--:|--:|---|")
    for case in CASES:
        print(run(case), flush=True)


if __name__ == "__main__":
    main()
