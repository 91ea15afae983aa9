"""What tracing and the access log cost under load: `python -m benchmarks.tracing_overhead`.

Two questions, each answered by servers that differ in nothing but settings and take turns, round by
round, so that a busy machine hurts all alike:

overhead: neither tracing nor access log, against the access log, tracing at 0, 10 and 100 %, both.
collectors: requests' p99 without tracing, against 10 % traced to a collector that works, is dead
    (nothing listens), is silent (takes requests, never answers), is slow (1.5 s), refuses (400) or
    finds all too large (413); memory before and after; and what the service says that it dropped.
    All else is on. Connections pause between requests (`--pause`), so that the server is as busy as
    one that serves people: at its limit p99 only tells how many requests it serves. `--pause 0`
    measures there.

Prints a table; the JSON goes to `results/`. `--require` fails where a median p99 is over 1.10 of
that without tracing, where memory grew, or where spans were lost and not counted.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from benchmarks.harness import LOGS, RESULTS, Bench
from benchmarks.load import WORKLOADS, add_options, measure_quietly, note
from benchmarks.machine import describe
from benchmarks.processes import Server
from benchmarks.targets import OURS, PYTHON, TARGETS, Target

OFF = {"TRACING": "false", "ACCESS_LOG": "false"}
# wrk sends a decision with every request: it is not trusted here, so that the rate is ours.
TRACED = {"TRACING": "true", "ACCESS_LOG": "false", "TRUST_PEERS": "request_id"}
OVERHEAD: Mapping[str, Mapping[str, str]] = {
    "nothing": OFF,
    "access-log": {**OFF, "ACCESS_LOG": "true"},
    "traced-0": {**TRACED, "TRACE_SAMPLE_RATE": "0"},
    "traced-10": {**TRACED, "TRACE_SAMPLE_RATE": "0.1"},
    "traced-100": {**TRACED, "TRACE_SAMPLE_RATE": "1"},
    "all": {**TRACED, "TRACE_SAMPLE_RATE": "0.1", "ACCESS_LOG": "true"},
}
MODES = ("works", "dead", "silent", "slow", "refuses", "too-large")
P99_LIMIT = 1.10
MEMORY_LIMIT = 8.0  # MiB
_DROPPED = re.compile(r"spans for 'zipkin' were dropped, (\d+) since the service started: ([^\"]+)")


class Measurement:
    """Servers that take turns; what is found is in `runs`."""

    def __init__(
        self, bench: Bench, variants: Mapping[str, Mapping[str, str]], options: argparse.Namespace
    ) -> None:
        self.bench, self.options = bench, options
        self.runs: list[dict[str, Any]] = []
        self.discarded: list[dict[str, Any]] = []
        self.servers: dict[str, Server] = {}
        self.memory: dict[str, list[float]] = {}
        own = TARGETS[OURS]
        for name, env in variants.items():
            self.servers[name] = bench.start(replace(own, name=name, full=False), **env)
        for server in self.servers.values():
            server.wait_ready()

    def run(self, workloads: list[str]) -> None:
        """Measure every workload on every server, in each round; the order turns with the round."""
        sizes = {name: self._size(name) for name in workloads}
        for number in range(self.options.rounds):
            names = list(self.servers)
            names = names[number % len(names) :] + names[: number % len(names)]
            for workload in workloads:
                for name in names:
                    found = measure_quietly(
                        self.servers[name],
                        WORKLOADS[workload],
                        self.options,
                        sizes[workload],
                        self.bench.helpers,
                        self.discarded,
                    )
                    self.runs.append(
                        {**found, "variant": name, "workload": workload, "round": number}
                    )
                    note(
                        f"round {number + 1} {workload:9} {name:11} {found['rps']:8,.0f} req/s  "
                        f"server {found['server_cpu_pct']:3.0f} %  "
                        f"p99 {found['p99_ms']:7.2f} ms  cpu {found['cpu_us_per_request']:5.0f} us"
                        f"  foreign {found['foreign_cpu_pct']}  errors {found['errors']}"
                    )
            for name, server in self.servers.items():
                self.memory.setdefault(name, []).append(server.memory()["rss"])

    def stop(self) -> dict[str, dict[str, int]]:
        """End the servers, and return what each says that it dropped, by reason."""
        dropped = {}
        for name, server in self.servers.items():
            self.bench.stop(server)
            told = _DROPPED.findall(server.log.read_text(errors="replace"))
            reasons = told[-1][1].split(", ") if told else []
            dropped[name] = {
                reason: int(count) for reason, count in (item.rsplit(" ", 1) for item in reasons)
            }
        return dropped

    def _size(self, workload: str) -> int:
        path = {"json": "/json", "read_one": "/users/4242"}[workload]
        return len(next(iter(self.servers.values())).request("GET", path)[2])

    def ratios(self, workload: str, baseline: str, key: str) -> dict[str, dict[str, float]]:
        """Return, by variant, median, best and worst of *key* over *baseline*'s of its round."""
        found = {
            (run["variant"], run["round"]): run[key]
            for run in self.runs
            if run["workload"] == workload
        }
        rounds = range(self.options.rounds)
        table = {}
        for name in self.servers:
            each = [found[name, number] / found[baseline, number] for number in rounds]
            table[name] = {
                "median": round(statistics.median(each), 3),
                "least": round(min(each), 3),
                "most": round(max(each), 3),
            }
        return table


