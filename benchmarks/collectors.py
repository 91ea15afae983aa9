"""What collectors that fail do to requests: `python -m benchmarks.collectors`.

Requests' p99 without tracing, against 10 % traced to a collector that works, is dead (nothing
listens), is silent (takes requests, never answers), is slow (1.5 s), refuses (400) or finds all too
large (413); memory before and after; and what the service says that it dropped. Access log and all
else are on. `again` is without tracing, too: what it differs by is the noise.

Connections pause between an answer and the next request (`--pause`), so that the server is as busy
as one that serves people: at its limit p99 only tells how many requests it serves.

A p99 is made of few requests, and one stall of the machine holds many: so each round starts new
processes (`--processes` of each kind, as one may be slower than its twin for all its life), and
loads them in turns of a few seconds, in an order of chance; the latencies of all turns of a kind
are one round's. After the turns each gets a burst without pauses, for the memory.

Prints a table; the JSON goes to `results/`. `--require` fails where a median p99 is over 1.10 of
that without tracing, where memory grew, or where spans were lost and not counted.
"""

import argparse
import asyncio
import json
import random
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from benchmarks.harness import LOGS, RESULTS, Bench
from benchmarks.load import WORKLOADS, Clock, add_options, count_errors, note, wrk
from benchmarks.machine import describe
from benchmarks.processes import Server, tree
from benchmarks.targets import OURS, PYTHON, TARGETS, Target
from benchmarks.tracing_overhead import OFF, TRACED

BASELINE = "untraced"
CONTROL = "again"
MODES = ("works", "dead", "silent", "slow", "refuses", "too-large")
KINDS = (BASELINE, CONTROL, *MODES)
P99_LIMIT = 1.10
MEMORY_LIMIT = 8.0  # MiB
KEYS = ("p50_ms", "p99_ms", "cpu_us_per_request")
# These take what they get, a slow one in time where there is little.
MAY_LOSE_NOTHING = ("works", "slow")
BURST = 2  # seconds
_WORKLOAD = WORKLOADS["read_one"]
_DROPPED = re.compile(r"spans for 'zipkin' were dropped, (\d+) since the service started: ([^\"]+)")


@dataclass
class Found:
    """What one round found of one kind of server."""

    latencies: Counter[int] = field(default_factory=Counter)  # microseconds
    requests: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    errors: int = 0
    grown_mib: list[float] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    def as_run(self) -> dict[str, Any]:
        """Return the round's figures."""
        return {
            "requests": self.requests,
            "rps": self.requests / self.seconds,
            "p50_ms": percentile(self.latencies, 0.5) / 1e3,
            "p90_ms": percentile(self.latencies, 0.9) / 1e3,
            "p99_ms": percentile(self.latencies, 0.99) / 1e3,
            "cpu_us_per_request": 1e6 * self.cpu_seconds / self.requests,
            "cpu_pct": 100 * self.cpu_seconds / self.seconds,
            "errors": self.errors,
            "grown_mib": self.grown_mib,
            "dropped": dict(self.dropped),
        }


def percentile(latencies: Mapping[int, int], share: float) -> int:
    """Return what *share* of the requests do not pass; *latencies* counts them by microseconds."""
    left = share * sum(latencies.values())
    for microseconds in sorted(latencies):
        left -= latencies[microseconds]
        if left <= 0:
            return microseconds
    raise ValueError("no requests")


