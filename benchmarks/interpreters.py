"""What an interpreter is worth: `python -m benchmarks.interpreters PYTHON …`.

The measured service on this interpreter and on others of the same minor version, which import its
packages: requests a second and CPU time of a request, in interleaved rounds. A word such as
`/usr/bin/python3,-O` gives an interpreter options.
"""

import argparse
import shlex
import statistics
import subprocess
import sys
import sysconfig
from dataclasses import replace

from benchmarks.harness import Bench
from benchmarks.load import WORKLOADS, add_options, measure_quietly, note
from benchmarks.processes import Server
from benchmarks.report import text_table
from benchmarks.targets import OURS, PYTHON, TARGETS

_PATHS = {"json": "/json", "read_one": "/users/1", "list": "/users?page=3&per_page=100"}
_ABOUT = "import sys; print(sys.version)"


def command_of(word: str) -> list[str]:
    """Return the command of an interpreter from its word on the command line."""
    return word.split(",")


def about(word: str) -> str:
    """Return the version of an interpreter, and what it was built with."""
    command = [*command_of(word), "-c", _ABOUT]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0]


def start(bench: Bench, word: str, number: int) -> Server:
    """Start the service on an interpreter."""
    own = TARGETS[OURS]
    words = shlex.split(own.command.replace("{port}", "PORT"))
    command = shlex.join([*command_of(word), *words[1:]]).replace("PORT", "{port}")
    target = replace(own, name=f"interpreter-{number}", command=command)
    server = bench.start(target, PYTHONPATH=sysconfig.get_path("purelib"))
    server.wait_ready()
    return server


def main() -> None:
    """Measure the interpreters of the command line, after this one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("interpreters", nargs="+")
    parser.add_argument("--workloads", default="json")
    add_options(parser, duration=4, rounds=5)
    options = parser.parse_args()
    words = [PYTHON, *options.interpreters]
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with Bench(options) as bench:
        servers = [start(bench, word, number) for number, word in enumerate(words)]
        for _ in range(options.rounds):
            for name in options.workloads.split(","):
                for word, server in zip(words, servers, strict=True):
                    size = len(server.request("GET", _PATHS[name])[2])
                    run = measure_quietly(server, WORKLOADS[name], options, size, bench.helpers, [])
                    server.forget_lines()
                    rates = found.setdefault((name, word), [])
                    rates.append((run["rps"], run["cpu_us_per_request"]))
                    note(f"{name:9} {word} {run['rps']:9,.0f} req/s")
    rows = [["workload", "interpreter", "it says", "req/s", "CPU us", "x"]]
    for (name, word), runs in found.items():
        rps, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
        base = statistics.median(run[1] for run in found[name, words[0]])
        rows.append([name, word, about(word), f"{rps:,.0f}", f"{cpu:.1f}", f"{base / cpu:.2f}"])
    print(text_table(rows))
    print(f"x: CPU time of a request on {words[0]} over that of this row")


if __name__ == "__main__":
    sys.exit(main())
