"""What metrics cost a request: `python -m benchmarks.metrics`.

The service of benchmarks/service.py, without an operations port and with one, gets the same
requests in turns, round by round. Prints CPU time and rate of both, their difference and ratio,
medians.

`--calls` measures the calls alone, without a server: counting a request, and one that is sampled;
observing a series in cells of the process, and in those that workers share.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

from benchmarks.harness import Bench
from benchmarks.machine import describe
from benchmarks.variants import Comparison
from msframework.metrics import Metrics
from msframework.metrics.requests import RequestCounter

COUNTING = Comparison("metrics", "uncounted", "counted", "benchmarks.measured")
CALLS = 500_000


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


def main() -> int:
    """Measure, and return the exit code."""
    options = COUNTING.parse(__doc__)
    if options.calls:
        for name, microseconds in time_all():
            print(f"{name:30}{microseconds:8.2f} us")
        return 0
    with Bench(options) as bench:
        about = describe(bench.database.version())
        runs = COUNTING.measure(bench, COUNTING.start(bench), options)
    return COUNTING.report(options, about, runs)


if __name__ == "__main__":
    sys.exit(main())
