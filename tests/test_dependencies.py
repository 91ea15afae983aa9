"""The versions that the package asks for are those that its tests run with."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from msframework._tested import TESTED

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = (ROOT / "requirements.txt").read_text().splitlines()
PINS = {pin.name: pin for pin in map(Requirement, (each for each in LINES if "==" in each))}
ASKED = [
    Requirement(each)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for each in group
    if not each.startswith("msframework")
]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.name)
def test_the_oldest_version_asked_for_is_one_that_is_tested(asked):
    pinned = PINS[asked.name]
    (version,) = (each.version for each in pinned.specifier)
    (oldest,) = (each.version for each in asked.specifier if each.operator == ">=")

    assert asked.extras == pinned.extras
    assert asked.specifier.contains(version)
    # Those whose private names we use have them in a release of their own; others in a minor one.
    assert version == oldest if asked.name in TESTED else f"{version}.".startswith(f"{oldest}.")
