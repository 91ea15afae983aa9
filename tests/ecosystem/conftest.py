"""Programs that tools of others look into, in processes of their own: they rewrite classes."""

import json
import subprocess
import sys

import pytest

from tests.console import ROOT, environment

# A service that asks its database and another service, which is itself.
SERVICE = '''
import asyncio, json, logging, os, sys

logging.getLogger().addHandler(logging.NullHandler())
from sanic import Sanic
from msframework.app import Service
from msframework.client import Client
from msframework.conf.settings import DatabaseSettings, ServerSettings, Settings
from msframework.testing.server import serving

FAST = os.environ["FAST"] == "1"


def make_service(**changes):
    settings = Settings(
        service_name="looked_at",
        database=DatabaseSettings(url=os.environ.get("DATABASE_URL"), **changes),
        server=ServerSettings(fast_path=FAST),
    )
    service = Service(settings)

    @service.get("/rows/<number:int>")
    async def rows(request, number: int):
        async with request.app.db.acquire(request) as cur:
            for _ in range(2):
                row = await cur.fetchrow("SELECT $1::int AS once", number)
        async with request.app.db.transaction(request) as cur:
            await cur.fetch("SELECT $1::int AS within", number)
        return row

    @service.get("/ping")
    async def ping(request):
        return {"pong": True}

    return service


async def ask(url, *paths):
    """Return what each of *paths* answers, through a client of ours."""
    client = Client(url=url, name="itself", fast=FAST)
    try:
        found = []
        for path in paths:
            found.append(await client.call("GET", path))
            async with client.get(path) as answer:
                await answer.read()
        return found
    finally:
        await client.close()
'''


@pytest.fixture
def looked_into(tmp_path):
    """Run a program after `SERVICE`, and return the JSON that it prints last."""

    def run(program, *, fast, **env):
        script = tmp_path / "program.py"
        script.write_text(SERVICE + program)
        done = subprocess.run(
            [sys.executable, str(script)],
            # NOTE: without coverage, which would rather look at the tools.
            env=environment(watched=False, PYTHONPATH=str(ROOT), FAST="1" if fast else "0", **env),
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def fast(request):
    """Whether our own ways may be taken."""
    return request.param
