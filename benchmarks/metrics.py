"""What metrics and shedding cost a request: `python -m benchmarks.metrics`.

The service of benchmarks/service.py, as it is, with an operations port, and with shedding besides,
gets the same requests in turns. Prints the CPU time of a request in each round, and the ratios,
medians over the rounds; `--require` fails where all of it costs more.

`--calls` measures the calls alone, without a server: counting a request, and one that is sampled;
observing a series in cells of the process, and in those that workers share.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

from benchmarks.harness import Bench
from benchmarks.load import add_options, note
from benchmarks.paired import compare
from benchmarks.targets import OURS, TARGETS
from msframework.metrics import Metrics
from msframework.metrics.requests import RequestCounter

CALLS = 500_000
BATCH = 16  # requests whose answers are written together, about as many as under load
VARIANTS = {
    "plain": "benchmarks.settings",
    "metrics": "benchmarks.measured",
    "metrics, shedding": "benchmarks.everything",
}
REQUESTS = {
    "json": b"GET /json HTTP/1.1\r\nHost: x\r\n\r\n",
    "read_one": b"GET /users/4242 HTTP/1.1\r\nHost: x\r\n\r\n",
}


def time_call(call: Callable[[], object], calls: int = CALLS) -> float:
    """Return the microseconds of one call, the best of five rounds, without those of the loop."""

    def spent(work: Callable[[], object]) -> float:
        start = time.process_time()
        for _ in range(calls):
            work()
        return time.process_time() - start

    return min(spent(call) - spent(lambda: None) for _ in range(5)) / calls * 1e6


def time_all() -> Iterator[tuple[str, float]]:
    """Yield a name, and the microseconds of a call."""
    metrics = Metrics()
    counter = RequestCounter(metrics)
    operation = counter.of_operation("GET", "/users/{id}")
    count = operation.count
    stream = SimpleNamespace(perft0=time.perf_counter())
    plain = SimpleNamespace(stream=stream, span=None)
    span = SimpleNamespace(sampled=True, trace_id="0af7651916cd43dd8448eb211c80319c")
    sampled = SimpleNamespace(stream=stream, span=span)
    series = metrics.histogram("observed_seconds", "Observed.").series()

    def count_batch() -> None:
        operation.note(plain, 200)
        begins = operation.begins[200]
        for _ in range(BATCH - 1):
            begins.append(plain.stream.perft0)
        counter.settle()

    yield "a request", time_call(lambda: count(plain, 200))
    yield "a request that is sampled", time_call(lambda: count(sampled, 200))
    yield f"each of {BATCH} together", time_call(count_batch, CALLS // BATCH) / BATCH
    yield "observe", time_call(lambda: series.observe(0.003))
    with tempfile.TemporaryDirectory() as directory:
        metrics.begin_sharing(directory)
        yield "a request, shared", time_call(lambda: count(plain, 200))
        yield "observe, shared", time_call(lambda: series.observe(0.003))
        metrics.end_sharing()


def main() -> int:
    """Measure, and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.metrics", description=__doc__)
    parser.add_argument("--calls", action="store_true", help="calls alone, without a server")
    parser.add_argument("--require", type=float, help="the greatest ratio on json: 1.02")
    add_options(parser, duration=0, rounds=5)
    options = parser.parse_args()
    if options.calls:
        for name, microseconds in time_all():
            print(f"{name:30}{microseconds:8.2f} us")
        return 0
    ratios = measure(options)
    for (workload, name), found in ratios.items():
        shown = " ".join(f"{ratio:.3f}" for ratio in sorted(found))
        print(f"{workload:10}{name:20}{statistics.median(found):8.3f}   of {shown}")
    most = statistics.median(ratios["json", list(VARIANTS)[-1]])
    return int(options.require is not None and most > options.require)


def measure(options: argparse.Namespace) -> dict[tuple[str, str], list[float]]:
    """Return the ratios of each round, by workload and variant."""
    ratios: dict[tuple[str, str], list[float]] = {}
    own = replace(TARGETS[OURS], full=False)
    with Bench(options) as bench:
        for number in range(options.rounds):
            servers = {
                name: bench.start(
                    replace(
                        own, name=name, command=own.command.replace("benchmarks.settings", settings)
                    )
                )
                for name, settings in VARIANTS.items()
            }
            for server in servers.values():
                server.wait_ready()
            for workload, message in REQUESTS.items():
                costs = compare(servers, message)
                shown = "  ".join(f"{name} {cost:.1f}" for name, cost in costs.items())
                note(f"round {number + 1} {workload:9} CPU us: {shown}")
                for name in list(VARIANTS)[1:]:
                    ratio = costs[name] / costs["plain"]
                    ratios.setdefault((workload, name), []).append(ratio)
            for server in servers.values():
                bench.stop(server)
    return ratios


if __name__ == "__main__":
    sys.exit(main())
