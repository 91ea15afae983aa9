"""What an ordinary client notices of slow clients that hold connections.

    python -m benchmarks.slow_clients                          # this checkout
    python -m benchmarks.slow_clients --before ../before       # and the msframework of another one

Each attack gets a worker with `MAX_CONNECTIONS` and the usual soft limit of open files. The
attacker, in another process, replaces each connection that it loses. An ordinary client sends 20
requests a second, in turns on a new connection and on a kept one. A request fails by a status other
than 200, no answer within 2 s, or a connection that ends without one. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.children import start_child
from benchmarks.machine import describe
from tests.certificates import Authority

HERE = Path(__file__).resolve()
MOST = 1500  # MAX_CONNECTIONS
FILES = (1024, 20_000)  # soft and hard limit of the worker's open files
PORTION = 1000  # connections that are begun together
PATIENCE = 2.0  # seconds that the ordinary client waits
SERVICE = textwrap.dedent("""
    import os
    from msframework import doc

    SERVICE_NAME = "attacked"
    CONFIGURE = "attacked.configure"
    ACCESS_LOG = TRACING = False

    def configure(service):
        @service.get("/one")
        async def one(request):
            return {"n": 1}

        @service.get("/big")
        async def big(request):
            return "x" * 1_000_000

        @service.post("/echo")
        @doc.consumes({"text": str})
        async def echo(request, body):
            return {"size": len(body["text"])}
""")
GET = b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
POST = (
    b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000000\r\n\r\n"
)
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # the beginning of a ClientHello


# The attacker.


@dataclass
class Attack:
    """One attack: how many connections, what they send first, and each second."""

    title: str
    connections: int
    first: bytes = b""
    drip: bytes = b""
    reads: int = 0  # bytes a second; all that comes if 0
    buffer: int = 0  # of the kernel, for what is read
    flood: int = 0  # connections a second, each replacing the oldest
    tls: bool = False


ATTACKS = {
    "none": Attack("none", 0),
    "idle": Attack("5,000 idle after a request", 5000, first=GET),
    "heads": Attack("2,000 slow heads", 2000, first=GET[:20], drip=b"x"),
    "bodies": Attack("1,000 slow bodies", 1000, first=POST, drip=b"x" * 600),
    "many_bodies": Attack("2,000 slow bodies", 2000, first=POST, drip=b"x" * 600),
    "readers": Attack(
        "500 slow readers", 500, first=GET.replace(b"one", b"big"), reads=1000, buffer=4096
    ),
    "handshakes": Attack("2,000 TLS handshakes that stall", 2000, first=HELLO, tls=True),
    "flood": Attack("2,000 connects a second", 3000, flood=2000),
}


@dataclass
class Held:
    """One connection of the attacker."""

    sock: socket.socket
    unsent: bytes


def attack(what: Attack, port: int) -> None:
    """Attack until the process is killed; a line says when all connections were begun once."""
    held: deque[Held] = deque()
    if what.flood:
        _flood(what, port, held)
    for number in count(1):
        began = time.monotonic()
        # NOTE: in portions, or the queue of the listening socket would be the bottleneck.
        for _ in range(min(PORTION, what.connections - len(held))):
            held.append(_open(what, port))
            if len(held) % 50 == 0:
                time.sleep(0.01)
        if number == 1 + what.connections // PORTION:
            print("begun", flush=True)
        held = deque(each for each in held if _go_on(what, each))
        time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))


def _open(what: Attack, port: int) -> Held:
    sock = socket.socket()
    if what.buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, what.buffer)
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", port))
    held = Held(sock, what.first)
    with contextlib.suppress(OSError):
        sock.send(held.unsent)
        held.unsent = b""
    return held


def _go_on(what: Attack, held: Held) -> bool:
    """Send and read what is due; return whether the connection still is."""
    try:
        if held.unsent or what.drip:
            held.sock.send(held.unsent or what.drip)
            held.unsent = b""
    except (BlockingIOError, BrokenPipeError) as exc:
        if isinstance(exc, BrokenPipeError):
            held.sock.close()
            return False
    except OSError:
        held.sock.close()
        return False
    try:
        if not held.sock.recv(what.reads or 100_000):
            held.sock.close()
            return False
    except BlockingIOError:
        pass
    except OSError:
        held.sock.close()
        return False
    return True


def _flood(what: Attack, port: int, held: deque[Held]) -> None:
    began = time.monotonic()
    for number in count(1):
        held.append(_open(what, port))
        if len(held) > what.connections:
            held.popleft().sock.close()
        if number == what.connections:
            print("begun", flush=True)
        ahead = number / what.flood - (time.monotonic() - began)
        if ahead > 0.005:
            time.sleep(ahead)


# The worker.


class Worker:
    """`runserver` of one checkout, in a process of its own."""

    def __init__(self, tree: Path, folder: Path, env: dict[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = f"-m msframework runserver --settings attacked --port {self.port}"
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = start_child(
                [sys.executable, *command.split()],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": f"{tree}:{folder}", **env},
                stdout=log,
                stderr=log,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, FILES),
            )

    def wait(self, ask: Callable[[], None]) -> None:
        """Wait until *ask* does not fail."""
        for _ in range(200):
            with contextlib.suppress(OSError):
                ask()
                return
            time.sleep(0.1)
        raise RuntimeError(self.log.read_text())

    def megabytes(self) -> float:
        """Return what it holds in memory."""
        with contextlib.suppress(OSError, IndexError):
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            return int(status.partition("VmRSS:")[2].split()[0]) / 1000
        return 0.0

    def seconds(self) -> float:
        """Return the CPU time that it took."""
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def working(tree: Path, *, tls: bool) -> Iterator[tuple[Worker, ssl.SSLContext | None]]:
    """Yield a worker of *tree* that answers, and the client's side of its TLS."""
    with tempfile.TemporaryDirectory() as name:
        folder, env, context = Path(name), {"MAX_CONNECTIONS": str(MOST)}, None
        (folder / "attacked.py").write_text(SERVICE)
        if tls:
            authority = Authority(folder)
            pair = authority.issue()
            env |= {"TLS_CERT": str(pair.cert), "TLS_KEY": str(pair.key)}
            context = ssl.create_default_context(cafile=authority.ca)
        worker = Worker(tree, folder, env)
        try:
            worker.wait(lambda: socket.create_connection(("127.0.0.1", worker.port), 2).close())
            yield worker, context
        finally:
            worker.stop()


