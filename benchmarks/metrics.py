"""What counting costs a request: `python -m benchmarks.metrics`.

The measured service, without an operations port and with one, takes the same requests in turns,
round by round. Prints CPU time and rate of both, their difference and ratio, median over rounds.

`--calls` measures the calls alone, without a server: counting a request, and one that is sampled;
observing a series in cells of the process, and in those that workers share.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.harness import RESULTS, Bench
from benchmarks.load import WORKLOADS, add_options, measure_quietly, note
from benchmarks.machine import describe
from benchmarks.processes import expect
from benchmarks.targets import OURS, TARGETS
from msframework.metrics import Metrics
from msframework.metrics.requests import RequestCounter

NAMES = ("json", "read_one")
PATHS = {"json": "/json", "read_one": "/users/4242"}
CALLS = 500_000


def measure(bench: Bench, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return what each round found for each workload, uncounted and counted."""
    own = replace(TARGETS[OURS], full=False)
    counted = own.command.replace("benchmarks.settings", "benchmarks.measured")
    servers = {
        "uncounted": bench.start(replace(own, name="uncounted")),
        "counted": bench.start(replace(own, name="counted", command=counted)),
    }
    for server in servers.values():
        server.wait_ready()
    runs, discarded, sizes = [], [], {}
    for name, path in PATHS.items():
        status, _, body = servers["counted"].request("GET", path)
        expect(status == 200, f"{path} answers {status}")
        sizes[name] = len(body)
    for number in range(options.rounds):
        for name in NAMES:
            for variant in sorted(servers, reverse=number % 2 == 0):
                found = measure_quietly(
                    servers[variant],
                    WORKLOADS[name],
                    options,
                    sizes[name],
                    bench.helpers,
                    discarded,
                )
                runs.append({**found, "variant": variant, "workload": name, "round": number})
                note(
                    f"round {number + 1} {name:9} {variant:10} {found['rps']:8,.0f} req/s  "
                    f"cpu {found['cpu_us_per_request']:6.1f} us  errors {found['errors']}"
                )
    return runs


def summarize(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return, by workload, the medians over the rounds."""
    table = {}
    for name in NAMES:
        cpu, rate = (
            {(run["variant"], run["round"]): run[key] for run in runs if run["workload"] == name}
            for key in ("cpu_us_per_request", "rps")
        )
        rounds = sorted({number for _, number in cpu})
        more = [cpu["counted", each] - cpu["uncounted", each] for each in rounds]
        table[name] = {
            "uncounted_us": statistics.median(cpu["uncounted", each] for each in rounds),
            "counted_us": statistics.median(cpu["counted", each] for each in rounds),
            "more_us": statistics.median(more),
            "least_more_us": min(more),
            "most_more_us": max(more),
            "rate": statistics.median(
                rate["counted", each] / rate["uncounted", each] for each in rounds
            ),
        }
    return table


def render(table: dict[str, dict[str, float]]) -> str:
    """Return *table* as text."""
    lines = [
        f"{'CPU us/req':10}{'uncounted':>10}{'counted':>9}{'more':>7}{'spread':>16}{'rate x':>8}"
    ]
    for name, row in table.items():
        spread = f"{row['least_more_us']:.1f} to {row['most_more_us']:.1f}"
        lines.append(
            f"{name:10}{row['uncounted_us']:10.1f}{row['counted_us']:9.1f}{row['more_us']:7.1f}"
            f"{spread:>16}{row['rate']:8.3f}"
        )
    return "\n".join(lines)


def time_call(call: Callable[[], object]) -> float:
    """Return the microseconds of one call, the best of five rounds, without those of the loop."""

    def spent(work: Callable[[], object]) -> float:
        start = time.process_time()
        for _ in range(CALLS):
            work()
        return time.process_time() - start

    return min(spent(call) - spent(lambda: None) for _ in range(5)) / CALLS * 1e6


def time_all() -> Iterator[tuple[str, float]]:
    """Yield a name, and the microseconds of a call."""
    metrics = Metrics()
    count = RequestCounter(metrics).of_operation("GET", "/users/{id}")
    stream = SimpleNamespace(perft0=time.perf_counter())
    plain = SimpleNamespace(stream=stream, span=None)
    span = SimpleNamespace(sampled=True, trace_id="0af7651916cd43dd8448eb211c80319c")
    sampled = SimpleNamespace(stream=stream, span=span)
    series = metrics.histogram("observed_seconds", "Observed.").series()
    yield "a request", time_call(lambda: count(plain, 200))
    yield "a request that is sampled", time_call(lambda: count(sampled, 200))
    yield "observe", time_call(lambda: series.observe(0.003))
    with tempfile.TemporaryDirectory() as directory:
        metrics.begin_sharing(directory)
        yield "a request, shared", time_call(lambda: count(plain, 200))
        yield "observe, shared", time_call(lambda: series.observe(0.003))
        metrics.end_sharing()


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.metrics", description=__doc__)
    parser.add_argument("--out", help="result file (default: results/metrics-<time>.json)")
    parser.add_argument("--calls", action="store_true", help="calls alone, without a server")
    parser.add_argument("--require", type=float, help="fail where a request costs so much more")
    add_options(parser, duration=8, rounds=5)
    return parser.parse_args()


def main() -> int:
    """Measure, and return the exit code."""
    options = parse()
    if options.calls:
        for name, microseconds in time_all():
            print(f"{name:30}{microseconds:8.2f} us")
        return 0
    path = Path(options.out or RESULTS / f"metrics-{time.strftime('%Y%m%d-%H%M%S')}.json")
    with Bench(options) as bench:
        about = describe(bench.database.version())
        runs = measure(bench, options)
    table = summarize(runs)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": about, "summary": table, "runs": runs}, indent=1) + "\n")
    print(render(table))
    note(f"results in {path}")
    if errors := sum(run["errors"] for run in runs):
        note(f"SHORT  {errors} errors under load")
    most = max(row["more_us"] for row in table.values())
    return int(bool(errors) or (options.require is not None and most > options.require))


if __name__ == "__main__":
    sys.exit(main())
