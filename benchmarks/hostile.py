"""What hostile input costs: CPU for each 100 kB of it, and how much is answered and logged.

    python -m benchmarks.hostile                      # this checkout
    python -m benchmarks.hostile --tree ../before     # the msframework of another one
    python -m benchmarks.hostile --require 100        # fail above 100 ms, or where it is not linear

Each input is sent in three sizes to one server, on a connection of its own each time; the CPU time
is the server's own, from /proc/PID/task/*/schedstat (ns). The smallest of `--repeat` runs counts.
"""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import start_child

HERE = Path(__file__).resolve()
SIZES = (100_000, 200_000, 400_000)
LONGEST_WAIT = 60.0
# Above this ratio of the CPU for 100 kB in the largest size to that in the smallest it grows faster
# than the input.
LINEAR = 1.6

Make = Callable[[int], bytes]


def post(path: str, media_type: str, body: bytes) -> bytes:
    """Return a POST of *body*."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def order(before: bytes, member: bytes, after: bytes, comma: bytes = b",") -> Make:
    """Return a maker of JSON bodies that repeat *member*; `%d` in it is counted up."""

    def make(size: int) -> bytes:
        counted = b"%d" in member
        length = len(member.replace(b"%d", b"123456")) + len(comma)
        members = [member % n if counted else member for n in range(size // length)]
        return post("/order", "application/json", before + comma.join(members) + after)

    return make


def form(pair: bytes) -> Make:
    """Return a maker of urlencoded forms that repeat *pair*."""

    def make(size: int) -> bytes:
        body = order(b"", pair, b"", b"&")(size).partition(b"\r\n\r\n")[2]
        return post("/form", "application/x-www-form-urlencoded", body)

    return make


def multipart(part: bytes) -> Make:
    """Return a maker of multipart forms that repeat *part*."""

    def make(size: int) -> bytes:
        one = b"--b\r\n" + part + b"\r\n"
        body = b"".join(
            one.replace(b"%d", b"%d" % n) for n in range(size // len(one.replace(b"%d", b"12345")))
        )
        return post("/form", "multipart/form-data; boundary=b", body + b"--b--\r\n")

    return make


def heads(target: bytes, *lines: bytes) -> Make:
    """Return a maker of GET requests for *target*, sent one after the other."""

    def make(size: int) -> bytes:
        one = b"\r\n".join((b"GET " + target + b" HTTP/1.1", b"Host: localhost", *lines, b"", b""))
        return one * max(1, size // len(one))

    return make


def chunked(size: int) -> bytes:
    """Return a POST in chunks of one byte."""
    head = (
        b"POST /order HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    return head + b"1\r\n \r\n" * (size // 6) + b"0\r\n\r\n"


INPUTS: dict[str, Make] = {
    "path of 1,000 slashes": heads(b"/" * 1000),
    "path that ends in 1,000 slashes": heads(b"/item" + b"/" * 1000),
    "path of 1,000 parts": heads(b"/a" * 500),
    "path of 2,000 escapes": heads(b"/item/" + b"%2F" * 2000),
    "query of 1,000 wrong numbers": heads(b"/search?" + b"&".join([b"number=x"] * 800)),
    "query of 1,000 unknown names": heads(
        b"/search?" + b"&".join(b"n%d=" % n for n in range(1000))
    ),
    "100 headers": heads(b"/item/1", *(b"X-Header-%d: y" % n for n in range(100))),
    "500 cookies": heads(b"/item/1", b"Cookie: " + b"; ".join(b"c%d=x" % n for n in range(500))),
    "lines that are no HTTP": lambda size: b"\r\n" * (size // 2),
    "list of wrong numbers": order(b'{"numbers":[', b'"x"', b"]}"),
    "list of wrong objects": order(b'{"items":[', b'{"number":"x"}', b"]}"),
    "list of unknown keys": order(b'{"items":[', b'{"k%d":1}', b"]}"),
    "unknown keys": order(b"{", b'"k%d":1', b"}"),
    "one key over and over": order(b"{", b'"numbers":1', b"}"),
    "unknown keys of 1 kB": order(b"{", b'"' + b"k" * 1000 + b'%d":1', b"}"),
    "wrong keys of a mapping": order(b'{"prices":{', b'"k%d":"x"', b"}}"),
    "one number of many digits": order(b'{"numbers":[', b"1", b"]}", b""),
    "one decimal of many digits": order(b'{"items":[{"name":"a","price":0.', b"1", b"}]}", b""),
    "one text of escapes": order(b'{"items":[{"name":"', b"\\u0000", b'"}]}', b""),
    "brackets": order(b"", b"[", b"", b""),
    "braces": order(b"", b'{"a":', b"", b""),
    "form of unknown fields": form(b"k%d=1"),
    "form of wrong numbers": form(b"number=x"),
    "form of escapes": form(b"number=%%FF%%ED%%A0%%80"),
    "parts without end": multipart(b'Content-Disposition: form-data; name="k%d"\r\n\r\nx'),
    "files without end": multipart(
        b'Content-Disposition: form-data; name="k%d"; filename="f"\r\n\r\nx'
    ),
    "parts of many headers": multipart(
        b'Content-Disposition: form-data; name="k%d"\r\n' + b"X-Y: z\r\n" * 30 + b"\r\nx"
    ),
    "boundaries that are none": multipart(b"\r\n--c\r\n--bb\r\n-b\r\n"),
    "chunks of one byte": chunked,
}


@dataclass(slots=True)
class Finding:
    """One input in one size: ms of CPU for each 100 kB, status, and bytes answered and logged."""

    cpu: float
    status: str
    answered: int
    logged: int


class Victim:
    """The attacked server, a process of its own."""

    def __init__(self, tree: Path) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        self._process = start_child(
            [sys.executable, str(HERE.with_name("hostile_service.py"))],
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": str(tree)},
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline() or 0)
        if not self._port:
            self._log.seek(0)
            sys.exit(self._log.read().decode())

    def cpu(self) -> float:
        """Return the seconds that its threads have run."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def logged(self) -> int:
        """Return the bytes of its log."""
        return os.fstat(self._log.fileno()).st_size

    def settle(self) -> None:
        """Wait until it has nothing more to do."""
        before = self.cpu()
        while True:
            time.sleep(0.15)
            now = self.cpu()
            if now - before < 0.002:
                return
            before = now

    def attack(self, data: bytes) -> Finding:
        """Send *data*, read all that is answered, and say what it cost."""
        logged, cpu = self.logged(), self.cpu()
        answer = exchange(self._port, data)
        self.settle()
        cost = (self.cpu() - cpu) * 1000 / (len(data) / 100_000)
        status = answer[9:12].decode() if answer else "none"
        return Finding(cost, status, len(answer), self.logged() - logged)

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        self._log.close()


