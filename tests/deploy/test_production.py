"""The how-to of production says what holds: names, figures, files, an environment that works."""

import re
import subprocess
import sys

import pytest
import yaml

from msframework.conf.catalogue import declarations
from tests.console import environment, read_files
from tests.deploy.artefacts import (
    DEPLOY,
    DOCKERFILE,
    ROOT,
    UNIT,
    image_environment,
    read_stages,
    read_unit,
)

PAGE = (ROOT / "docs" / "how-to" / "production.md").read_text()
OTHERS = {"ACCESS_KEY"}


def blocks(language):
    """Return the blocks of the page in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def variables():
    """Return the environment file of the page."""
    [text] = blocks("ini")
    return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))


def test_every_setting_that_the_page_names_exists():
    names = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", PAGE)) | variables().keys()

    assert {name.removesuffix("_FILE") for name in names} - OTHERS <= set(declarations())


def test_the_page_names_every_file_of_a_deployment():
    files = {
        path
        for path in DEPLOY.rglob("*")
        if path.suffix in (".cfg", ".conf", ".service", ".socket")
    }

    assert all(str(path.relative_to(ROOT)) in PAGE for path in {*files, DOCKERFILE})


def test_the_environment_of_the_page_is_accepted(tmp_path):
    (tmp_path / "database-url").write_text("postgresql://users@db/users")
    (tmp_path / "access-key").write_text("0" * 64)
    given = {
        "SANIC_CONFIG_MODULE": "settings.production",
        "DATABASE_URL_FILE": str(tmp_path / "database-url"),
        "ACCESS_KEY_FILE": str(tmp_path / "access-key"),
    }

    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environment(watched=False, **variables(), **given),
        capture_output=True,
        text=True,
        timeout=250,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_times_are_those_of_the_files():
    probes = yaml.safe_load(blocks("yaml")[0])
    stop = str(probes["terminationGracePeriodSeconds"])

    assert read_unit(UNIT)["TimeoutStopSec"] == [stop]
    assert set(re.findall(r"--stop-timeout (\d+)", PAGE + DOCKERFILE.read_text())) == {stop}
    assert variables()["DRAIN_DELAY"] == image_environment()["DRAIN_DELAY"]
    assert f"{int(read_unit(UNIT)['LimitNOFILE'][0]):,}" in PAGE


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_probes_ask_the_operations_port(probe):
    asked = yaml.safe_load(blocks("yaml")[0])[probe]["httpGet"]

    assert str(asked["port"]) == variables()["OPERATIONS_PORT"]
    assert asked["path"] == ("/readyz" if probe == "readinessProbe" else "/livez")


def test_the_image_of_a_project_of_ones_own_takes_what_the_quickstart_makes():
    [text] = blocks("dockerfile")
    copied = re.findall(r"^COPY (\S+) ", text, re.MULTILINE)
    files = read_files(ROOT / "docs" / "quickstart.md")
    parts = {path.partition("/")[0] for path in files} - {"pyproject.toml"}  # that is for tests
    [ours] = [value for stage in read_stages() for _, value in stage if "pip install" in value]

    assert set(copied) == {"wheels", *parts}
    assert all(f"`!{name}`" in PAGE for name in copied)
    extras = [set(re.search(r"\[([\w,]+)\]'", command)[1].split(",")) for command in (text, ours)]
    assert extras[0] == extras[1]
    assert re.search(
        r"^COPY pyproject.toml .*^COPY apps ", DOCKERFILE.read_text(), re.DOTALL | re.M
    )
