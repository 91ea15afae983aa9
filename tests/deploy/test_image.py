"""The Dockerfile says what holds; tests/acceptance/test_image.py runs what it builds."""

import fnmatch
import signal
import tomllib

from msframework.conf.catalogue import declarations
from msframework.management.discovery import built_in_commands
from tests.deploy.artefacts import (
    IGNORED,
    ROOT,
    exec_form,
    image_environment,
    read_stages,
)

OTHERS = {"PATH", "HOME", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "SANIC_CONFIG_MODULE"}
*EARLIER, IMAGE = read_stages()


def sources():
    """Return what is copied from the folder of the build."""
    copies = [value.split() for stage in EARLIER for name, value in stage if name == "COPY"]
    return [word for words in copies for word in words[:-1]]


def test_the_image_has_no_root_user_and_nothing_is_built_in_it():
    values = dict(IMAGE)

    assert values["USER"] == "10001:10001"
    assert "RUN" not in values
    assert "ADD" not in values


def test_the_image_sets_nothing_but_settings():
    assert image_environment().keys() - OTHERS <= set(declarations())


def test_the_commands_exist_and_get_signals_themselves():
    for instruction in ("CMD", "HEALTHCHECK"):
        python, manage, command, *_ = exec_form(instruction)

        assert (python, manage) == ("python", "manage.py")
        assert command in built_in_commands()
    assert dict(IMAGE)["STOPSIGNAL"] == signal.SIGTERM.name


def test_the_ports_of_the_image_are_those_that_it_listens_on():
    environment = image_environment()

    assert dict(IMAGE)["EXPOSE"].split() == [environment["PORT"], environment["OPERATIONS_PORT"]]


def test_what_is_copied_is_there_and_may_be_seen():
    rules = IGNORED.read_text().splitlines()
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}

    assert rules[1] == "*"
    assert set(sources()) == allowed
    assert all((ROOT / source).exists() for source in sources())
    refused = [rule for rule in rules if rule[0] not in "#!"][1:]
    assert any(fnmatch.fnmatch("apps/users/tests", rule) for rule in refused)


def test_the_extras_that_are_installed_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [install] = [value for stage in EARLIER for _, value in stage if "pip install" in value]
    extras = install.partition("'.[")[2].partition("]")[0].split(",")

    assert set(extras) <= set(project["optional-dependencies"])
