"""What clients, readers of the log and other services can make a worker hold, or wait for.

    python -m benchmarks.bounds                    # this checkout
    python -m benchmarks.bounds --tree ../before   # the msframework of another one

Sizes of bytes are in benchmarks/hostile.py; here it is what never comes, never ends or never goes:
bodies, answers before an answer, a log that nobody reads. Each line says what was left afterwards.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from benchmarks.children import start_child

HERE = Path(__file__).resolve()
SECONDS = 3.0  # what the service's time-outs are set to, where it has them
SERVICE = textwrap.dedent("""
    import sys
    from dataclasses import fields, replace
    from msframework import doc
    from msframework.app import Service
    from msframework.conf.settings import ServiceEntry, Settings

    port, seconds, upstream = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    settings = Settings(service_name="bounds", services={"x": ServiceEntry("x", upstream)})
    times = ("request_timeout", "body_timeout", "write_timeout", "response_timeout")
    known = {item.name for item in fields(settings.server)}
    changed = {name: seconds for name in times if name in known}
    service = Service(replace(settings, server=replace(settings.server, **changed)))

    @service.post("/echo")
    @doc.consumes({"text": str})
    async def echo(request, body):
        return {"size": len(body["text"])}

    @service.get("/one")
    async def one(request):
        return {"n": 1}

    @service.get("/call")
    async def call(request):
        return await request.client("x").call("GET", "/")

    service.prepare("127.0.0.1", port, single_process=True, access_log=False)
    service.serve_single(primary=service)
""")
POST = (
    b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n"
)


class Worker:
    """A server in a process of its own."""

    def __init__(self, tree: Path, upstream: str = "http://127.0.0.1:1", stderr: int = -3) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-c", SERVICE, str(self.port), str(SECONDS), upstream]
        env = {**os.environ, "PYTHONPATH": str(tree)}
        self.process = start_child(command, cwd=tree, env=env, stderr=stderr)
        self.answers(within=20)

    def descriptors(self) -> int:
        """Return how many it has."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def megabytes(self) -> float:
        """Return what it holds in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1000

    def answers(self, path: str = "/one", within: float = 2.0) -> float | None:
        """Return the seconds that an answer takes; `None` when none comes."""
        began = time.perf_counter()
        while time.perf_counter() - began < within:
            with contextlib.suppress(OSError), self.connect() as sock:
                sock.settimeout(within)
                sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                if sock.recv(100):
                    return time.perf_counter() - began
            time.sleep(0.05)
        return None

    def connect(self) -> socket.socket:
        """Return a connection."""
        return socket.create_connection(("127.0.0.1", self.port))

    def stop(self) -> float:
        """Stop it, and return how long that took."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(25)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return time.perf_counter() - began


def bodies_that_never_come(tree: Path) -> str:
    """Begin a hundred bodies."""
    worker = Worker(tree)
    before = worker.descriptors()
    socks = [worker.connect() for _ in range(100)]
    for sock in socks:
        sock.sendall(POST % 1000)
    time.sleep(5 * SECONDS)
    left = worker.descriptors() - before
    worker.stop()
    return f"{left} of 100 descriptors are held after {5 * SECONDS:.0f} s"


def bodies_at_once(tree: Path) -> str:
    """Send all but the end of 25 large bodies."""
    worker = Worker(tree)
    before = worker.megabytes()
    socks = [worker.connect() for _ in range(25)]
    for sock in socks:
        with contextlib.suppress(OSError):
            sock.settimeout(5)
            sock.sendall(POST % 9_900_000 + b"x" * 9_800_000)
    held = worker.megabytes() - before
    worker.stop()
    return f"{held:.0f} MB more are held"


def log_that_nobody_reads(tree: Path) -> str:
    """Fill the pipe of standard error."""
    source, target = os.pipe()
    worker = Worker(tree, stderr=target)
    os.close(target)
    answered = sum(worker.answers("/one") is not None for _ in range(5))
    with worker.connect() as sock:
        sock.settimeout(2)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                sock.sendall(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n")
                sock.recv(1000)
    time.sleep(1)
    after = worker.answers()
    stopped = worker.stop()
    os.close(source)
    said = "no answer" if after is None else f"an answer in {after * 1000:.0f} ms"
    return f"{answered} of 5 answers before, {said} after; the stop took {stopped:.1f} s"


def answers_before_an_answer(tree: Path) -> str:
    """Call a service that sends answers of 1xx without an end, and look at other requests."""
    return asyncio.run(_answers_before_an_answer(tree))


async def _answers_before_an_answer(tree: Path) -> str:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000)
                await writer.drain()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    upstream = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    worker = await asyncio.to_thread(Worker, tree, upstream)
    call = asyncio.create_task(asyncio.to_thread(worker.answers, "/call", 20))
    await asyncio.sleep(0.3)
    other = await asyncio.to_thread(worker.answers, "/one", 20)
    took = await call
    await asyncio.to_thread(worker.stop)
    server.close()
    return f"the call took {took or 20:.2f} s of 2 s, another request {(other or 20) * 1000:.0f} ms"


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, default=HERE.parents[1])
    tree = parser.parse_args().tree.resolve()
    for measure in (
        bodies_that_never_come,
        bodies_at_once,
        log_that_nobody_reads,
        answers_before_an_answer,
    ):
        print(f"{measure.__name__.replace('_', ' '):28}{measure(tree)}", flush=True)


if __name__ == "__main__":
    main()