def measure_overhead(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Measure what tracing and the access log take of the requests a second."""
    saturated = argparse.Namespace(**{**vars(options), "pause": 0})
    measurement = Measurement(bench, OVERHEAD, saturated)
    measurement.run(["json", "read_one"])
    dropped = measurement.stop()
    return {
        "ratios": {
            workload: {
                key: measurement.ratios(workload, "nothing", key)
                for key in ("rps", "cpu_us_per_request", "p99_ms")
            }
            for workload in ("json", "read_one")
        },
        "dropped": dropped,
        "runs": measurement.runs,
        "discarded": measurement.discarded,
    }


def measure_collectors(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Measure what collectors that fail do to requests, and to memory."""
    helper = Target("bad-collector", f"{PYTHON} -m benchmarks.tracing_overhead --serve {{port}}")
    port = options.port  # the servers' ports begin after it
    collector = Server(helper, port, list(bench.load_cores), bench.env, LOGS)
    try:
        collector.wait_ready("/works")
        bench.helpers.append(collector.process.pid)
        logged = {"ACCESS_LOG": "true"}
        traced = {**TRACED, **logged, "TRACE_SAMPLE_RATE": str(options.rate)}
        variants = {"untraced": {**OFF, **logged}}
        for mode in MODES:
            # NOTE: nothing listens at port 9, which is "discard" and needs root to be taken.
            place = "http://127.0.0.1:9" if mode == "dead" else f"http://127.0.0.1:{port}/{mode}"
            variants[mode] = {**traced, "BENCH_ZIPKIN": place}
        measurement = Measurement(bench, variants, options)
        measurement.run(["read_one"])
        dropped = measurement.stop()
    finally:
        collector.stop()
    return {
        "ratios": {"read_one": {"p99_ms": measurement.ratios("read_one", "untraced", "p99_ms")}},
        "memory_mib": measurement.memory,
        "dropped": dropped,
        "runs": measurement.runs,
        "discarded": measurement.discarded,
    }


def failures(result: Mapping[str, Any]) -> list[str]:
    """Return where *result* falls short."""
    short = []
    for part in ("overhead", "collectors"):
        errors = sum(run["errors"] for run in result.get(part, {}).get("runs", ()))
        if errors:
            short.append(f"{part}: {errors} errors under load")
    collectors = result.get("collectors")
    if collectors is None:
        return short
    for mode, ratio in collectors["ratios"]["read_one"]["p99_ms"].items():
        if ratio["median"] > P99_LIMIT:
            short.append(f"collector {mode}: p99 is {ratio['median']} of that without tracing")
    grown = {name: sizes[-1] - sizes[0] for name, sizes in collectors["memory_mib"].items()}
    for mode in MODES:
        if grown[mode] - max(grown["untraced"], 0.0) > MEMORY_LIMIT:
            short.append(f"collector {mode}: memory grew by {grown[mode]:.1f} MiB")
        if mode not in ("works", "slow") and not collectors["dropped"][mode]:
            short.append(f"collector {mode}: no span was counted as dropped")
    return short


def render(result: Mapping[str, Any]) -> str:
    """Return the tables of *result*."""
    lines = []
    for part in ("overhead", "collectors"):
        for workload, keys in result.get(part, {}).get("ratios", {}).items():
            for key, table in keys.items():
                lines.append(f"{part}, {workload}: {key} over that of {next(iter(table))}")
                for name, ratio in table.items():
                    spread = f"{ratio['least']:.3f} to {ratio['most']:.3f}"
                    lines.append(f"  {name:11} {ratio['median']:6.3f}  ({spread})")
    collectors = result.get("collectors", {})
    for name, sizes in collectors.get("memory_mib", {}).items():
        told = collectors["dropped"][name] or "nothing"
        lines.append(f"  {name:11} {sizes[0]:.1f} to {sizes[-1]:.1f} MiB; dropped: {told}")
    return "\n".join(lines)


def build_collector() -> web.Application:
    """Return a collector that fails in as many ways as it has paths."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        mode = request.match_info["mode"]
        if request.method == "POST" and mode in ("silent", "slow"):
            await asyncio.sleep(3600 if mode == "silent" else 1.5)
        return web.Response(status={"refuses": 400, "too-large": 413}.get(mode, 202))

    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_route("*", "/{mode}", take)
    return app


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.tracing_overhead", description=__doc__)
    parser.add_argument("--only", choices=("overhead", "collectors"))
    parser.add_argument("--rate", type=float, default=0.1, help="share traced to bad collectors")
    parser.add_argument("--out", help="result file (default: results/tracing-<time>.json)")
    parser.add_argument("--require", action="store_true", help="fail where a limit is passed")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    add_options(parser, duration=8, rounds=5)
    parser.set_defaults(pause=10)
    return parser.parse_args()


def main() -> int:
    """Measure, and return the exit code."""
    options = parse()
    if options.serve:
        web.run_app(
            build_collector(), host="127.0.0.1", port=options.serve, print=None, access_log=None
        )
        return 0
    path = Path(options.out or RESULTS / f"tracing-{time.strftime('%Y%m%d-%H%M%S')}.json")
    with Bench(options) as bench:
        result: dict[str, Any] = {"about": describe(bench.database.version())}
        result["about"]["options"] = {
            name: getattr(options, name)
            for name in ("duration", "warmup", "rounds", "rate", "pause")
        }
        if options.only != "collectors":
            result["overhead"] = measure_overhead(bench, options)
        if options.only != "overhead":
            result["collectors"] = measure_collectors(bench, options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(render(result))
    short = failures(result)
    for text in short:
        note(f"SHORT  {text}")
    note(f"results in {path}")
    return 1 if short and options.require else 0


if __name__ == "__main__":
    sys.exit(main())
