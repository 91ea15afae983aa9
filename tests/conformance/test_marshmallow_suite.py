"""marshmallow's own tests pass with its dump and load sent through compiled schemas."""

import json
import subprocess
import sys

import pytest

from tests.console import ROOT


@pytest.mark.acceptance
@pytest.mark.timeout(600)
def test_marshmallows_own_suite_passes_through_compiled_schemas(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.run", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["tests"] > 1000
    assert found["calls"]["compiled"] > 0