class Round:
    """One round: new servers of every kind, and what they did in `found`."""

    def __init__(self, bench: Bench, options: argparse.Namespace, number: int, bad: int) -> None:
        self.bench, self.options, self.number = bench, options, number
        self.found = {kind: Found() for kind in KINDS}
        self.again = 0
        self.servers: list[tuple[str, Server]] = []
        own = TARGETS[OURS]
        for kind in KINDS:
            env = settings_of(kind, options.rate, bad)
            for index in range(options.processes):
                target = replace(own, name=f"{kind}-{index}", full=False)
                self.servers.append((kind, bench.start(target, **env)))
        for _, server in self.servers:
            server.wait_ready()
        self.processes = [(server, tree(server.process.pid)) for _, server in self.servers]
        self.size = len(self.servers[0][1].request("GET", "/users/4242")[2])

    def run(self) -> None:
        """Warm all up, load them in turns, give each its burst, and end them."""
        for kind, server in self.servers:
            self._load(kind, server, self.options.warmup)
        before = [server.memory()["rss"] for _, server in self.servers]
        turns = self.servers * self.options.turns
        random.Random(self.number).shuffle(turns)
        for done, (kind, server) in enumerate(turns, 1):
            self._take_turn(kind, server)
            if done % len(self.servers) == 0:
                note(f"round {self.number + 1}: {done} of {len(turns)} turns")
        for (kind, server), size in zip(self.servers, before, strict=True):
            self._load(kind, server, BURST)
            self.found[kind].grown_mib.append(round(server.memory()["rss"] - size, 1))
        for kind, server in self.servers:
            self.bench.stop(server)
            self.found[kind].dropped.update(read_dropped(server))

    def _load(self, kind: str, server: Server, seconds: int, *more: str) -> dict[str, Any]:
        counted = wrk(server, _WORKLOAD, seconds, self.options.connections, *more)
        connections = self.options.connections
        self.found[kind].errors += count_errors(counted, _WORKLOAD, connections, self.size)
        return counted

    def _take_turn(self, kind: str, server: Server) -> None:
        """Load *server* for a turn; another one, where something else on the machine took CPU."""
        idle = [
            one for other, processes in self.processes if other is not server for one in processes
        ]
        for left in reversed(range(self.options.retries + 1)):
            start = Clock(server, self.bench.helpers, idle)
            counted = self._load(kind, server, self.options.duration, f"pause={self.options.pause}")
            used = Clock(server, self.bench.helpers, idle).since(start)
            if used["foreign_cpu_pct"] <= self.options.max_foreign or not left:
                break
            self.again += 1
        found = self.found[kind]
        found.latencies.update(dict(counted["latencies"]))
        found.requests += counted["requests"]
        found.seconds += counted["duration_us"] / 1e6
        found.cpu_seconds += used["server_cpu_s"]


def settings_of(kind: str, rate: float, bad: int) -> dict[str, str]:
    """Return the environment of a server of *kind*; *bad* is the port of the bad collector."""
    if kind not in MODES:
        return {**OFF, "ACCESS_LOG": "true"}
    # NOTE: nothing listens at port 9, which is "discard" and needs root to be taken.
    place = "http://127.0.0.1:9" if kind == "dead" else f"http://127.0.0.1:{bad}/{kind}"
    return {
        **TRACED,
        "ACCESS_LOG": "true",
        "TRACE_SAMPLE_RATE": str(rate),
        "BENCH_ZIPKIN": place,
    }


def read_dropped(server: Server) -> Counter[str]:
    """Return how many spans *server*, which has ended, says that it dropped, by reason."""
    told = _DROPPED.findall(server.log.read_text(errors="replace"))
    reasons = told[-1][1].split(", ") if told else []
    return Counter({name: int(count) for name, count in (one.rsplit(" ", 1) for one in reasons)})


@contextmanager
def bad_collector(bench: Bench) -> Iterator[int]:
    """Run a collector that fails in as many ways as it has paths; yields its port."""
    target = Target("bad-collector", f"{PYTHON} -m benchmarks.collectors --serve {{port}}")
    port = bench.options.port  # the servers' ports begin after it
    collector = Server(target, port, list(bench.load_cores), bench.env, LOGS)
    try:
        collector.wait_ready("/works")
        bench.helpers.append(collector.process.pid)
        yield port
    finally:
        collector.stop()


def build_collector() -> web.Application:
    """Return the application of the bad collector."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        mode = request.match_info["mode"]
        if request.method == "POST" and mode in ("silent", "slow"):
            await asyncio.sleep(3600 if mode == "silent" else 1.5)
        return web.Response(status={"refuses": 400, "too-large": 413}.get(mode, 202))

    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_route("*", "/{mode}", take)
    return app


def summarize(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return ratios to the first kind of their round, memory and losses, each by kind."""
    ratios: dict[str, dict[str, Any]] = {}
    for key in KEYS:
        ratios[key] = {}
        for kind in KINDS:
            each = [round(one[kind][key] / one[BASELINE][key], 3) for one in rounds]
            ratios[key][kind] = {"median": statistics.median(each), "rounds": each}
    dropped: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for one in rounds:
        for kind in KINDS:
            dropped[kind].update(one[kind]["dropped"])
    grown = {kind: [mib for one in rounds for mib in one[kind]["grown_mib"]] for kind in KINDS}
    untraced = [one[BASELINE] for one in rounds]
    return {
        "load": {
            key: round(statistics.median(run[key] for run in untraced), 2)
            for key in ("rps", "cpu_pct", "p50_ms", "p90_ms", "p99_ms")
        },
        "ratios": ratios,
        "grown_mib": {kind: max(sizes) for kind, sizes in grown.items()},
        "dropped": {kind: dict(counts) for kind, counts in dropped.items()},
        "errors": sum(one[kind]["errors"] for one in rounds for kind in KINDS),
    }


