"""The service of soak.py, and its settings: each kind of work that could leak resources."""

import asyncio
import gc
import os
import threading

from benchmarks.ledger import ledger
from msframework import Blueprint, NotFound

SERVICE_NAME = "soak"
CONFIGURE = "benchmarks.soak_service.configure"
OPENAPI = False
TRACE_LOG = False
TRACE_SAMPLE_RATE = 0.1
DB_MIN_SIZE = 1
DB_MAX_SIZE = 8
SERVICES = {
    "itself": {"url": os.environ.get("SOAK_URL", "http://127.0.0.1:1"), "total_timeout": 1.0},
    "hasty": {"url": os.environ.get("SOAK_URL", "http://127.0.0.1:1"), "total_timeout": 0.1},
}
REQUEST_TIMEOUT = BODY_TIMEOUT = WRITE_TIMEOUT = 3.0
KEEP_ALIVE_TIMEOUT = 10.0

soak = Blueprint("soak")


@soak.get("/inside")
async def inside(request):
    """Return the counts that only the process itself can tell."""
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "objects": len(gc.get_objects()),
    }


@soak.get("/call/<id:int>")
async def call(request, id):
    return await request.client("itself").call("GET", "/counters/{id}", id=id)


@soak.get("/hasty")
async def hasty(request):
    return await request.client("hasty").call("GET", "/slow")


@soak.get("/slow")
async def slow(request):
    async with request.app.db.acquire(request) as cur:
        await cur.fetchrow("SELECT pg_sleep(0.3)")
    return {}


@soak.get("/fails")
async def fails(request):
    async with request.app.db.transaction(request) as cur:
        await cur.fetchrow("SELECT 1")
        raise RuntimeError("as it should")


@soak.get("/missing")
async def missing(request):
    raise NotFound(error="as it should be")


@soak.get("/stream")
async def stream(request):
    answer = await request.respond(content_type="text/plain")
    for _ in range(10):
        await answer.send("x" * 10_000)
        await asyncio.sleep(0.01)
    await answer.eof()


@soak.get("/big")
async def big(request):
    return "x" * 2_000_000


def configure(service):
    """Mount the endpoints."""
    service.blueprint(ledger)
    service.blueprint(soak)

    @service.websocket("/talk")
    async def talk(request, ws):
        async for message in ws:
            await ws.send(message)