def exchange(port: int, data: bytes) -> bytes:
    """Return what is answered to *data* until the server closes, or is silent for a second."""
    received = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_WAIT) as sock:
        sock.setblocking(False)
        deadline, rest = time.monotonic() + LONGEST_WAIT, memoryview(data)
        silent = time.monotonic()
        while time.monotonic() < deadline:
            moved = False
            with contextlib.suppress(BlockingIOError):
                if rest:
                    sent = sock.send(rest[:65536])
                    rest, moved = rest[sent:], True
            try:
                more = sock.recv(1 << 20)
                if not more:
                    break
                received += more
                moved = True
            except BlockingIOError:
                pass
            except OSError:
                break
            if moved:
                silent = time.monotonic()
            elif received and not rest and time.monotonic() - silent > 1:
                break
            else:
                time.sleep(0.001)
    return bytes(received)


def best(victim: Victim, data: bytes, repeat: int) -> Finding:
    """Return the cheapest of *repeat* attacks."""
    return min((victim.attack(data) for _ in range(repeat)), key=lambda found: found.cpu)


def main() -> None:
    """Attack with every input, print a table, and fail where `--require` asks for it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, default=HERE.parents[1], help="the checkout to attack")
    parser.add_argument("--only", default="", help="inputs whose name holds this")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--require", type=float, help="most ms of CPU for 100 kB")
    options = parser.parse_args()
    failed = []
    print(
        f"{'ms of CPU for 100 kB, by size':34}",
        *(f"{size // 1000:>5} kB" for size in SIZES),
        end="",
    )
    print(f"{'status':>9}{'answered':>12}{'logged':>12}")
    for name, make in INPUTS.items():
        if options.only not in name:
            continue
        victim = Victim(options.tree.resolve())
        try:
            victim.attack(make(1000))
            found = [best(victim, make(size), options.repeat) for size in SIZES]
        finally:
            victim.stop()
        costs = [one.cpu for one in found]
        print(f"{name:34}", *(f"{cost:8.1f}" for cost in costs), end="")
        print(f"{found[-1].status:>9}{found[-1].answered:>12,}{found[-1].logged:>12,}", flush=True)
        if options.require and (max(costs) > options.require or costs[-1] > LINEAR * costs[0] + 1):
            failed.append(name)
    if failed:
        sys.exit(f"over {options.require} ms, or not linear: {', '.join(failed)}")


if __name__ == "__main__":
    main()
