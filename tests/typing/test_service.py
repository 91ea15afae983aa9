"""A service as a user writes it, in the eyes of type checkers: the public API has types.

`service/` is a project of its own, with its own settings for mypy and pyright. Both see the
framework as they see an installed package.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from msframework.db.embedded import EmbeddedServer
from tests.console import ROOT, environment

SERVICE = Path(__file__).with_name("service")


def run(*command: str, **variables: str) -> tuple[str, int]:
    """Run *command* in the service's project; return its output and exit code."""
    paths = {"MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=SERVICE,
        env=environment(watched=False, **paths, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.stdout, result.returncode


@pytest.mark.timeout(600)
def test_mypy_finds_no_mistake_in_a_service():
    # NOTE: the framework lies beside it here, where mypy would report its lines, too.
    cache = ROOT / ".mypy_cache" / "service"

    output, code = run("mypy", "--follow-imports", "silent", "--cache-dir", str(cache))

    assert code == 0, output
    assert "Success: no issues found in" in output


@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_pyright_finds_no_mistake_in_a_service():
    output, code = run("pyright", "--pythonpath", sys.executable)

    assert code == 0, output
    assert "0 errors, 0 warnings" in output


@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_the_service_passes_its_own_tests():
    options = ("-p", "msframework.testing.plugin", "-p", "no:cacheprovider")

    output, code = run("pytest", "-q", *options, DATABASE_URL=EmbeddedServer(ROOT).start())

    assert code == 0, output
