"""The files of `deploy/` as the programs see them that read them: proxies, systemd, a linter."""

import re
import shutil
import sys

import pytest

from tests.acceptance import tools
from tests.acceptance.tools import installed
from tests.deploy.artefacts import DOCKERFILE, ENVOY, HAPROXY, NGINX, ROOT, SOCKET, UNIT

pytestmark = pytest.mark.acceptance
MOST_EXPOSED = 20  # of 100, where 100 is a service without any protection


def run(*command):
    """Run a program that is to succeed."""
    return tools.run(*command, cwd=ROOT)


def test_haproxy_takes_its_file():
    run(installed("haproxy"), "-c", "-f", HAPROXY)


def test_nginx_takes_its_file(tmp_path):
    main = tmp_path / "nginx.conf"
    main.write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; include {NGINX}; }}\n"
    )

    run(installed("nginx"), "-t", "-p", tmp_path, "-e", "stderr", "-c", main)


def test_envoy_takes_its_file(deploy_programs):
    run(deploy_programs / "envoy", "--mode", "validate", "-c", ENVOY)


def test_the_linter_of_dockerfiles_has_nothing_to_say(deploy_programs):
    assert run(deploy_programs / "hadolint", DOCKERFILE) == ""


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
