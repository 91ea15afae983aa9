"""The service that restarts.py restarts, and its settings.

`/wait` answers after a while, `/echo` takes a body, `/stream` writes for a while, `/talk` is a
websocket that repeats what it hears. Each answer names the process that gave it.
"""

import asyncio
import os

from msframework import Blueprint

SERVICE_NAME = "restarts"
CONFIGURE = "benchmarks.restart_service.configure"
ENVELOPE = None
OPENAPI = False
ACCESS_LOG = False
TRACE_LOG = False
PROXIES_COUNT = 1

restarts = Blueprint("restarts")


@restarts.get("/wait/<ms:int>/<tag:int>")
async def wait(request, ms, tag):
    if ms:
        await asyncio.sleep(ms / 1000)
    return {"tag": tag, "pid": os.getpid()}


@restarts.post("/echo/<tag:int>")
async def echo(request, tag):
    return {"tag": tag, "pid": os.getpid(), "size": len(request.body)}


@restarts.get("/stream/<chunks:int>/<ms:int>/<tag:int>")
async def stream(request, chunks, ms, tag):
    answer = await request.respond(content_type="text/plain")
    for _ in range(chunks):
        await answer.send(f"{tag}\n")
        await asyncio.sleep(ms / 1000 / chunks)
    await answer.eof()


class Stubborn:
    """A part that never ends when it is told to."""

    async def start(self):
        """Do nothing."""

    async def stop(self):
        """Wait for ever."""
        await asyncio.Event().wait()


def configure(service):
    """Mount the endpoints; with RESTARTS_STUBBORN add a part that hangs at the stop."""
    service.blueprint(restarts)

    @service.websocket("/talk")
    async def talk(request, ws):
        async for message in ws:
            await ws.send(message)

    if os.environ.get("RESTARTS_STUBBORN"):
        service.add_part(Stubborn())
