"""How long a service needs until it answers, and what a worker weighs.

`python -m benchmarks.startup`, with 300 routes by default (growing.py) and a database whose
connections it opens. The clock runs from the start of the process to its first answer; CPU time is
given too, as it says more on a machine that does other things. Memory is what a worker has after
some requests: `rss` resident, `pss` with its share of what processes have in common, `uss` its own.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.harness import RESULTS, Bench
from benchmarks.imports import render as render_imports
from benchmarks.imports import summarize, time_imports
from benchmarks.load import add_options, note
from benchmarks.machine import describe
from benchmarks.processes import Server, cpu_seconds, tree
from benchmarks.report import machine_line, text_table
from benchmarks.targets import OURS, PYTHON, ROOT, TARGETS, Target

SERVICE = {"CONFIGURE": "benchmarks.growing.configure"}
LIMIT = 1.0
COMMAND = TARGETS[OURS].command
BY_HAND = f"{PYTHON} -m benchmarks.peers.sanic_growing"
# What `runserver` does, step by step, in one process.
STEPS = """
import json, time
began = time.process_time()
import msframework.management.commands.runserver
imported = time.process_time()
from msframework.app import create_app
from msframework.management.garbage import Settled, without_collection
with without_collection():
    service = create_app("benchmarks.settings")
Settled(service)
created = time.process_time()
service.finalize()
done = time.process_time()
print(json.dumps({"import": imported - began, "create_app": created - imported,
                  "finalize": done - created, "operations": len(service.operations)}))
"""


def time_start(bench: Bench, target: Target, routes: int, repeats: int) -> dict[str, list[float]]:
    """Return how many seconds passed from start to first answer, and how many of the CPU's.

    A first start is not counted: it may have to write bytecode.
    """
    times: dict[str, list[float]] = {"start_s": [], "cpu_s": []}
    for _ in range(repeats + 1):
        server = bench.start(target, BENCH_ROUTES=str(routes), **SERVICE)
        times["start_s"].append(server.wait_ready("/things/last/1", pause=0.005))
        times["cpu_s"].append(cpu_seconds(server.process.pid))
        bench.stop(server)
    return {name: values[1:] for name, values in times.items()}


def time_steps(bench: Bench, routes: int) -> dict[str, float]:
    """Return the parts of a start, in seconds of CPU time; the fastest of three."""
    runs = []
    for _ in range(3):
        done = subprocess.run(
            ["taskset", "-c", str(bench.options.server_core), PYTHON, "-c", STEPS],
            cwd=ROOT,
            env={**bench.env, **SERVICE, "BENCH_ROUTES": str(routes), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return min(runs, key=lambda run: run["import"] + run["create_app"] + run["finalize"])


def weigh(bench: Bench, target: Target, routes: int, workers: int = 1) -> dict[str, float]:
    """Return the memory in MiB of one worker (the mean of all) that has answered 200 requests."""
    if workers > 1:
        target = Target(target.name, f"{target.command} --workers {workers}")
    server = bench.start(target, BENCH_ROUTES=str(routes), **SERVICE)
    try:
        server.wait_ready()
        for number in range(200):
            server.request("GET", f"/users/{number + 1}")
        return mean_memory(server, workers)
    finally:
        bench.stop(server)


def mean_memory(server: Server, workers: int) -> dict[str, float]:
    """Return the mean of the *workers* largest processes of *server* in MiB."""
    infos = [process.memory_full_info() for process in tree(server.process.pid)]
    infos = sorted(infos, key=lambda info: info.uss)[-workers:]
    return {
        kind: round(statistics.mean(getattr(info, kind) for info in infos) / 2**20, 1)
        for kind in ("rss", "pss", "uss")
    }


def run(options: argparse.Namespace) -> dict:
    """Measure, and return the result."""
    ours, by_hand = Target(OURS, COMMAND), Target("sanic", BY_HAND)
    with Bench(options) as bench:
        result: dict = {"about": describe(bench.database.version()), "routes": options.routes}
        result["starts"] = {}
        for routes in (1, options.routes):
            for target in (ours, by_hand):
                name = f"{target.name}, {routes} routes"
                result["starts"][name] = time_start(bench, target, routes, options.rounds)
                note(f"start of {name}: {min(result['starts'][name]['start_s']):.3f} s")
        result["steps_s"] = time_steps(bench, options.routes)
        result["memory_mib"] = {
            f"{OURS}, 1 route": weigh(bench, ours, 1),
            f"{OURS}, {options.routes} routes": weigh(bench, ours, options.routes),
            f"{OURS}, {options.routes} routes, each of 2 workers": weigh(
                bench, ours, options.routes, 2
            ),
            f"sanic, {options.routes} routes": weigh(bench, by_hand, options.routes),
        }
    module = "msframework.management.commands.runserver"
    result["imports"] = summarize(module, time_imports(module), options.top)
    return result


def render(result: dict) -> str:
    """Return the result as text."""
    rows = [["from start to first answer", "median s", "(min-max)", "CPU s"]]
    for name, starts in result["starts"].items():
        times, cpu = starts["start_s"], statistics.median(starts["cpu_s"])
        spread = f"({min(times):.3f}-{max(times):.3f})"
        rows.append([name, f"{statistics.median(times):.3f}", spread, f"{cpu:.2f}"])
    steps = [["steps of it, without server", "CPU s"]]
    steps += [[n, f"{v:.3f}"] for n, v in result["steps_s"].items() if n != "operations"]
    memory = [["MiB of one worker", "rss", "pss", "uss"]]
    for name, kinds in result["memory_mib"].items():
        memory.append([name, *(f"{kinds[kind]:.1f}" for kind in ("rss", "pss", "uss"))])
    tables = [text_table(rows), text_table(steps), text_table(memory)]
    return "\n\n".join([*tables, render_imports(result["imports"]), machine_line(result["about"])])


def main() -> int:
    """Measure or print a stored result; fails where a start takes longer than the limit."""
    parser = argparse.ArgumentParser(prog="benchmarks.startup", description=__doc__)
    add = parser.add_argument
    add("--routes", type=int, default=300)
    add("--top", type=int, default=15, help="lines of the import lists")
    add("--out", default=str(RESULTS / f"startup-{time.strftime('%Y%m%d-%H%M%S')}.json"))
    add("--report", help="print a stored result, run nothing")
    add("--require", action="store_true", help=f"fail above {LIMIT} s")
    add_options(parser, duration=0, rounds=5)
    options = parser.parse_args()
    if options.report:
        print(render(json.loads(Path(options.report).read_text())))
        return 0
    result = run(options)
    path = Path(options.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(render(result))
    took = statistics.median(result["starts"][f"{OURS}, {options.routes} routes"]["start_s"])
    note(f"{options.routes} routes: {took:.3f} s, limit {LIMIT} s; results in {path}")
    return int(options.require and took > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
