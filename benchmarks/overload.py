"""More requests than a service can serve: `python -m benchmarks.overload`.

A service whose requests need 20 ms of one of ten connections, or 5 ms of CPU time, gets 1, 3 and 10
times as many requests as it can serve, in an open loop (openload, built by Go), and then half as
many as it can serve. Once with SHEDDING, and once without. Prints a table and draws plots of the
accepted requests, their latency, the refused requests, and the time until recovery.

`--report FILE` prints a stored result again.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.growth import PLOTS
from benchmarks.harness import RESULTS, Bench
from benchmarks.load import add_options, note
from benchmarks.machine import describe
from benchmarks.plot import draw
from benchmarks.processes import Server, cpu_seconds, expect
from benchmarks.targets import OURS, TARGETS

SOURCE = Path(__file__).with_name("openload")
PATHS = {"pool": "/sleep", "cpu": "/compute"}
FACTORS = (1, 3, 10)
CALM = 0.5  # of its capacity: the load after the overload
CALM_SECONDS = 6
VARIANTS = {"off": "0", "on": "1"}
CONCURRENCY = {"pool": 30, "cpu": 4}  # callers of the closed loop that measures capacity
Outcome = tuple[float, int, float]  # due, status, seconds


def build(directory: str) -> Path:
    """Build the load generator with Go, and return its path."""
    program = Path(directory, "openload")
    source = str(SOURCE / "main.go")
    subprocess.run(["go", "build", "-o", str(program), source], check=True)
    return program


def measure_capacity(server: Server, path: str, connections: int, seconds: int) -> float:
    """Return the requests a second that it serves in a closed loop."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    command.append(f"http://127.0.0.1:{server.port}{path}")
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    expect("Non-2xx" not in printed, f"it refused requests in a closed loop:\n{printed}")
    line = next(line for line in printed.splitlines() if line.startswith("Requests/sec:"))
    return float(line.split()[1])


def load(program: Path, server: Server, path: str, phases: str, seed: int) -> list[Outcome]:
    """Return the outcome of each request of *phases*."""
    command = [str(program), "-address", f"127.0.0.1:{server.port}", "-path", path]
    command += ["-phases", phases, "-seed", str(seed)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = (line.split() for line in printed.splitlines())
    return [(float(due), int(status), float(seconds)) for due, status, seconds in lines]


class Watch:
    """Samples of the memory and CPU time of a server, four in a second during the block."""

    def __init__(self, server: Server) -> None:
        self._server, self._stop = server, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.most = 0.0
        self._began, self._first = time.monotonic(), cpu_seconds(server.process.pid)
        self._used = [(0.0, 0.0)]

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.25):
            self.most = max(self.most, self._server.memory()["rss"])
            used = cpu_seconds(self._server.process.pid) - self._first
            self._used.append((time.monotonic() - self._began, used))

    def share(self, seconds: float) -> float:
        """Return the share of a CPU that it used in the first *seconds*."""
        at, used = min(self._used, key=lambda each: abs(each[0] - seconds))
        return used / at if at else math.nan


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that *share* of them do not exceed, in milliseconds."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return round(1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)], 1)


