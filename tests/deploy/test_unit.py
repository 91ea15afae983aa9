"""The systemd units agree with the settings; tests/acceptance/test_systemd.py asks systemd."""

import re

import pytest

from msframework.app import create_app
from msframework.conf.catalogue import declarations
from msframework.conf.loader import load_settings
from tests.deploy.artefacts import (
    DOCKERFILE,
    SOCKET,
    UNIT,
    default,
    image_environment,
    read_unit,
    unit_environment,
)

# What the unit sets beside settings: the module of the settings, the key that `settings.production`
# reads, and the interpreter's own.
OTHERS = {"SANIC_CONFIG_MODULE", "ACCESS_KEY_FILE", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def test_the_unit_sets_nothing_but_settings():
    names = {name.removesuffix("_FILE") for name in unit_environment().keys() - OTHERS}

    assert names <= set(declarations())


def test_the_unit_takes_the_socket_of_the_other():
    assert unit_environment()["HOST"] == "fd:3"
    assert read_unit(UNIT)["Requires"] == [SOCKET.name]
    assert read_unit(SOCKET)["ListenStream"] == [str(default("PORT"))]
    assert "Accept" not in read_unit(SOCKET)


@pytest.fixture(scope="module")
def parts():
    """Return how many parts a service has that adds none."""
    environ = {"OPERATIONS_PORT": "0", "SERVICE_NAME": "of the unit"}
    return len(create_app(load_settings("settings.test", environ)).parts._places)


def longest_stop(drain_delay, parts):
    """Return the seconds within which a service stops."""
    graceful = default("GRACEFUL_SHUTDOWN_TIMEOUT")
    return float(drain_delay) + graceful + parts * default("PART_STOP_TIMEOUT")


def test_systemd_and_docker_wait_until_a_stop_within_its_bounds_has_ended(parts):
    [limit] = read_unit(UNIT)["TimeoutStopSec"]
    [docker] = re.findall(r"--stop-timeout (\d+)", DOCKERFILE.read_text())

    assert longest_stop(unit_environment()["DRAIN_DELAY"], parts) < int(limit)
    assert longest_stop(image_environment()["DRAIN_DELAY"], parts) < int(docker)


def test_one_signal_stops_the_first_process_and_another_renews_the_workers():
    unit = read_unit(UNIT)

    assert unit["KillMode"] == ["mixed"]
    assert unit["KillSignal"] == ["SIGTERM"]
    assert unit["ExecReload"] == ["kill -HUP $MAINPID"]


def test_descriptors_suffice_for_the_connections():
    limit = int(read_unit(UNIT)["LimitNOFILE"][0])

    assert default("MAX_CONNECTIONS") is None  # 10,000, or what the limit allows
    assert limit > 2 * 10_000
