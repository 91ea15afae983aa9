"""The other services, spans as they are logged, and processes, for the tests of the origin."""

import asyncio
import json
import logging
import os
import queue
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sanic.response import json as plain_json

from msframework.app import Service
from msframework.testing.server import BackgroundServer
from tests.conftest import with_settings
from tests.origin.patches import patched

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 10  # seconds


class Upstream:
    """The services for cities and roles in one process, with bare bodies as the document has them.

    Attributes:
        ports: of the callers' connections, one for each request.
        requests: the headers of each request, by path.
        together: where requests wait for each other, if set.
        spans: what was posted to it as to a Zipkin server.
    """

    def __init__(self):
        settings = replace(with_settings(tracing={"enabled": False}), envelope=None)
        self.app = Service(replace(settings, service_name="upstream"))
        self.server = BackgroundServer(self.app)
        self.app.add_route(self.get_city, "/cities/<id:int>")
        self.app.add_route(self.get_role, "/roles/<id:int>")
        self.app.add_route(self.take_spans, "/api/v2/spans", methods=["POST"])
        self.posted = queue.Queue()
        self.forget()

    @property
    def url(self):
        return self.server.url

    def forget(self):
        """Forget what was asked."""
        self.ports, self.requests, self.together = [], {}, None

    async def note(self, request):
        self.ports.append(request.conn_info.client_port)
        self.requests[request.path] = dict(request.headers)
        if self.together is not None:
            await self.together.wait()

    async def get_city(self, request, id):
        await self.note(request)
        return {"id": id, "name": "shanghai", "province": {"id": 2, "name": "huadong"}}

    async def get_role(self, request, id):
        await self.note(request)
        return {"id": id, "name": "editor"}

    async def take_spans(self, request):
        self.posted.put(json.loads(request.body))
        return plain_json(None, 202)


class Lines(logging.Handler):
    """Collects what one logger writes, whatever thread it comes from."""

    def __init__(self, formatter=None):
        super().__init__(logging.INFO)
        self._queue = queue.Queue()
        self.seen = []
        self.setFormatter(formatter)

    def emit(self, record):
        self._queue.put(self.format(record))

    def wait(self, wanted):
        """Return the objects for which `wanted(objects)` says yes, as soon as it does."""
        deadline = time.monotonic() + PATIENCE
        while not wanted(self.seen):
            try:
                left = max(0, deadline - time.monotonic())
                self.seen.append(json.loads(self._queue.get(timeout=left)))
            except queue.Empty:
                raise AssertionError(f"not among the lines: {self.seen}") from None
        return self.seen

    def of_trace(self, trace_id, *names):
        """Return the spans of *trace_id* by name, once *names* are among them."""

        def found(objects):
            spans = {each["name"] for each in objects if each.get("traceId") == trace_id}
            return spans.issuperset(names)

        return {each["name"]: each for each in self.wait(found) if each.get("traceId") == trace_id}


@contextmanager
def reading(name, formatter=None):
    """Collect the lines of the logger *name*."""
    logger = logging.getLogger(name)
    handler, level = Lines(formatter), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextmanager
def listeners_with_loop():
    """Let listeners take the loop too, as the document's do: Sanic 25.12 gives it, and warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*Passing the loop argument", DeprecationWarning)
        yield


def run_block(name, **namespace):
    """Run the code block *name* as it is printed, patched, with *namespace* around it."""
    exec(compile(patched(name), f"<{name}>", "exec"), namespace)
    return namespace


def environment(root, **values):
    """Return the environment of a process of the project at *root*."""
    # NOTE: without coverage's own variables, as these processes run a coverage of theirs.
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return {
        **kept,
        "PATH": path,
        "PYTHONPATH": f"{root}:{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SANIC_CONFIG_MODULE": "mysite.configs",
        **values,
    }


def run(root, *command, cwd=None, **values):
    """Run *command* in the project at *root*, and return what became of it."""
    return subprocess.run(
        command,
        cwd=cwd or root,
        env=environment(root, **values),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=250,
    )


async def settle(condition):
    """Wait until *condition* holds, for what tells nobody when it does."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
