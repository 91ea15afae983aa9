"""What a service answers while its PostgreSQL is killed, stopped, frozen, crowded and altered.

A service in a process of its own, ledger.py, is read and written all the time; each fault strikes
an embedded server of its own. Every write carries a token, so that the table tells afterwards what
was lost, applied twice, or applied in half. Prints a table; run it with

    python -m benchmarks.faults [FAULT …]

The faults are those of harm.py.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from benchmarks.harm import ACQUIRE, COMMAND, FAULTS, Bench

COUNTERS, CLIENTS = 50, 24
PAUSE = 0.04  # seconds between two requests of one client
# A transaction of three statements can meet each of its limits once: it waits for a connection,
# for BEGIN, for a statement, and rolls back.
LONGEST = ACQUIRE + 3 * COMMAND + 1.0
BEFORE, AFTER = 0.7, 2.5  # seconds of load before the fault, and after the server's return


@dataclass
class Outcome:
    """What the load saw of one fault.

    Attributes:
        statuses: how often each status came; -1 stands for no answer at all.
        bare: 503s without Retry-After.
        acknowledged, refused: tokens of writes that were answered 201, and of all others.
        last_failure: when the last answer other than 200 and 201 came, on the monotonic clock.
        slowest: seconds that the slowest answer took.
        lost, doubled, halved: writes as the table has them.
        recovery: seconds from the server's return to the last failure.
    """

    fault: str
    statuses: dict[int, int] = field(default_factory=dict)
    bare: int = 0
    acknowledged: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    last_failure: float = 0.0
    last_success: float = 0.0
    slowest: float = 0.0
    lost: int = 0
    doubled: int = 0
    halved: int = 0
    recovery: float = 0.0

    @property
    def sent(self) -> int:
        """How many requests were sent."""
        return sum(self.statuses.values())

    @property
    def ok(self) -> int:
        """How many were answered 200 or 201."""
        return self.statuses.get(200, 0) + self.statuses.get(201, 0)

    @property
    def unavailable(self) -> int:
        """How many were answered 503."""
        return self.statuses.get(503, 0)

    @property
    def other(self) -> int:
        """How many were answered otherwise, or not at all."""
        return self.sent - self.ok - self.unavailable

    def mistakes(self, patience: float = 1.0) -> list[str]:
        """Return what of the requirements does not hold.

        Args:
            patience: what the limits of time are multiplied by.
        """
        wrong = {
            f"{self.other} of {self.statuses} are neither 200, 201 nor 503": self.other,
            f"{self.bare} of 503 are without Retry-After": self.bare,
            f"{self.lost} writes were acknowledged and are lost": self.lost,
            f"{self.doubled} writes were applied twice": self.doubled,
            f"{self.halved} counters differ from their entries": self.halved,
            f"service came back after {self.recovery:.2f} s": self.recovery > 2.0 * patience,
            f"an answer took {self.slowest:.2f} s": self.slowest > LONGEST * patience,
            "no request succeeded after the last failure": self.last_success < self.last_failure,
        }
        return [text for text, holds in wrong.items() if holds]


class Load:
    """Clients that read and write until they are stopped; none sends a write again."""

    def __init__(self, session: aiohttp.ClientSession, url: str, outcome: Outcome) -> None:
        self.session, self.url, self.outcome = session, url, outcome
        self.stopped = False

    async def run(self) -> None:
        """Send requests until `stopped`."""
        await asyncio.gather(*(self._client(number) for number in range(CLIENTS)))

    async def _client(self, number: int) -> None:
        count = 0
        while not self.stopped:
            count += 1
            if (number + count) % 2:
                await self._send("GET", None)
            else:
                await self._send("POST", f"{self.outcome.fault}-{number}-{count}")
            await asyncio.sleep(PAUSE * (0.5 + random.random()))

    async def _send(self, method: str, token: str | None) -> None:
        out, began = self.outcome, time.monotonic()
        url = f"{self.url}/counters/{random.randint(1, COUNTERS)}"
        body = {"json": {"token": token}} if token else {}
        status, headers = -1, {}
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self.session.request(method, url, **body) as response:
                await response.read()
                status, headers = response.status, response.headers
        now = time.monotonic()
        out.statuses[status] = out.statuses.get(status, 0) + 1
        out.slowest = max(out.slowest, now - began)
        if status in {200, 201}:
            out.last_success = now
        else:
            out.last_failure = now
        if status == 503 and "Retry-After" not in headers:
            out.bare += 1
        if token:
            (out.acknowledged if status == 201 else out.refused).add(token)


@asynccontextmanager
async def running() -> AsyncIterator[Callable[[str], Awaitable[Outcome]]]:
    """Yield a coroutine function that strikes with one fault and returns its outcome."""
    with tempfile.TemporaryDirectory(prefix="msframework-faults-") as name:
        bench = Bench(Path(name))
        await asyncio.to_thread(bench.open)
        timeout = aiohttp.ClientTimeout(total=60)
        connector = aiohttp.TCPConnector(limit=0)
        try:
            async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
                await bench.wait_ready(session)

                async def strike(fault: str) -> Outcome:
                    outcome = await _strike(bench, session, fault)
                    if bench.process.poll() is not None:
                        raise RuntimeError(f"the service ended:\n{bench.log.read_text()}")
                    return outcome

                yield strike
        finally:
            await asyncio.to_thread(bench.close)


async def _strike(bench: Bench, session: aiohttp.ClientSession, fault: str) -> Outcome:
    outcome = Outcome(fault)
    load = Load(session, bench.base, outcome)
    clients = asyncio.create_task(load.run())
    try:
        await asyncio.sleep(BEFORE)
        await asyncio.to_thread(FAULTS[fault], bench)
        back = time.monotonic()
        await asyncio.sleep(AFTER)
        while outcome.last_success < outcome.last_failure:
            if time.monotonic() > back + 60:
                break
            await asyncio.sleep(0.05)
    finally:
        load.stopped = True
        await clients
    outcome.recovery = max(0.0, outcome.last_failure - back)
    await asyncio.to_thread(_compare, bench, outcome)
    return outcome


def _compare(bench: Bench, outcome: Outcome) -> None:
    """Hold what was acknowledged against what the table has."""
    rows = bench.query("SELECT token, count(*) FROM entries GROUP BY token")
    counts = {token: count for token, count in rows if token.startswith(f"{outcome.fault}-")}
    outcome.lost = len(outcome.acknowledged - counts.keys())
    outcome.doubled = sum(count > 1 for count in counts.values())
    [[outcome.halved]] = bench.query(
        "SELECT count(*) FROM counters c WHERE total <> "
        "(SELECT count(*) FROM entries WHERE counter_id = c.id)"
    )


HEAD = ("fault", "sent", "ok", "503", "other", "lost", "doubled", "recovery s", "slowest s")


def format_table(outcomes: Sequence[Outcome]) -> str:
    """Return one line for each fault."""
    rows = [
        (
            o.fault,
            *map(str, (o.sent, o.ok, o.unavailable, o.other, o.lost, o.doubled)),
            f"{o.recovery:.2f}",
            f"{o.slowest:.2f}",
        )
        for o in outcomes
    ]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    lines = []
    for row in (HEAD, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells))
    return "\n".join(lines)


async def main(faults: Sequence[str]) -> int:
    """Strike with each fault, print the table, and return the exit code."""
    outcomes = []
    async with running() as strike:
        for fault in faults:
            print(f"{fault} …", file=sys.stderr, flush=True)
            outcomes.append(await strike(fault))
    print(format_table(outcomes))
    wrong = [f"{o.fault}: {text}" for o in outcomes for text in o.mistakes()]
    print("\n".join(wrong) or "Nothing failed that should not.")
    return 1 if wrong else 0


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - FAULTS.keys()
    if unknown:
        sys.exit(f"no such fault: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    sys.exit(asyncio.run(main(sys.argv[1:] or list(FAULTS))))