# The ordinary client.


@dataclass
class Measurement:
    """What the ordinary client noticed, and what it cost."""

    times: list[float] = field(default_factory=list)
    failed: int = 0
    memory: float = 0.0
    cpu: float = 0.0

    def percentile(self, share: float) -> float:
        """Return the time in milliseconds that *share* of the answers took at most."""
        times = sorted(self.times)
        return times[min(len(times) - 1, int(share * len(times)))] * 1000 if times else float("nan")


class Client:
    """Asks by turns on a new connection and on one that stays."""

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        name = None if context is None else "localhost"
        self._how = {"host": "127.0.0.1", "port": port, "ssl": context, "server_hostname": name}
        self._kept: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, *, keep: bool, into: Measurement) -> None:
        """Ask once."""
        began = time.perf_counter()
        pair = None
        try:
            async with asyncio.timeout(PATIENCE):
                if not keep or self._kept is None:
                    pair = await asyncio.open_connection(**self._how)
                else:
                    pair, self._kept = self._kept, None
                reader, writer = pair
                writer.write(GET)
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise ConnectionError(head)
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        except (OSError, EOFError, TimeoutError):
            into.failed += 1
            if pair is not None:
                pair[1].transport.abort()
            return
        into.times.append(time.perf_counter() - began)
        if keep:
            self._kept = pair
        else:
            writer.transport.abort()


async def measure(
    worker: Worker, context: ssl.SSLContext | None, seconds: float, rate: float = 20.0
) -> Measurement:
    """Ask for *seconds*."""
    client, found = Client(worker.port, context), Measurement()
    tasks = []
    began, cpu = time.perf_counter(), worker.seconds()
    for number in range(int(seconds * rate)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(client.ask(keep=number % 2 == 0, into=found)))
        if number % int(rate) == 0:
            found.memory = max(found.memory, worker.megabytes())
    await asyncio.gather(*tasks)
    found.cpu = (worker.seconds() - cpu) / (time.perf_counter() - began)
    return found


def run(tree: Path, name: str, seconds: float) -> Measurement:
    """Measure one attack on a worker of *tree*."""
    what = ATTACKS[name]
    with working(tree, tls=what.tls) as (worker, context):
        time.sleep(1.0)
        command = [sys.executable, "-m", "benchmarks.slow_clients"]
        command += ["--attack", name, "--port", str(worker.port)]
        attacker = start_child(command, cwd=HERE.parents[1], stdout=subprocess.PIPE)
        try:
            if what.connections and attacker.stdout is not None:
                attacker.stdout.readline()
            time.sleep(2.0)
            return asyncio.run(measure(worker, context, seconds))
        finally:
            attacker.kill()
            attacker.wait()


def main() -> None:
    """Measure all attacks, or be the attacker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="another checkout to compare with")
    parser.add_argument("--tree", type=Path, default=HERE.parents[1])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", action="append", choices=ATTACKS)
    parser.add_argument("--attack", choices=ATTACKS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        attack(ATTACKS[options.attack], options.port)
    trees = {"now": options.tree.resolve()}
    if options.before:
        trees = {"before": options.before.resolve(), **trees}
    print("| attack | version | p50 ms | p99 ms | asked | failed | RSS MB | CPU % |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for name in options.only or ATTACKS:
        for version, tree in trees.items():
            found = run(tree, name, options.seconds)
            asked = len(found.times) + found.failed
            numbers = (
                f"{found.percentile(0.5):.1f} | {found.percentile(0.99):.1f} | {asked} | "
                f"{found.failed} | {found.memory:.0f} | {found.cpu * 100:.0f}"
            )
            print(f"| {ATTACKS[name].title} | {version} | {numbers} |", flush=True)
    facts = describe()
    print(
        f"\nMAX_CONNECTIONS is {MOST}, the limits of open files {FILES}; {facts['cores']} cores of "
        f"{facts['cpu']}, Python {facts['python']}, {facts['started']}."
    )


if __name__ == "__main__":
    main()
