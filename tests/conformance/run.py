"""Runs marshmallow's own test suite with `Schema.dump` and `Schema.load` sent through ours.

`python -m tests.conformance.run [folder]` fetches the source distribution of the installed
marshmallow from the package index into the folder (a temporary one when left out), runs its tests
with the plugin `through_compiled`, and prints one line of JSON: the tests, and how many calls ran
compiled alone, compiled around the user's code (hooks, custom fields), in part by marshmallow for
another reason, and whole by marshmallow. The exit status is 0 when all tests pass and at least 80 %
of the calls that hold no code of the user's ran compiled.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
SHARE = 0.8


def fetch(folder: Path) -> Path:
    """Return the unpacked source distribution of the installed marshmallow."""
    release = version("marshmallow")
    found = folder / f"marshmallow-{release}"
    if not found.is_dir():
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        wanted = ["download", "--no-binary", ":all:", "--no-deps", f"marshmallow=={release}"]
        subprocess.run([*pip, *wanted, "--dest", str(folder)], check=True)
        with tarfile.open(folder / f"marshmallow-{release}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        # The suite uses simplejson; nothing of ours does.
        subprocess.run([*pip, "install", "--target", str(folder / "lib"), "simplejson"], check=True)
    return found


def run_suite(folder: Path) -> dict[str, Any]:
    """Run the suite below *folder*, and return what was counted."""
    suite = fetch(folder)
    counts, report = folder / "counts.json", folder / "report.xml"
    environment = {
        **os.environ,
        "CONFORMANCE_COUNTS": str(counts),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(folder / "lib"))),
    }
    plugin = [
        "-p",
        "through_compiled",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        f"--junit-xml={report}",
    ]
    environment["PYTHONPATH"] += os.pathsep + str(Path(__file__).parent)
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, "tests"],
        cwd=suite,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        sys.stderr.write(finished.stdout + finished.stderr)
    total = ElementTree.parse(report).getroot().find("testsuite")
    assert total is not None
    tests = {name: int(total.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    found: dict[str, Any] = json.loads(counts.read_text())
    calls = found["calls"]
    eligible = calls["compiled"] + calls.get("eligible_but_not_compiled", 0)
    share = calls["compiled"] / eligible
    return {"marshmallow": version("marshmallow"), **tests, **found, "share": round(share, 3)}


def main() -> int:
    """Run the suite and say how it went."""
    with tempfile.TemporaryDirectory() as temporary:
        given = sys.argv[1:]
        folder = Path(given[0] if given else temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        found = run_suite(folder)
    print(json.dumps(found))
    passed = not found["failures"] and not found["errors"]
    return 0 if passed and found["share"] >= SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
