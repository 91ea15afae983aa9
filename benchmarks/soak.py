"""A service at moderate load for an hour: does anything that it holds grow?

    python -m benchmarks.soak                 # an hour
    python -m benchmarks.soak --minutes 10

Twelve clients read and write rows, have the service call others, leave streams before their end,
use websockets, send invalid requests, hang up in heads, bodies and answers, and do not read; every
20 s all sessions of PostgreSQL are terminated. Each minute prints a row of memory, descriptors,
tasks and sessions; the last lines have their growth in an hour, a linear fit without the first
fifth.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import linear_regression
from typing import Any

import aiohttp
import psycopg

from benchmarks.children import start_child
from benchmarks.ledger import SCHEMA
from benchmarks.machine import describe
from msframework.db.embedded import EmbeddedServer

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = 12
PAUSE = 0.08  # seconds between two actions of a client, on average
OTHERS = "backend_type = 'client backend' AND application_name <> 'soak'"
# Growth in an hour up to which something is taken for flat: noise of a run of an hour.
FLAT = {"rss": 5.0, "sessions": 3.0, "threads": 1.0}
# What goes with the requests in flight, so with how busy the machine is: it is compared at rest,
# before the clients came and when they have gone, and may differ by so much.
AT_REST = {"descriptors": 12, "tasks": 1}  # the pool's connections, which stay, are descriptors
REST = 15.0  # seconds after the last client


@dataclass
class Sample:
    """The resources of the process at one moment."""

    minutes: float
    rss: float  # MB
    descriptors: int
    tasks: int
    sessions: int
    threads: int
    objects: int
    answers: int


class Soak:
    """One run: PostgreSQL, the service, its clients, and what was seen."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._embedded = folder, EmbeddedServer(folder)
        self._url = self._embedded.start()
        with self._connect() as conn:
            conn.execute(SCHEMA)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._base = f"http://127.0.0.1:{self._port}"
        self.log = folder / "log"
        env = {"DATABASE_URL": self._url, "SOAK_URL": self._base}
        command = f"-m msframework runserver --settings benchmarks.soak_service --port {self._port}"
        with self.log.open("wb") as log:
            self._process = start_child(
                [sys.executable, *command.split()],
                cwd=ROOT,
                env={**os.environ, **env},
                stdout=log,
                stderr=log,
            )
        self.outcomes: Counter[str] = Counter()
        self.samples: list[Sample] = []
        self.rest: Sample | None = None  # when all clients have gone

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._url, autocommit=True, application_name="soak")

    def close(self) -> None:
        """End all of it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._embedded.reset()

    async def run(self, seconds: float) -> None:
        """Let the clients work for *seconds*, and look."""
        async with aiohttp.ClientSession(self._base) as session:
            await self._wait_ready(session)
            began = time.monotonic()
            tasks = [asyncio.create_task(self._work(session, seed)) for seed in range(CLIENTS)]
            tasks.append(asyncio.create_task(self._end_sessions()))
            interval = min(60.0, seconds / 60)
            next_row = 0.0
            while (now := time.monotonic() - began) < seconds:
                sample = await self._look(session, now)
                self.samples.append(sample)
                if now >= next_row:
                    next_row += 60.0
                    print_row(sample)
                await asyncio.sleep(interval)
            self.samples.append(await self._look(session, time.monotonic() - began))
            print_row(self.samples[-1])
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(REST)
        async with aiohttp.ClientSession(self._base) as session:
            self.rest = await self._look(session, time.monotonic() - began)
        print_row(self.rest)

    async def _wait_ready(self, session: aiohttp.ClientSession) -> None:
        for _ in range(300):
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get("/counters/1") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
        raise RuntimeError(f"the service is not ready:\n{self.log.read_text()}")

    async def _end_sessions(self) -> None:
        """End all sessions of the service, again and again."""
        sql = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OTHERS}"
        while True:
            await asyncio.sleep(20)
            await asyncio.to_thread(self._ask, sql)

    def _ask(self, sql: str) -> int:
        with self._connect() as conn:
            row = conn.execute(sql).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return int(row[0])

    async def _look(self, session: aiohttp.ClientSession, seconds: float) -> Sample:
        process = Path(f"/proc/{self._process.pid}")
        async with session.get("/inside") as answer:
            inside = (await answer.json())["data"]
        sql = f"SELECT count(*) FROM pg_stat_activity WHERE {OTHERS}"
        rss = int((process / "status").read_text().partition("VmRSS:")[2].split()[0]) / 1000
        return Sample(
            minutes=seconds / 60,
            rss=rss,
            descriptors=len(os.listdir(process / "fd")),
            tasks=inside["tasks"],
            sessions=await asyncio.to_thread(self._ask, sql),
            threads=inside["threads"],
            objects=inside["objects"],
            answers=sum(self.outcomes.values()),
        )

    # The clients.

    async def _work(self, session: aiohttp.ClientSession, seed: int) -> None:
        chance = random.Random(seed)
        actions: list[Callable[[aiohttp.ClientSession, random.Random], Awaitable[str]]] = [
            *([self._get] * 8),
            *([self._post] * 3),
            self._talk,
            self._leave_stream,
            self._hang_up,
        ]
        while True:
            action = chance.choice(actions)
            try:
                async with asyncio.timeout(15):
                    outcome = await action(session, chance)
            except (aiohttp.ClientError, OSError, TimeoutError) as exc:
                outcome = type(exc).__name__
            self.outcomes[outcome] += 1
            await asyncio.sleep(chance.expovariate(1 / PAUSE))

    async def _get(self, session: aiohttp.ClientSession, chance: random.Random) -> str:
        id = chance.randint(1, 50)
        usual = [f"/counters/{id}"] * 6 + [f"/call/{id}"] * 3
        rare = ["/counters/0", "/hasty", "/slow", "/fails", "/missing", "/stream", "/nowhere"]
        async with session.get(chance.choice(usual + rare)) as answer:
            await answer.read()
            return str(answer.status)

    async def _post(self, session: aiohttp.ClientSession, chance: random.Random) -> str:
        bodies = [{"token": str(chance.random())}, {"wrong": 1}, {"token": "x" * 200_000}]
        body = chance.choices(bodies, (8, 1, 1))[0]
        async with session.post(f"/counters/{chance.randint(1, 50)}", json=body) as answer:
            await answer.read()
            return str(answer.status)

    async def _talk(self, session: aiohttp.ClientSession, chance: random.Random) -> str:
        websocket = await session.ws_connect("/talk")
        for _ in range(3):
            await websocket.send_str("a word")
            await websocket.receive_str()
        if chance.random() < 0.5:
            await websocket.close()
        elif websocket._response.connection is not None:
            websocket._response.connection.transport.abort()
        return "websocket"

    async def _leave_stream(self, session: aiohttp.ClientSession, chance: random.Random) -> str:
        async with session.get("/stream") as answer:
            await answer.content.readany()
            answer.close()
        return "left"

    async def _hang_up(self, session: aiohttp.ClientSession, chance: random.Random) -> str:
        """Leave in the middle of something, or stay and read nothing."""
        post = b"POST /counters/1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        data = chance.choice(
            [
                b"",
                b"GET /counters/1 HT",
                post + b"Content-Length: 1000\r\n\r\n{",
                post + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
                b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET \0 HTTP/1.1\r\n\r\n",
            ]
        )
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(data)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(chance.choice([0.0, 0.05, 0.1, 4.0]))
        writer.transport.abort()
        return "hung up"


def print_row(sample: Sample) -> None:
    """Print a row of the table."""
    numbers = (
        f"{value:,.1f}" if isinstance(value, float) else str(value) for value in astuple(sample)
    )
    print("|", " | ".join(numbers), "|", flush=True)


def judge(samples: list[Sample], rest: Sample) -> list[str]:
    """Return a line for each thing that is held: start, end, and growth in an hour."""
    settled = samples[len(samples) // 5 :]
    hours = [sample.minutes / 60 for sample in settled]
    lines = []
    for name, most in FLAT.items():
        values = [float(getattr(sample, name)) for sample in settled]
        slope = linear_regression(hours, values).slope
        grows = slope > most
        if samples[-1].minutes < 30:
            said = "too short for a verdict" if grows else "flat"
        else:
            said = "**grows**" if grows else "flat"
        first, last = getattr(samples[0], name), getattr(samples[-1], name)
        lines.append(f"| {name} | {first:g} | {last:g} | {slope:+.1f} | {said} |")
    for name, most in AT_REST.items():
        first, last = getattr(samples[0], name), getattr(rest, name)
        said = "**left behind**" if last - first > most else "flat"
        lines.append(f"| {name}, at rest | {first:g} | {last:g} | | {said} |")
    return lines


def main() -> None:
    """Run, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args()
    print("|", " | ".join(item.name for item in fields(Sample)), "|")
    print("|" + "---:|" * len(fields(Sample)))
    with tempfile.TemporaryDirectory() as name:
        soak = Soak(Path(name))
        try:
            asyncio.run(soak.run(options.minutes * 60))
        finally:
            soak.close()
    print("\n| held | start | end | growth in an hour | verdict |\n|---|---:|---:|---:|---|")
    assert soak.rest is not None
    print("\n".join(judge(soak.samples, soak.rest)))
    facts = describe()
    print(f"\nOutcomes: {json.dumps(dict(soak.outcomes.most_common()))}")
    print(
        f"{facts['cores']} cores of {facts['cpu']}, Python {facts['python']}, {facts['started']}."
    )


if __name__ == "__main__":
    main()
