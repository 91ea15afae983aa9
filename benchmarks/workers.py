"""Two workers on two cores against one on one core: `python -m benchmarks.workers`.

On a machine of two cores the load has to share them with the workers, so that the rate cannot
double; the CPU time of a request, which should stay the same, says more there. Both workers must
have worked.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, Bench
from benchmarks.load import WORKLOADS, add_options, measure_quietly, note
from benchmarks.machine import describe
from benchmarks.processes import CheckFailed, Server, cpu_seconds, expect, tree
from benchmarks.report import machine_line, text_table
from benchmarks.targets import OURS, TARGETS, Target


def start(bench: Bench, workers: int, cores: list[int]) -> Server:
    """Start the service with *workers* workers on *cores*."""
    bench.server_cores = cores
    command = f"{TARGETS[OURS].command} --workers {workers}"
    server = bench.start(Target(f"{workers}-workers", command))
    server.wait_ready()
    return server


def worked(server: Server, before: dict[int, float]) -> list[float]:
    """Return the CPU seconds of each of the server's processes since *before*."""
    spent = {process.pid: cpu_seconds(process.pid) for process in tree(server.process.pid)[1:]}
    return sorted(round(now - before.get(pid, 0.0), 2) for pid, now in spent.items())


def measure(
    bench: Bench, server: Server, workload: str, options: argparse.Namespace, workers: int
) -> dict[str, Any]:
    """Measure one workload, and check that every worker took part."""
    path = {"json": "/json", "read_one": "/users/1", "list": "/users?page=3&per_page=100"}[workload]
    expected = len(server.request("GET", path)[2])
    before = {process.pid: cpu_seconds(process.pid) for process in tree(server.process.pid)[1:]}
    found = measure_quietly(server, WORKLOADS[workload], options, expected, bench.helpers, [])
    if workers > 1:
        took = worked(server, before)[-workers:]
        expect(min(took) > 0.1 * max(took), f"the workers did not share the load: {took} s of CPU")
        found["worker_cpu_s"] = took
    server.forget_lines()
    return found | {"workload": workload, "workers": workers}


def render(result: dict) -> str:
    """Return the result as text."""
    rows = [["workload", "1 worker req/s", "2 workers req/s", "x", "1: CPU us", "2: CPU us"]]
    for workload in dict.fromkeys(run["workload"] for run in result["runs"]):
        cells = {}
        for workers in (1, 2):
            runs = [
                run
                for run in result["runs"]
                if run["workload"] == workload and run["workers"] == workers
            ]
            cells[workers] = [
                statistics.median(run[key] for run in runs) for key in ("rps", "cpu_us_per_request")
            ]
        one, two = cells[1], cells[2]
        rows.append([workload, f"{one[0]:,.0f}", f"{two[0]:,.0f}", f"{two[0] / one[0]:.2f}"])
        rows[-1] += [f"{one[1]:.0f}", f"{two[1]:.0f}"]
    return f"{text_table(rows)}\n\n{result['note']}\n\n{machine_line(result['about'])}"


def run(options: argparse.Namespace) -> dict:
    """Measure, and return the result."""
    cores = [int(core) for core in options.server_cores.split(",")]
    free = sorted(set(range(os.cpu_count() or 1)) - set(cores))
    runs, failed = [], False
    with Bench(options) as bench:
        bench.load_cores = free or cores
        os.sched_setaffinity(0, bench.load_cores)
        for pid in bench.helpers:
            for process in tree(pid):
                process.cpu_affinity(list(bench.load_cores))
        servers = {1: start(bench, 1, cores[:1]), 2: start(bench, 2, cores)}
        for number in range(options.rounds):
            for workload in options.workloads.split(","):
                for workers, server in servers.items():
                    found = measure(bench, server, workload, options, workers)
                    failed |= found["errors"] > 0
                    runs.append(found | {"round": number})
                    note(f"{workload:9} {workers} workers {found['rps']:9,.0f} req/s")
        about = describe(bench.database.version())
    where = f"cores {free}" if free else f"the servers' cores {cores}, for want of others"
    return {"about": about, "runs": runs, "failed": failed, "note": f"The load ran on {where}."}


def main() -> int:
    """Measure or print a stored result."""
    parser = argparse.ArgumentParser(prog="benchmarks.workers", description=__doc__)
    add = parser.add_argument
    add("--server-cores", default="0,1", help="cores of two workers; one worker has the first")
    add("--workloads", default="json,read_one,list", help="of json, read_one, list")
    add("--out", default=str(RESULTS / f"workers-{time.strftime('%Y%m%d-%H%M%S')}.json"))
    add("--report", help="print a stored result, run nothing")
    add_options(parser, duration=6, rounds=3)
    options = parser.parse_args()
    if options.report:
        print(render(json.loads(Path(options.report).read_text())))
        return 0
    try:
        result = run(options)
    except CheckFailed as error:
        note(f"FAILED: {error}")
        return 1
    path = Path(options.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(render(result))
    note(f"{'FAILED: errors under load' if result['failed'] else 'ok'}; results in {path}")
    return int(result["failed"])


if __name__ == "__main__":
    sys.exit(main())
