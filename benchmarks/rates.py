"""What a rate limit costs a request: `python -m benchmarks.rates`; prints JSON.

CPU time in microseconds, the best of sixty short repeats: of admission with nothing but limits, in
memory, and of the headers of the answer; for comparison, of one hit in the in-memory storage of the
library `limits`.
"""

import argparse
import asyncio
import json
import platform
import sys
from types import SimpleNamespace

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from benchmarks.tracing import measure
from msframework.compile.rates import build_compile_takes
from msframework.limits.meter import RateMeters
from msframework.limits.rate import RatePolicy
from msframework.metrics import Metrics
from msframework.principal import Principal
from msframework.serving.rates import RateHeaders

MANY = 1_000


def make_take(*names):
    """Return the function that counts a request by limits with these *names*."""
    policies = [
        RatePolicy("bench", name, 10**9, 60, f"{n} minutes") for n, name in enumerate(names)
    ]
    meters = RateMeters("memory://", "bench")
    takes = build_compile_takes(meters, Metrics(), behind_proxy=False)(policies)
    return takes.before or takes.after


def measure_take(*names):
    """Return the cost of counting one request by limits with these *names*."""
    take = make_take(*names)
    request = make_request()

    def call():
        request.rates = None
        take(request)

    return measure(call)


def make_request():
    """Return what a limit reads of a request."""
    return SimpleNamespace(
        rates=None,
        principal=Principal("5f0c6a52-5d0d-4be5-9e43-3c8b2f6a0a11", authenticator="bearer"),
        conn_info=SimpleNamespace(client_ip="192.0.2.1"),
    )


def measure_headers():
    """Return the cost of the headers of one limit."""
    take, request = make_take("address"), make_request()
    take(request)
    headers = RateHeaders(None)
    return measure(lambda: headers(request).lines)


async def measure_library():
    """Return the cost of one hit in the library's own storage in memory."""
    limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
    item = parse("1000000000/minute")

    async def ask():
        for _ in range(MANY):
            await limiter.hit(item, "bench", "192.0.2.1")

    loop = asyncio.get_running_loop()
    best = float("inf")
    for _ in range(10):
        began = loop.time()
        await ask()
        best = min(best, loop.time() - began)
    return round(best / MANY * 1e6, 3)


def main():
    """Print all costs."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    found = {
        "python": sys.version.split()[0],
        "machine": platform.machine(),
        "one limit by address": measure_take("address"),
        "one limit by principal": measure_take("principal"),
        "two limits by address": measure_take("address", "address"),
        "the headers of one limit": measure_headers(),
        "one hit of the library": asyncio.run(measure_library()),
    }
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
