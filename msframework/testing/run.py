"""What `manage.py test` runs: pytest under coverage, and the reports of both. Runs in tests."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msframework.exceptions import ImproperlyConfigured

REPORTS: Final = Path("reports")


def run(arguments: Sequence[str] = (), *, reports: Path = REPORTS) -> int:
    """Run the tests of the project in the current directory; return the exit code.

    The folder *reports* then holds `junit.xml`, `coverage.xml`, `clover.xml`, and the coverage as
    HTML in `html/`. What the project's own configuration says of pytest and coverage counts. The
    least coverage that it asks for (`fail_under`) counts only when *arguments* choose no tests.

    Args:
        arguments: passed on to pytest.

    Raises:
        ImproperlyConfigured: pytest or coverage is not installed.
    """
    for module in ("pytest", "coverage"):
        if importlib.util.find_spec(module) is None:
            raise ImproperlyConfigured(
                f"The tests need {module}, which is not installed: `pip install msframework[test]`."
            )
    reports.mkdir(parents=True, exist_ok=True)
    _coverage("erase")
    # NOTE: a process of its own, as this one has imported the framework before coverage watches.
    command = ["-m", "pytest", f"--junitxml={reports / 'junit.xml'}", *arguments]
    code = _coverage("run", *_sources(), *command)
    if list(Path().glob(".coverage.*")):
        _coverage("combine", "--quiet")
    if not Path(".coverage").exists():
        return code
    _write_reports(reports)
    limit = () if not arguments else ("--fail-under=0",)
    low = _coverage("report", *limit)
    return code or low


def _sources() -> Sequence[str]:
    """Return what tells coverage to watch the project, where its configuration names nothing."""
    from coverage import Coverage

    config = Coverage()
    named = config.get_option("run:source") or config.get_option("run:include")
    return () if named else ("--source=.",)


def _write_reports(reports: Path) -> None:
    xml = reports / "coverage.xml"
    _coverage("xml", "--quiet", "--fail-under=0", "-o", str(xml))
    _coverage("html", "--quiet", "--fail-under=0", "-d", str(reports / "html"))
    if xml.exists() and importlib.util.find_spec("clover") is not None:
        clover = str(reports / "clover.xml")
        _python("-m", "clover.coverage2clover", "-i", str(xml), "-o", clover)


def _coverage(*arguments: str) -> int:
    return _python("-m", "coverage", *arguments)


def _python(*arguments: str) -> int:
    return subprocess.run([sys.executable, *arguments], check=False).returncode  # noqa: S603