def failures(summary: Mapping[str, Any]) -> list[str]:
    """Return where *summary* falls short."""
    short = [f"{summary['errors']} errors under load"] if summary["errors"] else []
    grown, dropped = summary["grown_mib"], summary["dropped"]
    for mode in MODES:
        ratio = summary["ratios"]["p99_ms"][mode]["median"]
        if ratio > P99_LIMIT:
            short.append(f"collector {mode}: p99 is {ratio} of that without tracing")
        if grown[mode] - max(grown[BASELINE], 0.0) > MEMORY_LIMIT:
            short.append(f"collector {mode}: memory grew by {grown[mode]:.1f} MiB")
        if mode not in MAY_LOSE_NOTHING and not dropped[mode]:
            short.append(f"collector {mode}: no span was counted as dropped")
    return short


def render(summary: Mapping[str, Any]) -> str:
    """Return the tables of *summary*."""
    load = summary["load"]
    lines = [
        f"{BASELINE}: {load['rps']:,.0f} requests a second, {load['cpu_pct']:.0f} % of a core; "
        f"p50 {load['p50_ms']} ms, p90 {load['p90_ms']} ms, p99 {load['p99_ms']} ms"
    ]
    for key, table in summary["ratios"].items():
        lines.append(f"{key} over that of {BASELINE}: median, and each round")
        for kind, ratio in table.items():
            rounds = " ".join(f"{one:.2f}" for one in ratio["rounds"])
            lines.append(f"  {kind:10} {ratio['median']:6.3f}  ({rounds})")
    lines.append("memory that a process gained at most, and spans dropped")
    for kind, size in summary["grown_mib"].items():
        lines.append(f"  {kind:10} {size:4.1f} MiB  {summary['dropped'][kind] or 'none'}")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.collectors", description=__doc__)
    parser.add_argument("--rate", type=float, default=0.1, help="share that is traced")
    parser.add_argument("--processes", type=int, default=2, help="servers of each kind in a round")
    parser.add_argument("--turns", type=int, default=6, help="turns of each server in a round")
    parser.add_argument("--out", help="result file (default: results/collectors-<time>.json)")
    parser.add_argument("--require", action="store_true", help="fail where a limit is passed")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    add_options(parser, duration=2, rounds=5)
    parser.set_defaults(pause=30)
    return parser.parse_args()


def main() -> int:
    """Measure, and return the exit code."""
    options = parse()
    if options.serve:
        web.run_app(
            build_collector(), host="127.0.0.1", port=options.serve, print=None, access_log=None
        )
        return 0
    path = Path(options.out or RESULTS / f"collectors-{time.strftime('%Y%m%d-%H%M%S')}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("duration", "warmup", "rounds", "rate", "pause", "processes", "turns")
    with Bench(options) as bench, bad_collector(bench) as port:
        about = describe(bench.database.version())
        about["options"] = {name: getattr(options, name) for name in names}
        result: dict[str, Any] = {"about": about, "rounds": [], "turns_again": 0}
        for number in range(options.rounds):
            one = Round(bench, options, number, port)
            one.run()
            result["rounds"].append({kind: found.as_run() for kind, found in one.found.items()})
            result["turns_again"] += one.again
            summary = result["summary"] = summarize(result["rounds"])
            path.write_text(json.dumps(result, indent=1) + "\n")  # whatever becomes of the next
            for kind, run in result["rounds"][-1].items():
                note(f"  {kind:10} p50 {run['p50_ms']:.3f}  p99 {run['p99_ms']:.2f} ms")
    print(render(summary))
    short = failures(summary)
    for text in short:
        note(f"SHORT  {text}")
    note(f"results in {path}")
    return 1 if short and options.require else 0


if __name__ == "__main__":
    sys.exit(main())
