"""`python -m tests.migrations.changes`: run every change, and print the table in Markdown."""

import shutil
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

from msframework.db.embedded import EmbeddedServer
from msframework.db.home import find_home
from tests.migrations.changes.bench import open_bench
from tests.migrations.changes.course import Outcome, run
from tests.migrations.changes.table import PARTS

_SIGNS = {True: "yes", False: "**no**", None: ""}


def main(wanted=""):
    """Print the table of the changes with *wanted* in their names; return the number of faults."""
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory(prefix="changes-") as name:
        root = Path(name)
        server = EmbeddedServer(root)
        url = server.start()
        try:
            with open_bench(url, root / "project") as bench:
                return _print_table(bench, wanted)
        finally:
            home = find_home(root)
            server.reset()
            shutil.rmtree(home.path, ignore_errors=True)


def _print_table(bench, wanted):
    heads = ["", "change", *(each.name.replace("_", " ") for each in fields(Outcome)[:-1])]
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    number, faults = 0, []
    for part, changes in PARTS.items():
        print(f"| | **{part}** |" + " |" * (len(heads) - 2))
        for change in (each for each in changes if wanted in each.name):
            number += 1
            outcome = run(bench, change)
            marks = [_SIGNS[mark] for mark in outcome.marks]
            print("| " + " | ".join([str(number), change.name, *marks]) + " |", flush=True)
            if outcome.fault:
                faults.append(f"{number} {change.name}: {outcome.fault}")
    print(f"\n{number} changes, {number - len(faults)} of them without a fault.")
    print("\n".join(faults))
    return len(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]) != 0)