def summarize(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """Return rates and latencies of the requests of one phase of *seconds*."""
    taken = [each for each in outcomes if each[1] == 200]
    done = [due + took for due, _, took in taken]
    start = min(due for due, _, _ in outcomes)
    return {
        "offered": round(len(outcomes) / seconds),
        # Answers within the phase; later ones take capacity of the next phase.
        "goodput": round(sum(at <= start + seconds for at in done) / seconds, 1),
        "accepted": round(len(taken) / seconds, 1),
        "refused": round(sum(status == 503 for _, status, _ in outcomes) / seconds, 1),
        "failed": round(sum(status not in (200, 503) for _, status, _ in outcomes) / seconds, 1),
        "p50": percentile([took for _, _, took in taken], 0.5),
        "p99": percentile([took for _, _, took in taken], 0.99),
        "refused_p50": percentile([took for _, status, took in outcomes if status == 503], 0.5),
    }


def recovery(outcomes: Sequence[Outcome], over: float, bound: float) -> float:
    """Return the seconds after *over* until every request is accepted within *bound* ms."""
    late = [due for due, status, took in outcomes if status != 200 or took * 1000 > bound]
    return round(max([due - over for due in late if due >= over], default=0.0), 2)


def measure(
    bench: Bench, program: Path, options: argparse.Namespace, kind: str, variant: str
) -> list[dict[str, Any]]:
    """Return the results of each phase for one *kind* of service."""
    own = replace(TARGETS[OURS], full=False, name=f"overload-{kind}-{variant}")
    command = own.command.replace("benchmarks.settings", "benchmarks.overloaded")
    server = bench.start(replace(own, command=command), BENCH_SHEDDING=VARIANTS[variant])
    server.wait_ready()
    path, runs = PATHS[kind], []
    measure_capacity(server, path, CONCURRENCY[kind], 1)  # to warm up
    with Watch(server) as watch:
        capacity = measure_capacity(server, path, CONCURRENCY[kind], options.duration // 2)
    share = watch.share(options.duration // 2)
    normal = math.inf
    for factor in FACTORS:
        seconds = options.duration
        phases = f"{capacity * factor:.2f}:{seconds},{capacity * CALM:.2f}:{CALM_SECONDS}"
        before = server.memory()["rss"]
        with Watch(server) as watch:
            outcomes = load(program, server, path, phases, factor)
        found = summarize([each for each in outcomes if each[0] < seconds], seconds)
        normal = found["p99"] if factor == 1 else normal
        # Other processes take a part of the CPU: capacity in proportion to the rest.
        left = min(1.0, watch.share(seconds) / share) if kind == "cpu" else 1.0
        found |= {
            "kind": kind,
            "variant": variant,
            "factor": factor,
            "capacity": round(capacity, 1),
            "rss_before": before,
            "rss_most": max(watch.most, before),
            "able": round(capacity * left, 1),
            "recovery": recovery(outcomes, seconds, normal),
        }
        runs.append(found)
        note("  ".join(f"{name} {value}" for name, value in found.items()))
        time.sleep(1)
    bench.stop(server)
    return runs


COLUMNS = (
    *("service", "SHEDDING", "load", "offered/s", "capacity/s", "goodput/s", "of it", "refused/s"),
    *("failed/s", "p50 ms", "p99 ms", "p99 x", "RSS MiB", "recovery s"),
)


def render(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the result as a Markdown table."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
    normal = {(run["kind"], run["variant"]): run["p99"] for run in runs if run["factor"] == 1}
    for run in runs:
        cells = (
            *(run["kind"], run["variant"], f"{run['factor']} x", run["offered"]),
            *(run["able"], run["goodput"], f"{run['goodput'] / run['able']:.0%}"),
            *(run["refused"], run["failed"]),
            *(run["p50"], run["p99"], f"{run['p99'] / normal[run['kind'], run['variant']]:.2f}"),
            *(f"{run['rss_before']:.0f} to {run['rss_most']:.0f}", run["recovery"]),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def write_plots(runs: Sequence[Mapping[str, Any]], directory: Path) -> None:
    """Draw goodput, and the latency of accepted requests, over the load."""
    directory.mkdir(parents=True, exist_ok=True)
    for key, text, log_y in (
        ("goodput", "answers in time, of capacity", False),
        ("p99", "p99 of what was accepted, ms", True),
    ):
        series = {
            f"{kind}, shedding {variant}": [
                (run["factor"], run[key] / (run["able"] if key == "goodput" else 1))
                for run in runs
                if (run["kind"], run["variant"]) == (kind, variant)
            ]
            for kind in PATHS
            for variant in VARIANTS
        }
        series = {name: points for name, points in series.items() if points}
        title = f"Overload: {text}"
        svg = draw(title, "offered load, of capacity", text, series, log_x=True, log_y=log_y)
        (directory / f"overload_{key}.svg").write_text(svg)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.overload", description=__doc__)
    parser.add_argument("--out", help="result file (default: results/overload-<time>.json)")
    parser.add_argument("--report", help="a stored result to print and draw again")
    parser.add_argument("--kinds", nargs="+", choices=sorted(PATHS), default=sorted(PATHS))
    parser.add_argument("--variants", nargs="+", choices=sorted(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--plots", help="where the plots go (default: plots)")
    add_options(parser, duration=10, rounds=1)
    return parser.parse_args()


def main() -> int:
    """Measure, and return the exit code."""
    options = parse()
    if options.report:
        runs = json.loads(Path(options.report).read_text())["runs"]
    else:
        path = Path(options.out or RESULTS / f"overload-{time.strftime('%Y%m%d-%H%M%S')}.json")
        with tempfile.TemporaryDirectory() as directory, Bench(options) as bench:
            program = build(directory)
            about = describe(bench.database.version())
            runs = [
                run
                for kind in options.kinds
                for variant in options.variants
                for run in measure(bench, program, options, kind, variant)
            ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"about": about, "runs": runs}, indent=1) + "\n")
        note(f"results in {path}")
    print(render(runs))
    write_plots(runs, Path(options.plots) if options.plots else PLOTS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
