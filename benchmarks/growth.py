"""How cost grows: `python -m benchmarks.growth` measures, and writes one plot for each question.

Rows of an answer (1 to 1,000), routes of a service (1 to 300), connections (1 to 1,024), bytes of a
body (1 KB to 1 MB); growing.py beside the same by hand on raw Sanic (peers/sanic_growing.py).
`--report FILE` draws a stored result again.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, Bench
from benchmarks.load import Workload, add_options, measure_quietly, note
from benchmarks.machine import describe
from benchmarks.plot import draw
from benchmarks.processes import Server, expect
from benchmarks.report import machine_line, text_table
from benchmarks.startup import BY_HAND, COMMAND, SERVICE
from benchmarks.targets import OURS, Target

PLOTS = Path(__file__).with_name("plots")
TARGETS = (Target(OURS, COMMAND), Target("sanic", BY_HAND))
ROWS = (1, 3, 10, 30, 100, 300, 1000)
ROUTES = (1, 10, 30, 100, 300)
CONNECTIONS = (1, 4, 16, 64, 256, 1024)
KILOBYTES = (1, 4, 16, 64, 256, 1024)
# question -> (title, label of x, field of a run, label of y, scales)
PLOTTED: dict[str, tuple[str, str, str, str, dict[str, bool]]] = {
    "rows": (
        "GET of N rows: CPU time",
        "rows in the answer",
        "cpu_us_per_request",
        "µs of CPU per request",
        {"log_x": True, "log_y": True},
    ),
    "routes": (
        "GET of one constant, the last of N routes: CPU time",
        "routes of the service",
        "cpu_us_per_request",
        "µs of CPU per request",
        {"log_x": True},
    ),
    "connections_json": (
        "GET of one constant over N connections",
        "connections",
        "rps",
        "requests per second",
        {"log_x": True},
    ),
    "connections_read": (
        "GET of one row over N connections",
        "connections",
        "rps",
        "requests per second",
        {"log_x": True},
    ),
    "body": (
        "POST of N KB of validated records: CPU time",
        "KB of JSON",
        "cpu_us_per_request",
        "µs of CPU per request",
        {"log_x": True, "log_y": True},
    ),
}


def make_body(size: int) -> bytes:
    """Return a body of valid users, as near to *size* bytes as whole users allow, at least one."""
    record = (
        '{"name":"New User %d","email":"new.user%d@example.com","age":42,"sex":"female",'
        '"balance":"1234.50","city_id":7,"role_id":3}'
    )
    records = [record % (1, 1)]
    total = len(records[0]) + len('{"records":[]}')
    while True:
        following = record % (len(records) + 1, len(records) + 1)
        if total + len(following) + 1 > size:
            return b'{"records":[%b]}' % ",".join(records).encode()
        records.append(following)
        total += len(following) + 1


class Growth:
    """Measures one question after the other; each point of both servers in turn."""

    def __init__(self, bench: Bench, options: argparse.Namespace) -> None:
        self.bench, self.options = bench, options
        self.servers: dict[str, Server] = {}
        self.runs: list[dict[str, Any]] = []
        self.discarded: list[dict[str, Any]] = []
        self.failed = False

    def serve(self, routes: int) -> None:
        """Start both servers anew, with *routes* routes beside those that are measured."""
        for server in self.servers.values():
            self.bench.stop(server)
        self.servers = {
            target.name: self.bench.start(target, BENCH_ROUTES=str(routes), **SERVICE)
            for target in TARGETS
        }
        for server in self.servers.values():
            server.wait_ready()

    def point(
        self, question: str, x: int, workload: Workload, size: Callable[[Server], int]
    ) -> None:
        """Measure one point of *question* for both servers.

        Args:
            size: checks the answer, and returns its size in bytes.
        """
        for server in self.servers.values():
            expected = size(server)
            found = measure_quietly(
                server, workload, self.options, expected, self.bench.helpers, self.discarded
            )
            found |= {"question": question, "x": x, "peer": server.name}
            self.failed |= found["errors"] > 0
            self.runs.append(found)
            server.forget_lines()
            note(
                f"{question:17} {x:5} {server.name:12} {found['rps']:9,.0f} req/s  "
                f"cpu {found['cpu_us_per_request']:8.0f} us  p99 {found['p99_ms']:7.2f} ms  "
                f"foreign {found['foreign_cpu_pct']}  errors {found['errors']}"
            )

    def rows(self) -> None:
        """1 to 1,000 rows."""
        self.serve(1)
        for count in ROWS:
            path = f"/rows/{count}"
            self.point("rows", count, ("get.lua", [path, "0"], False), reader(path, count))

    def routes(self) -> None:
        """1 to 300 routes."""
        path = "/things/last/1"
        for count in ROUTES:
            self.serve(count)
            self.point("routes", count, ("get.lua", [path, "0"], False), reader(path))

    def connections(self) -> None:
        """1 to 1,024 connections."""
        self.serve(1)
        before = self.options.connections
        for count in CONNECTIONS:
            self.options.connections = count
            read = ("get.lua", ["/users/%d", "10000"], False)
            self.point(
                "connections_json", count, ("get.lua", ["/json", "0"], False), reader("/json")
            )
            self.point("connections_read", count, read, reader("/users/1"))
        self.options.connections = before

    def body(self) -> None:
        """1 KB to 1 MB."""
        self.serve(1)
        for count in KILOBYTES:
            body = make_body(count * 1024)
            with tempfile.NamedTemporaryFile(suffix=".json") as file:
                file.write(body)
                file.flush()
                workload = ("body.lua", ["/records", file.name], False)
                self.point("body", count, workload, poster("/records", body))


def reader(path: str, rows: int | None = None) -> Callable[[Server], int]:
    """Return what checks `GET path` and gives the size of the answer."""

    def read(server: Server) -> int:
        status, _, raw = server.request("GET", path)
        expect(status == 200, f"{server.name} {path}: status {status}")
        data = json.loads(raw)["data"]
        expect(rows is None or len(data) == rows, f"{server.name} {path}: {len(data)} rows")
        return len(raw)

    return read


def poster(path: str, body: bytes) -> Callable[[Server], int]:
    """Return what checks `POST path` of *body* and gives the size of the answer."""

    def post(server: Server) -> int:
        sent = json.loads(body)
        status, _, raw = server.request("POST", path, sent)
        count = len(sent["records"])
        expect(status == 200, f"{server.name} {path}: status {status}: {raw[:200]!r}")
        expect(json.loads(raw)["data"] == {"count": count}, f"{server.name} {path}: {raw!r}")
        return len(raw)

    return post


def series_of(result: dict, question: str, field: str) -> dict[str, list[tuple[float, float]]]:
    """Return the line of each server: the median of its runs at each x."""
    series: dict[str, dict[float, list[float]]] = {}
    for run in result["runs"]:
        if run["question"] == question:
            series.setdefault(run["peer"], {}).setdefault(run["x"], []).append(run[field])
    return {
        name: [(x, statistics.median(values)) for x, values in sorted(points.items())]
        for name, points in series.items()
    }


def write_plots(result: dict, directory: Path) -> list[Path]:
    """Draw what *result* holds, one file a question; return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for question, (title, x_label, field, y_label, scales) in PLOTTED.items():
        series = series_of(result, question, field)
        if series:
            path = directory / f"{question}.svg"
            path.write_text(draw(title, x_label, y_label, series, **scales))
            written.append(path)
    return written


