"""The measured service in two variants, which take the same requests in turns, round by round.

Gives CPU time and rate of both, their difference and ratio, median over the rounds: what a feature
costs a request.
"""

import argparse
import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, Bench
from benchmarks.load import WORKLOADS, add_options, measure_quietly, note
from benchmarks.processes import expect
from benchmarks.targets import OURS, TARGETS

NAMES = ("json", "read_one")
PATHS = {"json": "/json", "read_one": "/users/4242"}
Table = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Comparison:
    """One feature, and the service without and with it.

    Args:
        name: the name of the benchmark.
        without: the name of the service as it is.
        with_it: the name of the service with the feature, whose settings are *settings*.
    """

    name: str
    without: str
    with_it: str
    settings: str

    def start(self, bench: Bench) -> dict[str, Any]:
        """Return the servers of both variants, which are ready, by their names."""
        own = replace(TARGETS[OURS], full=False)
        command = own.command.replace("benchmarks.settings", self.settings)
        servers = {
            self.without: bench.start(replace(own, name=self.without)),
            self.with_it: bench.start(replace(own, name=self.with_it, command=command)),
        }
        for server in servers.values():
            server.wait_ready()
        return servers

    def measure(
        self,
        bench: Bench,
        servers: Mapping[str, Any],
        options: argparse.Namespace,
        *,
        headers: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
    ) -> list[dict[str, Any]]:
        """Return what each round found for each workload and variant.

        Args:
            headers: those of the one request that tells how large an answer is.
            arguments: more arguments for the scripts of the load.
        """
        sizes = {}
        for name, path in PATHS.items():
            status, _, body = servers[self.with_it].request("GET", path, headers=headers or {})
            expect(status == 200, f"{path} answers {status}")
            sizes[name] = len(body)
        runs, discarded = [], []
        for number in range(options.rounds):
            for name in NAMES:
                script, own, fails = WORKLOADS[name]
                workload = script, [*own, *arguments], fails
                for variant in sorted(servers, reverse=number % 2 == 0):
                    found = measure_quietly(
                        servers[variant], workload, options, sizes[name], bench.helpers, discarded
                    )
                    runs.append({**found, "variant": variant, "workload": name, "round": number})
                    note(
                        f"round {number + 1} {name:9} {variant:10} {found['rps']:8,.0f} req/s  "
                        f"cpu {found['cpu_us_per_request']:6.1f} us  errors {found['errors']}"
                    )
        return runs

    def summarize(self, runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
        """Return, by workload, the medians over the rounds."""
        table = {}
        for name in NAMES:
            cpu, rate = (
                {
                    (run["variant"], run["round"]): run[key]
                    for run in runs
                    if run["workload"] == name
                }
                for key in ("cpu_us_per_request", "rps")
            )
            rounds = sorted({number for _, number in cpu})
            more = [cpu[self.with_it, each] - cpu[self.without, each] for each in rounds]
            ratios = [rate[self.with_it, each] / rate[self.without, each] for each in rounds]
            table[name] = {
                f"{self.without}_us": statistics.median(cpu[self.without, each] for each in rounds),
                f"{self.with_it}_us": statistics.median(cpu[self.with_it, each] for each in rounds),
                "more_us": statistics.median(more),
                "least_more_us": min(more),
                "most_more_us": max(more),
                "rate": statistics.median(ratios),
            }
        return table

    def render(self, table: Table) -> str:
        """Return *table* as text."""
        lines = [
            f"{'CPU us/req':10}{self.without:>10}{self.with_it:>9}"
            f"{'more':>7}{'spread':>16}{'rate x':>8}"
        ]
        for name, row in table.items():
            spread = f"{row['least_more_us']:.1f} to {row['most_more_us']:.1f}"
            lines.append(
                f"{name:10}{row[f'{self.without}_us']:10.1f}{row[f'{self.with_it}_us']:9.1f}"
                f"{row['more_us']:7.1f}{spread:>16}{row['rate']:8.3f}"
            )
        return "\n".join(lines)

    def parse(self, description: str | None) -> argparse.Namespace:
        """Read the command line."""
        parser = argparse.ArgumentParser(prog=f"benchmarks.{self.name}", description=description)
        parser.add_argument("--out", help=f"result file (default: results/{self.name}-<time>.json)")
        parser.add_argument("--calls", action="store_true", help="calls alone, without a server")
        parser.add_argument("--require", type=float, help="fail where a request costs so much more")
        add_options(parser, duration=8, rounds=5)
        return parser.parse_args()

    def report(
        self, options: argparse.Namespace, about: Mapping[str, Any], runs: list[dict[str, Any]]
    ) -> int:
        """Print and keep what *runs* found; return the exit code."""
        moment = time.strftime("%Y%m%d-%H%M%S")
        path = Path(options.out or RESULTS / f"{self.name}-{moment}.json")
        table = self.summarize(runs)
        path.parent.mkdir(parents=True, exist_ok=True)
        result = {"about": about, "summary": table, "runs": runs}
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(self.render(table))
        note(f"results in {path}")
        if errors := sum(run["errors"] for run in runs):
            note(f"SHORT  {errors} errors under load")
        most = max(row["more_us"] for row in table.values())
        return int(bool(errors) or (options.require is not None and most > options.require))
