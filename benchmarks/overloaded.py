"""Settings and endpoints of the service that overload.py loads beyond what it can serve."""

import os
import time

from benchmarks.settings import *  # noqa: F403
from msframework import Blueprint

CONFIGURE = "benchmarks.overloaded.configure"
DB_MIN_SIZE = DB_MAX_SIZE = 10
SHEDDING = os.environ.get("BENCH_SHEDDING", "1") == "1"
_seconds_of_cpu = 0.005

overloaded = Blueprint("overloaded")


@overloaded.get("/sleep")
async def sleep(request):
    """Keep a connection of the pool for 20 ms."""
    async with request.app.db.acquire(request) as cur:
        await cur.execute("SELECT pg_sleep(0.02)")
    return {}


@overloaded.get("/compute")
async def compute(request):
    """Use 5 ms of CPU time."""
    until = time.thread_time() + _seconds_of_cpu
    while time.thread_time() < until:
        pass
    return {}


@overloaded.get("/json")
async def hello(request):
    """Answer at once."""
    return {}


def configure(service):
    """Mount the endpoints; `CONFIGURE` names this."""
    service.blueprint(overloaded)
