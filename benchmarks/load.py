"""The load: wrk with one thread on the load's core, and the clocks around it."""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.database import ROWS
from benchmarks.processes import CheckFailed, Server, cpu_seconds, spent

SCRIPTS = Path(__file__).with_name("wrk")

# workload -> (wrk script, its arguments, whether wrk counts the right answer as an error)
Workload = tuple[str, Sequence[str], bool]
WORKLOADS: dict[str, Workload] = {
    "json": ("get.lua", ["/json", "0"], False),
    "read_one": ("get.lua", ["/users/%d", str(ROWS)], False),
    "list": ("get.lua", ["/users?page=3&per_page=100", "0"], False),
    "create": ("post.lua", ["create"], False),
    "invalid": ("post.lua", ["invalid"], True),
    "fanout": ("get.lua", ["/users/%d/full", str(ROWS)], False),
}


def wrk(server: Server, workload: Workload, seconds: int, connections: int, *more: str) -> dict:
    """Run wrk against *server*, and return what it counted."""
    script, arguments, _ = workload
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    command += ["-s", str(SCRIPTS / script), f"http://127.0.0.1:{server.port}", "--"]
    done = subprocess.run(
        [*command, *arguments, *more], capture_output=True, text=True, timeout=seconds + 60
    )
    return read_result(done.stdout, done.stderr)


def read_result(printed: str, errors: str = "") -> dict:
    """Return what the line RESULT of wrk's output says.

    Raises:
        CheckFailed: there is none.
    """
    for line in printed.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line.removeprefix("RESULT "))
    raise CheckFailed(f"wrk said nothing: {printed[-500:]} {errors[-500:]}")


class Clock:
    """CPU time of the cores, of the server under test, and of everything the harness started.

    Args:
        helpers: the process ids of what belongs to the load, with all below them.
        idle: processes of other servers, which may have something to finish.
    """

    def __init__(
        self, server: Server, helpers: Sequence[int], idle: Iterable[psutil.Process] = ()
    ) -> None:
        own = resource.getrusage(resource.RUSAGE_SELF)
        waited = resource.getrusage(resource.RUSAGE_CHILDREN)  # wrk
        mine = sum(usage.ru_utime + usage.ru_stime for usage in (own, waited))
        self.server = cpu_seconds(server.process.pid)
        self.known = self.server + cpu_seconds(*helpers) + spent(idle) + mine
        self.time = time.monotonic()
        self.busy = [
            sum(core[:8]) - core.idle - core.iowait for core in psutil.cpu_times(percpu=True)
        ]

    def since(self, start: "Clock") -> dict[str, Any]:
        """Return what was used since *start*; percentages are of one core."""
        seconds = self.time - start.time
        busy = [now - then for now, then in zip(self.busy, start.busy, strict=True)]
        taken = self.server - start.server
        foreign = sum(busy) - (self.known - start.known)
        return {
            "server_cpu_s": taken,
            "core_busy_pct": [round(100 * one / seconds, 1) for one in busy],
            "server_cpu_pct": round(100 * taken / seconds, 1),
            # what none of our processes took
            "foreign_cpu_pct": round(100 * foreign / seconds, 1),
        }


def count_errors(
    found: Mapping[str, Any], workload: Workload, connections: int, expected_bytes: int
) -> int:
    """Return how many of the requests that wrk counted did not get what they should."""
    requests, expects_failure = found["requests"], workload[2]
    errors = sum(found[key] for key in ("connect", "read", "write", "timeout"))
    errors += requests - found["status"] if expects_failure else found["status"]
    if requests < connections:
        return errors + 1  # it hangs
    body = found["bytes"] / requests
    if not errors and not expected_bytes * 0.9 <= body <= expected_bytes * 1.1 + 700:
        return requests  # a size so different means wrong answers
    return errors


def measure(
    server: Server,
    workload: Workload,
    options: argparse.Namespace,
    expected_bytes: int,
    helpers: Sequence[int],
) -> dict[str, Any]:
    """Warm the server up, then load and time it.

    The warm-up looks at every status (and at the ids of a full target), which costs wrk time; the
    measured run counts what wrk counts anyway, and the bytes.
    """
    warmed: dict[str, int] = {"requests": 0, "wrong": 0}
    if options.warmup:
        verify = "signed" if server.full else "verify"
        warmed = wrk(server, workload, options.warmup, options.connections, verify)
    start = Clock(server, helpers)
    pause = [f"pause={options.pause}"] if options.pause else []
    found = wrk(server, workload, options.duration, options.connections, *pause)
    used = Clock(server, helpers).since(start)
    requests = found["requests"]
    errors = warmed["wrong"] + count_errors(found, workload, options.connections, expected_bytes)
    return {
        "rps": requests / (found["duration_us"] / 1e6),
        "p50_ms": found["p50_us"] / 1e3,
        "p90_ms": found["p90_us"] / 1e3,
        "p99_ms": found["p99_us"] / 1e3,
        "max_ms": found["max_us"] / 1e3,
        "requests": requests,
        "requests_with_warmup": requests + warmed["requests"],
        "errors": errors,
        "bytes_per_response": round(found["bytes"] / max(requests, 1), 1),
        "cpu_us_per_request": 1e6 * used.pop("server_cpu_s") / max(requests, 1),
        **used,
    }


def measure_quietly(
    server: Server,
    workload: Workload,
    options: argparse.Namespace,
    expected_bytes: int,
    helpers: Sequence[int],
    discarded: list[dict],
) -> dict[str, Any]:
    """Measure; again, a few times, when something else on the machine took CPU meanwhile."""
    requests = 0
    for attempt in range(options.retries + 1):
        found = measure(server, workload, options, expected_bytes, helpers)
        requests += found["requests_with_warmup"]
        found["requests_with_warmup"] = requests
        found["disturbed"] = found["foreign_cpu_pct"] > options.max_foreign
        if not found["disturbed"] or attempt == options.retries:
            break
        note(f"  {found['foreign_cpu_pct']} % of a core went elsewhere: again")
        discarded.append({**found, "peer": server.name})
        time.sleep(2 + 5 * attempt)
    return found


def note(line: str) -> None:
    """Say how things go, beside the result."""
    print(line, file=sys.stderr, flush=True)


def add_options(parser: argparse.ArgumentParser, *, duration: int, rounds: int) -> None:
    """Add the options that every measurement under load has."""
    number = parser.add_argument
    number("--duration", type=int, default=duration, help="seconds of each measurement")
    number("--warmup", type=int, default=1, help="seconds of load before it")
    number("--rounds", type=int, default=rounds, help="how often everything is measured")
    number("--connections", type=int, default=64, help="keep-alive connections")
    number(
        "--pause",
        type=int,
        default=0,
        help="milliseconds between an answer and the next request of a connection, on average; "
        "0 for as fast as can be (GETs only)",
    )
    number(
        "--max-foreign",
        type=float,
        default=6,
        help="measure again when other processes took more than this (percent of one core)",
    )
    number("--retries", type=int, default=4, help="how often to measure again")
    number("--server-core", type=int, default=0)
    number("--load-core", type=int, default=1)
    number("--port", type=int, default=9600, help="first port of the servers")
