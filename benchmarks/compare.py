"""Compare two stored results of run.py: `python -m benchmarks.compare OLD NEW`.

What counts is the ratio to raw Sanic of the same run, which takes the machine's mood out; where a
result has no raw Sanic, req/s are compared. A change within the spread of the rounds is no change.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import runs_of, summarize, text_table
from benchmarks.targets import BASELINE


@dataclass(frozen=True, slots=True)
class Change:
    """How one cell of the table changed.

    Attributes:
        unit: what *old* and *new* are: a ratio to raw Sanic, or requests per second.
        noise: the larger spread of the two results' rounds, as a share of the median.
    """

    peer: str
    workload: str
    unit: str
    old: float
    new: float
    noise: float

    @property
    def share(self) -> float:
        """Return the change as a share of the old value."""
        return self.new / self.old - 1

    @property
    def verdict(self) -> str:
        """Return `faster`, `slower`, or nothing where the change is within the noise."""
        if abs(self.share) <= self.noise:
            return ""
        return "faster" if self.share > 0 else "slower"


def spread_of(result: Mapping[str, Any], peer: str, workload: str) -> float:
    """Return (max-min)/median of the rounds' ratios, or rates where there is no raw Sanic."""
    base = {run["round"]: run["rps"] for run in runs_of(result, BASELINE, workload)}
    values = [
        run["rps"] / base.get(run["round"], 1.0) if base and peer != BASELINE else run["rps"]
        for run in runs_of(result, peer, workload)
    ]
    return (max(values) - min(values)) / statistics.median(values)


def find_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Return the change of every cell that both results have."""
    before, after = summarize(old), summarize(new)
    changes = []
    for peer, cells in before.items():
        for workload, cell in cells.items():
            other = after.get(peer, {}).get(workload)
            if other is None:
                continue
            ratios = peer != BASELINE and "median" in cell and "median" in other
            key = "median" if ratios else "rps"
            noise = max(spread_of(result, peer, workload) for result in (old, new))
            unit = f"x {BASELINE}" if ratios else "req/s"
            changes.append(Change(peer, workload, unit, cell[key], other[key], noise))
    return changes


def rows_of(changes: Sequence[Change]) -> list[list[str]]:
    """Return the table of *changes*."""
    rows = [["peer", "workload", "unit", "old", "new", "change %", "noise %", ""]]
    for change in changes:
        form = ",.0f" if change.unit == "req/s" else ".3f"
        row = [change.peer, change.workload, change.unit, f"{change.old:{form}}"]
        row += [f"{change.new:{form}}", f"{100 * change.share:+.1f}", f"{100 * change.noise:.1f}"]
        rows.append([*row, change.verdict])
    return rows


def differing_facts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say which facts of the machine and which versions differ."""
    lines = []
    before, after = old["about"], new["about"]
    for name in ("cpu", "cores", "kernel", "python", "postgresql"):
        if before.get(name) != after.get(name):
            lines.append(f"{name}: {before.get(name)} -> {after.get(name)}")
    for name in sorted({*before["versions"], *after["versions"]}):
        one, other = before["versions"].get(name), after["versions"].get(name)
        if one != other:
            lines.append(f"{name}: {one} -> {other}")
    for name, value in before["options"].items():
        if after["options"].get(name) != value:
            lines.append(f"--{name}: {value} -> {after['options'].get(name)}")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Print the comparison; with `--fail-slower P`, 1 where a cell lost more than P percent."""
    parser = argparse.ArgumentParser(prog="benchmarks.compare", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--peer", help="this one only")
    parser.add_argument("--fail-slower", type=float, metavar="P", help="percent, beyond the noise")
    options = parser.parse_args(argv)
    old, new = (json.loads(path.read_text()) for path in (options.old, options.new))
    changes = [each for each in find_changes(old, new) if options.peer in (None, each.peer)]
    if not changes:
        print("The results have no peer and workload in common.")
        return 1
    print(text_table(rows_of(changes)))
    for line in differing_facts(old, new):
        print(line)
    limit = options.fail_slower
    lost = [
        each for each in changes if each.verdict == "slower" and -100 * each.share > (limit or 0)
    ]
    return int(limit is not None and bool(lost))


if __name__ == "__main__":
    sys.exit(main())