def render(result: dict) -> str:
    """Return the points as text."""
    parts = []
    for question, (title, x_label, *_) in PLOTTED.items():
        lines = {
            field: series_of(result, question, field)
            for field in ("cpu_us_per_request", "rps", "p99_ms")
        }
        names = list(lines["rps"])
        if not names:
            continue
        rows: list[Sequence[str]] = [
            [x_label, *(f"{name} {unit}" for name in names for unit in ("CPU us", "req/s", "p99"))]
        ]
        for index, (x, _) in enumerate(lines["rps"][names[0]]):
            cells = [f"{lines[f][name][index][1]:,.1f}" for name in names for f in lines]
            rows.append([f"{x:,}", *cells])
        parts.append(f"### {title}\n\n{text_table(rows)}")
    return "\n\n".join([*parts, machine_line(result["about"])])


def parse() -> argparse.Namespace:
    """Read the command line."""
    questions = ("rows", "routes", "connections", "body")
    parser = argparse.ArgumentParser(prog="benchmarks.growth", description=__doc__)
    add = parser.add_argument
    add("--only", default=",".join(questions), help="of rows, routes, connections, body")
    add("--out", default=str(RESULTS / f"growth-{time.strftime('%Y%m%d-%H%M%S')}.json"))
    add("--plots", default=str(PLOTS), help="directory of the plots")
    add("--report", help="print and draw a stored result, run nothing")
    add_options(parser, duration=3, rounds=1)
    # Few, so that those that are under way at the end weigh little where an answer takes long.
    parser.set_defaults(connections=4)
    options = parser.parse_args()
    options.only = [name for name in options.only.split(",") if name]
    for name in options.only:
        if name not in questions:
            parser.error(f"--only: no {name!r}; there are {', '.join(questions)}")
    return options


def main() -> int:
    """Measure, or read a stored result; print it and draw it."""
    options = parse()
    failed = False
    if options.report:
        result = json.loads(Path(options.report).read_text())
    else:
        with Bench(options) as bench:
            growth = Growth(bench, options)
            for _ in range(options.rounds):
                for name in options.only:
                    getattr(growth, name)()
            about, failed = describe(bench.database.version()), growth.failed
        result = {"about": about, "runs": growth.runs, "discarded": growth.discarded}
        path = Path(options.out)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
        note(f"{'FAILED: errors under load' if failed else 'ok'}; results in {path}")
    print(render(result))
    for plot in write_plots(result, Path(options.plots)):
        note(f"wrote {plot}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
