"""The exposition and the alert rules by the rules of Prometheus' own `promtool`."""

import os
import shutil
import subprocess

import pytest

from tests.acceptance import tools
from tests.conftest import new_service
from tests.console import ROOT

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def promtool():
    """Return the path of `promtool`: that of the machine, or of Debian's package."""
    if found := shutil.which("promtool"):
        return found

    def install(folder):
        for command in (["apt-get", "download", "prometheus"], ["dpkg-deb", "-x", "DEB", "."]):
            package = [each.name for each in folder.glob("*.deb")]
            words = [package[0] if each == "DEB" else each for each in command]
            done = subprocess.run(words, cwd=folder, capture_output=True, timeout=200)
            if done.returncode:
                tools.installed("promtool")

    if shutil.which("apt-get") is None:
        tools.installed("promtool")
    return str(tools.cached("promtool", install) / "usr" / "bin" / "promtool")


def test_the_rules_are_valid(promtool):
    rules = ROOT / "deploy" / "prometheus" / "rules.yml"
    done = subprocess.run([promtool, "check", "rules", str(rules)], capture_output=True, text=True)

    assert "SUCCESS" in done.stdout, done.stderr
    assert done.returncode == 0


def test_the_metrics_are_valid_and_named_by_the_conventions(promtool):
    service = new_service(
        service_name="promtool",
        operations={"port": 0},
        database={"url": "postgresql://localhost/x"},
    )
    service.metrics.counter("odd_total", "Odd labels.", ["text"]).series('"\\\n\udc80').add()
    service.metrics.take_readings()
    text, _ = service.metrics.render()
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b""), os.fsdecode(done.stderr)
