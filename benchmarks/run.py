"""The side-by-side benchmark: `python -m benchmarks.run`. See README.md for how it measures."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.checks import Checks, check_signed
from benchmarks.harness import RESULTS, Bench
from benchmarks.load import WORKLOADS, add_options, measure_quietly, note
from benchmarks.machine import describe
from benchmarks.processes import CheckFailed, Lines, Server
from benchmarks.proof import Proof, settle
from benchmarks.report import render, short_of_goals
from benchmarks.statements import CALLS, NEEDED
from benchmarks.targets import DEFAULT, ROOT, TARGETS, Target, read_target

FORMS = {"text": "txt", "markdown": "md", "json": "summary.json"}


class Run:
    """One run of the benchmark: checks, proof, rounds; what it finds is in `result`."""

    def __init__(self, bench: Bench, targets: list[Target], options: argparse.Namespace) -> None:
        self.bench, self.targets, self.options = bench, targets, options
        self.servers: dict[str, Server] = {}
        chosen = ("duration", "warmup", "rounds", "connections", "server_core", "load_core")
        about = describe(bench.database.version())
        about["options"] = {name: getattr(options, name) for name in chosen}
        about["commands"] = {target.name: target.command for target in targets}
        self.result: dict[str, Any] = {
            "about": about,
            "workloads": options.workloads,
            "checks": {},
            "proof": {},
            "runs": [],
            "discarded": [],
            "failures": [],
        }

    def fail(self, text: str) -> None:
        """Note that the run has failed."""
        note(f"FAILED  {text}")
        self.result["failures"].append(text)

    def check(self) -> None:
        """Start all servers and check their answers; one that fails is not measured."""
        for target in self.targets:
            self.servers[target.name] = self.bench.start(target)
        checks = Checks(self.bench.database)
        try:
            for server in list(self.servers.values()):
                self._guard(server, lambda server=server: self._check_one(checks, server))
        finally:
            checks.close()

    def _check_one(self, checks: Checks, server: Server) -> None:
        server.wait_ready()
        self.result["checks"][server.name] = {
            workload: getattr(checks, workload)(server) for workload in self.options.workloads
        }
        if server.full:
            check_signed(server)
        note(f"checked {server.name:18} {server.memory()['rss']:.0f} MiB")

    def prove(self) -> None:
        """Show that each server does for each request what that request needs."""
        bench = self.bench
        with Proof(bench.database, bench.upstream, bench.collector) as proof:
            for server in list(self.servers.values()):
                self._guard(server, lambda server=server: self._prove_one(proof, server))

    def _prove_one(self, proof: Proof, server: Server) -> None:
        self.result["proof"][server.name] = {
            workload: proof.show(server, workload) for workload in self.options.workloads
        }
        note(f"proved  {server.name}")

    def _guard(self, server: Server, step: Any) -> None:
        try:
            step()
        except CheckFailed as error:
            self.fail(f"{server.name}: {error}")
            del self.servers[server.name]
            self.bench.stop(server)
        finally:
            self.bench.database.reset()

    def measure(self) -> None:
        """Measure, round by round; within a round and a workload the servers take turns."""
        # NOTE: before that, count(*) was seen to take PostgreSQL twice as long in the first round.
        self.bench.database.reset()
        for number in range(self.options.rounds):
            for workload in self.options.workloads:
                for server in self.servers.values():
                    found = self._measure_one(server, workload)
                    found |= {"peer": server.name, "workload": workload, "round": number}
                    self.result["runs"].append(found)
                    note(_line(found))

    def _measure_one(self, server: Server, workload: str) -> dict[str, Any]:
        bench, lines = self.bench, Lines(server.access)
        if server.full:
            lines.take()
        calls, transactions = self._calls(), bench.database.transactions()
        traced = bench.collector.get_json("/counts")["requests"]
        expected = self.result["checks"][server.name][workload]["bytes"]
        found = measure_quietly(
            server, WORKLOADS[workload], self.options, expected, bench.helpers, self._discarded
        )
        answered = found["requests_with_warmup"]
        if found["errors"]:
            self.fail(f"{server.name} {workload}: {found['errors']} errors under load")
        found["transactions_per_request"] = round(
            (bench.database.transactions() - transactions) / max(answered, 1), 3
        )
        found["upstream_calls_per_request"] = round((self._calls() - calls) / max(answered, 1), 3)
        self._check_work(server, workload, found)
        if server.full:
            self._check_traces(server, workload, found, lines, traced)
        if workload == "create":
            bench.database.reset()
        return found

    @property
    def _discarded(self) -> list[dict]:
        return self.result["discarded"]

    def _calls(self) -> int:
        return sum(self.bench.upstream.get_json("/calls")["data"].values())

    def _check_work(self, server: Server, workload: str, found: dict[str, Any]) -> None:
        """Fail the run if the database or the upstream saw less than the answers need."""
        answered = found["requests_with_warmup"]
        if found["upstream_calls_per_request"] < CALLS.get(workload, 0):
            self.fail(f"{server.name} {workload}: {found['upstream_calls_per_request']} calls each")
        # NOTE: PostgreSQL's counters are up to a second late, hence the margin.
        least = 1 - 1.2 / (self.options.duration + self.options.warmup)
        if NEEDED[workload] and found["transactions_per_request"] < least:
            self.fail(
                f"{server.name} {workload}: {found['transactions_per_request']} transactions each"
            )
        if workload == "create" and self.bench.database.added() < answered:
            self.fail(f"{server.name} create: fewer rows than answers")

    def _check_traces(
        self, server: Server, workload: str, found: dict[str, Any], lines: Lines, traced: int
    ) -> None:
        """Fail the run if access lines are missing, or traces are not those of one in ten."""
        answered = found["requests_with_warmup"]
        written = lines.take().count(b"\n")
        counted = settle(lambda: self.bench.collector.get_json("/counts")["requests"], 1.5)
        found["access_lines_per_request"] = round(written / answered, 4)
        found["traced_pct"] = round(100 * (counted - traced) / answered, 2)
        if written < answered:
            self.fail(f"{server.name} {workload}: {written} access lines of {answered} requests")
        # Requests that wrk left behind, at the end of warm-up and run, were answered to nobody.
        most = answered + 2 * self.options.connections * (self.options.retries + 1)
        if not 0.09 * answered <= counted - traced <= 0.11 * most:
            self.fail(f"{server.name} {workload}: {found['traced_pct']} % traced, not 10")


def _line(found: dict[str, Any]) -> str:
    more = f" traced {found['traced_pct']} %" if "traced_pct" in found else ""
    return (
        f"round {found['round'] + 1} {found['workload']:9} {found['peer']:18} "
        f"{found['rps']:9,.0f} req/s  p99 {found['p99_ms']:7.2f} ms  "
        f"cpu {found['cpu_us_per_request']:6.0f} us  cores {found['core_busy_pct']} "
        f"foreign {found['foreign_cpu_pct']}  errors {found['errors']}{more}"
    )


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.run", description=__doc__)
    add = parser.add_argument
    add("--peers", default=",".join(DEFAULT), help=f"of {', '.join(TARGETS)} (empty: none)")
    add("--target", action="append", default=[], metavar="NAME=COMMAND", help="a further server")
    add("--target-cwd", default=str(ROOT), help="where --target is started")
    add("--workloads", default=",".join(WORKLOADS))
    add("--out", help="result file (default: results/<time>.json)")
    add("--format", choices=FORMS, default="text", help="what is printed; all three are stored")
    add("--check-only", action="store_true", help="checks and proof, no load")
    add("--no-proof", action="store_true", help="leave the proof out")
    add("--require", action="store_true", help="fail where a worst round is below the goal")
    add("--report", help="print the tables of a result file, run nothing")
    add_options(parser, duration=8, rounds=5)
    options = parser.parse_args(argv)
    for name, known in (("peers", TARGETS), ("workloads", WORKLOADS)):
        chosen = [item for item in getattr(options, name).split(",") if item]
        for item in chosen:
            if item not in known:
                parser.error(f"--{name}: no {item!r}; there are {', '.join(known)}")
        setattr(options, name, chosen)
    return options


def store(result: dict[str, Any], path: Path) -> None:
    """Write *result*, and its tables beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    for form, suffix in FORMS.items():
        path.with_suffix(f".{suffix}").write_text(render(result, form) + "\n")


def main() -> int:
    """Run the benchmark, and return the exit code."""
    options = parse()
    if options.report:
        print(render(json.loads(Path(options.report).read_text()), options.format))
        return 0
    path = Path(options.out or RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json")
    targets = [TARGETS[name] for name in options.peers]
    targets += [read_target(text, options.target_cwd) for text in options.target]
    with Bench(options) as bench:
        run = Run(bench, targets, options)
        try:
            run.check()
            if not options.no_proof:
                run.prove()
            if not options.check_only:
                run.measure()
            memory = {name: server.memory() for name, server in run.servers.items()}
            run.result["memory_mib"] = memory
        finally:
            store(run.result, path)
    print(render(run.result, options.format))
    if options.require:
        for text in short_of_goals(run.result):
            run.fail(text)
    failed = bool(run.result["failures"])
    note(f"{'FAILED: see above' if failed else 'ok'}; results in {path}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
