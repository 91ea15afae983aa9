"""The run of `manage.py test`: pytest under coverage, and the reports of both. Runs in tests."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msframework.exceptions import ImproperlyConfigured

REPORTS: Final = Path("reports")
PLUGIN: Final = "msframework.testing.plugin"  # also the name of its entry point, so it loads once


def run(
    arguments: Sequence[str] = (),
    *,
    parallel: str | None = None,
    options: Sequence[str] = (),
    reports: Path = REPORTS,
) -> int:
    """Run the tests of the project in the current directory; return the exit code.

    The folder *reports* then holds `junit.xml`, `coverage.xml`, `clover.xml`, and the coverage as
    HTML in `html/`. The project's own configuration of pytest and coverage counts. The
    least coverage that it asks for (`fail_under`) counts only when *arguments* choose no tests.

    Args:
        arguments: passed on to pytest.
        options: passed on to pytest, too; they choose no tests.
        parallel: the number of processes that share the test files, or "auto" for one a core.

    Raises:
        ImproperlyConfigured: pytest, coverage, or pytest-xdist for several processes, is not
            installed; or coverage is configured not to watch these processes.
    """
    _demand(parallel)
    reports.mkdir(parents=True, exist_ok=True)
    _erase()
    # NOTE: a process of its own, as this one has imported the framework before coverage watches.
    # The plugin has no entry point where the framework comes from PYTHONPATH alone.
    command = ["-m", "pytest", "-p", PLUGIN, f"--junitxml={reports / 'junit.xml'}"]
    command += [*options, *arguments]
    if parallel is not None:
        command += ["-n", parallel, "--dist", "loadfile", "--no-loadscope-reorder"]
    code = _coverage("run", *_options(reports, parallel=parallel is not None), *command)
    if list(Path().glob(".coverage.*")):
        _coverage("combine", "--quiet")
    if not Path(".coverage").exists():
        return code
    low = _write_reports(reports, () if not arguments else ("--fail-under=0",))
    return code or low


def _demand(parallel: str | None) -> None:
    """Raise ImproperlyConfigured where a package is missing that the tests need."""
    needed = {"pytest": "pytest", "coverage": "coverage"}
    if parallel is not None:
        needed["xdist"] = "pytest-xdist"
    for module, package in needed.items():
        if importlib.util.find_spec(module) is None:
            raise ImproperlyConfigured(
                f"The tests need {package}, which is not installed: "
                "`pip install msframework[test]`."
            )


def _erase() -> None:
    """Throw away what an earlier run measured."""
    from coverage import Coverage

    Coverage().erase()


def _options(reports: Path, *, parallel: bool) -> Sequence[str]:
    """Return the options by which coverage watches the project, where it configures none."""
    from coverage import Coverage

    config = Coverage()
    if config.get_option("run:source") or config.get_option("run:include"):
        patched = config.get_option("run:patch")
        if parallel and not (isinstance(patched, list) and "subprocess" in patched):
            raise ImproperlyConfigured(
                "coverage does not watch the processes of --parallel: its configuration needs "
                'patch = ["subprocess"] in its section `run`.'
            )
        return ()
    if not parallel:
        return ("--source=.",)
    own = reports / "coverage.ini"
    own.write_text("[run]\nsource = .\nparallel = true\npatch = subprocess\n", encoding="utf-8")
    return (f"--rcfile={own}",)


def _write_reports(reports: Path, limit: Sequence[str]) -> int:
    """Write all reports, side by side; return the exit code of the one that is printed."""
    xml, html = reports / "coverage.xml", reports / "html"
    with _begin("coverage", "html", "--quiet", "--fail-under=0", "-d", str(html)):
        _coverage("xml", "--quiet", "--fail-under=0", "-o", str(xml))
        if not xml.exists() or importlib.util.find_spec("clover") is None:
            return _coverage("report", *limit)
        clover = str(reports / "clover.xml")
        with _begin("clover.coverage2clover", "-i", str(xml), "-o", clover):
            return _coverage("report", *limit)


def _coverage(*arguments: str) -> int:
    return _python("-m", "coverage", *arguments)


def _python(*arguments: str) -> int:
    return subprocess.run([sys.executable, *arguments], check=False).returncode  # noqa: S603


def _begin(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start *module* as a process; its context waits until the process has ended."""
    return subprocess.Popen([sys.executable, "-m", module, *arguments])  # noqa: S603
