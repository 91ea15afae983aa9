"""What tracing and the access log cost under load: `python -m benchmarks.tracing_overhead`.

Neither tracing nor access log, against the access log, tracing at 0, 10 and 100 %, both: servers
that differ in nothing but settings take turns, round by round, so that a busy machine hurts all
alike. What collectors that fail do to requests is for collectors.py.

Prints a table; the JSON goes to `results/`. `--require` fails where a request did.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, Bench
from benchmarks.load import WORKLOADS, add_options, measure_quietly, note
from benchmarks.machine import describe
from benchmarks.targets import OURS, TARGETS

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
PATHS = {"json": "/json", "read_one": "/users/4242"}
KEYS = ("rps", "cpu_us_per_request", "p99_ms")


class Measurement:
    """Servers that take turns; what is found is in `runs`."""

    def __init__(self, bench: Bench, options: argparse.Namespace) -> None:
        self.bench, self.options = bench, options
        self.runs: list[dict[str, Any]] = []
        self.discarded: list[dict[str, Any]] = []
        own = TARGETS[OURS]
        self.servers = {
            name: bench.start(replace(own, name=name, full=False), **env)
            for name, env in OVERHEAD.items()
        }
        for server in self.servers.values():
            server.wait_ready()

    def run(self) -> None:
        """Measure every workload on every server, in each round; the order turns with the round."""
        first = next(iter(self.servers.values()))
        sizes = {name: len(first.request("GET", path)[2]) for name, path in PATHS.items()}
        for number in range(self.options.rounds):
            names = list(self.servers)
            names = names[number % len(names) :] + names[: number % len(names)]
            for workload in PATHS:
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

    def ratios(self, workload: str, key: str) -> dict[str, dict[str, float]]:
        """Return, by variant, median, best and worst of *key* over the first's of its round."""
        found = {
            (run["variant"], run["round"]): run[key]
            for run in self.runs
            if run["workload"] == workload
        }
        baseline = next(iter(OVERHEAD))
        rounds = range(self.options.rounds)
        table = {}
        for name in OVERHEAD:
            each = [found[name, number] / found[baseline, number] for number in rounds]
            table[name] = {
                "median": round(statistics.median(each), 3),
                "least": round(min(each), 3),
                "most": round(max(each), 3),
            }
        return table


def render(result: Mapping[str, Any]) -> str:
    """Return the tables of *result*."""
    lines = []
    for workload, keys in result["ratios"].items():
        for key, table in keys.items():
            lines.append(f"{workload}: {key} over that of {next(iter(table))}")
            for name, ratio in table.items():
                spread = f"{ratio['least']:.3f} to {ratio['most']:.3f}"
                lines.append(f"  {name:11} {ratio['median']:6.3f}  ({spread})")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.tracing_overhead", description=__doc__)
    parser.add_argument("--out", help="result file (default: results/tracing-<time>.json)")
    parser.add_argument("--require", action="store_true", help="fail where a request did")
    add_options(parser, duration=8, rounds=5)
    return parser.parse_args()


def main() -> int:
    """Measure, and return the exit code."""
    options = parse()
    path = Path(options.out or RESULTS / f"tracing-{time.strftime('%Y%m%d-%H%M%S')}.json")
    with Bench(options) as bench:
        result: dict[str, Any] = {"about": describe(bench.database.version())}
        names = ("duration", "warmup", "rounds", "pause")
        result["about"]["options"] = {name: getattr(options, name) for name in names}
        measurement = Measurement(bench, options)
        measurement.run()
    result |= {
        "ratios": {
            workload: {key: measurement.ratios(workload, key) for key in KEYS} for workload in PATHS
        },
        "runs": measurement.runs,
        "discarded": measurement.discarded,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(render(result))
    note(f"results in {path}")
    errors = sum(run["errors"] for run in measurement.runs)
    if errors:
        note(f"SHORT  {errors} errors under load")
    return 1 if errors and options.require else 0


if __name__ == "__main__":
    sys.exit(main())
