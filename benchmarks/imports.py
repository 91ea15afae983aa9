"""Where the time of `import msframework` goes: `python -m benchmarks.imports [MODULE]`.

Runs `python -X importtime` in a process of its own, a few times, and keeps the fastest. `own` is
the time in the module itself, `whole` with what it imports first.
"""

import argparse
import json
import re
import subprocess
import sys
from typing import NamedTuple

from benchmarks.report import text_table
from benchmarks.targets import ROOT

_LINE = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)$")


class Import(NamedTuple):
    """One line of `-X importtime`; times in microseconds."""

    name: str
    own: int
    whole: int
    depth: int


def read_import_times(printed: str) -> list[Import]:
    """Return the imports that `python -X importtime` reported, in the order they finished."""
    found = (_LINE.match(line) for line in printed.splitlines())
    return [Import(m[4], int(m[1]), int(m[2]), len(m[3]) // 2) for m in found if m is not None]


def by_package(imports: list[Import]) -> dict[str, int]:
    """Return the own time of each top-level package, the largest first."""
    total: dict[str, int] = {}
    for each in imports:
        package = each.name.partition(".")[0]
        total[package] = total.get(package, 0) + each.own
    return dict(sorted(total.items(), key=lambda item: -item[1]))


def time_imports(module: str, repeats: int = 3) -> list[Import]:
    """Import *module* in fresh interpreters, and return the imports of the fastest."""
    runs = []
    for _ in range(repeats):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", f"import {module}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        imports = read_import_times(done.stderr)
        runs.append(imports[next(n for n, each in enumerate(imports) if each.name == "site") + 1 :])
    return min(runs, key=lambda imports: sum(each.own for each in imports))


def summarize(module: str, imports: list[Import], top: int) -> dict:
    """Return the totals, and the *top* lists, times in milliseconds."""
    largest = sorted(imports, key=lambda each: -each.own)[:top]
    heaviest = sorted(imports, key=lambda each: -each.whole)[:top]
    packages = list(by_package(imports).items())[:top]
    return {
        "module": module,
        "total_ms": round(sum(each.own for each in imports) / 1000, 1),
        "modules": len(imports),
        "packages": [{"name": name, "own_ms": round(own / 1000, 2)} for name, own in packages],
        "own": [{"name": each.name, "own_ms": each.own / 1000} for each in largest],
        "whole": [{"name": each.name, "whole_ms": each.whole / 1000} for each in heaviest],
    }


def render(summary: dict) -> str:
    """Return the lists as text, side by side."""
    rows = [["package", "ms", "module", "own ms", "module ", "whole ms"]]
    columns = (summary["packages"], summary["own"], summary["whole"])
    for package, own, whole in zip(*columns, strict=False):
        rows.append([package["name"], f"{package['own_ms']:.1f}", own["name"]])
        rows[-1] += [f"{own['own_ms']:.1f}", whole["name"], f"{whole['whole_ms']:.1f}"]
    head = f"import {summary['module']}: {summary['total_ms']} ms, {summary['modules']} modules"
    return f"{head}\n\n{text_table(rows)}"


def main() -> None:
    """Print the lists."""
    parser = argparse.ArgumentParser(prog="benchmarks.imports", description=__doc__)
    parser.add_argument("module", nargs="?", default="msframework.management.commands.runserver")
    parser.add_argument("--top", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    summary = summarize(options.module, time_imports(options.module), options.top)
    print(json.dumps(summary, indent=1) if options.json else render(summary))


if __name__ == "__main__":
    main()
