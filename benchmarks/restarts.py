"""What callers lose while a service is restarted: `python -m benchmarks.restarts`.

Each set-up restarts a service under load, `--restarts` times: behind HAProxy, nginx and Envoy, with
the files of `deploy/`, one of two instances after the other; two workers, renewed by SIGHUP; and
one process whose listening socket stays open, as with systemd. Callers keep their connections and
retry nothing (restart_load.py); handlers take up to 3 s; answers are streamed; websockets talk.
SIGTERM and SIGINT take turns.

Prints a Markdown table. `failed` counts requests whose connection was refused, reset or closed
before the whole answer, whose answer was a 5xx, had a wrong body or took more than 120 s, and
websockets that were not closed with 1001. `cut` counts the requests that a second signal broke off,
as it should.
"""

import argparse
import asyncio
import contextlib
import random
import signal
import statistics
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.restart_load import Load, Tally
from benchmarks.restart_setups import SETUPS, Setup, Unavailable

_REST = (0.5, 1.5)  # seconds between two restarts


@dataclass
class Row:
    """The result of one set-up."""

    name: str
    restarts: int
    tally: Tally
    stops: list[float]
    cut: int = 0
    notes: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        """Return the row of the table."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds().items()))
        notes = ", ".join(f"{count} {note}" for note, count in sorted(self.notes.items()))
        cells = [
            self.name,
            str(self.restarts),
            f"{self.tally.requests.total():,}",
            str(self.failed),
            kinds or "-",
            str(self.cut),
            f"{statistics.median(self.stops):.2f} / {max(self.stops):.2f} s",
            notes or "-",
        ]
        return f"| {' | '.join(cells)} |"

    def kinds(self) -> Counter[str]:
        """Return how many failed, by kind."""
        return self.tally.kinds()

    @property
    def failed(self) -> int:
        """The number of requests that failed, without those cut off on purpose."""
        return len(self.tally.failures)


HEAD = (
    "| set-up | restarts | requests | failed | how | cut | stop, p50 / max | besides |\n"
    "|---|---:|---:|---:|---|---:|---:|---|"
)


async def measure(setup: Setup, restarts: int, scale: float = 1.0) -> Row:
    """Restart *setup* under load so many times, and return what was lost."""
    async with setup:
        load = Load(setup.port, scale)
        load.start()
        stops: list[float] = []
        try:
            for number in range(restarts):
                await asyncio.sleep(random.uniform(*_REST))
                stops.append(await setup.restart(number, load.tally))
            await asyncio.sleep(_REST[1])
        finally:
            tally = await load.stop()
    cut = [failure for failure in tally.failures if setup.is_cut(failure)]
    tally.failures = [failure for failure in tally.failures if failure not in cut]
    return Row(setup.name, restarts, tally, stops, len(cut), setup.notes)


def explain(row: Row, setup: Setup) -> None:
    """Write the first failures to standard error, each with its time since the last signal."""
    for failure in row.tally.failures[:20]:
        before = [time for time in setup.signals if time <= failure.failed]
        since = f"{failure.failed - before[-1]:.3f} s after a signal" if before else "unprovoked"
        took = failure.failed - failure.began
        print(f"  {failure.caller}: {failure.kind}, {since}, after {took:.3f} s", file=sys.stderr)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--restarts", type=int, default=100)
    parser.add_argument("--setups", default=",".join(SETUPS), help=f"of {', '.join(SETUPS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="more or fewer callers")
    parser.add_argument(
        "--unready",
        action="store_true",
        help="measure a service that has no /readyz: proxies look whether it listens",
    )
    options = parser.parse_args()
    # NOTE: `nohup` would hand its disregard of SIGHUP down to what is renewed by it.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    print(HEAD, flush=True)
    failed = 0
    for name in options.setups.split(","):
        with tempfile.TemporaryDirectory(prefix="restarts-") as folder:
            setup = SETUPS[name](Path(folder), has_ready=not options.unready)
            try:
                row = asyncio.run(measure(setup, options.restarts, options.scale))
            except Unavailable as exc:
                print(f"| {setup.name} | - | - | - | not measured: {exc} | - | - | - |", flush=True)
                continue
        print(row.line(), flush=True)
        explain(row, setup)
        failed += row.failed
    sys.exit(bool(failed))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
