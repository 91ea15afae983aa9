"""The pages under docs/ work: their files make projects, their commands print what they show."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.console import ROOT, environment, read_files, read_steps, run_step
from tests.processes import ServerProcess, fresh_database

DOCS = ROOT / "docs"
HOW_TOS = sorted((DOCS / "how-to").glob("*.md"))


@pytest.fixture
def installed(tmp_path_factory):
    """Return a directory with the package and its entry point, as `pip install` leaves them."""
    directory = tmp_path_factory.mktemp("site-packages")
    (directory / "msframework").symlink_to(ROOT / "msframework")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    plugins = project["entry-points"]["pytest11"].items()
    facts = directory / "msframework-0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: msframework\nVersion: 0\n")
    lines = ["[pytest11]", *(f"{name} = {value}" for name, value in plugins)]
    (facts / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return str(directory)


def write_files(root, files):
    """Write *files* by path under *root*."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a") as file:
            file.write(text)


@pytest.mark.timeout(150)
def test_the_quickstart_works_as_printed(tmp_path, installed):
    page = DOCS / "quickstart.md"
    write_files(tmp_path, read_files(page))
    steps = read_steps(page)
    first_call = next(n for n, step in enumerate(steps) if step.command.startswith("curl"))
    with fresh_database("quickstart") as url:
        env = {"DATABASE_URL": url, "PYTHONPATH": installed}
        differences = run_steps(steps[:first_call], 0, tmp_path, env)
        with ServerProcess(tmp_path / "server.log", cwd=tmp_path, **env) as server:
            differences += run_steps(steps[first_call:], server.port, tmp_path, env)
    assert not differences, "\n".join(differences)


def run_steps(steps, port, cwd, env):
    """Run *steps*, and return the lines of all differences."""
    lines = []
    for step in steps:
        lines += run_step(step, port=port, cwd=cwd, env=environment(**env))
    return lines


@pytest.mark.timeout(150)
def test_the_how_tos_pass_the_tests_that_they_show(tmp_path, installed):
    write_files(tmp_path, read_files(DOCS / "quickstart.md") | {"notes/resources.py": ""})
    (tmp_path / "notes" / "tests" / "test_notes.py").unlink()
    for page in HOW_TOS:
        write_files(tmp_path, read_files(page))
    apps = ("albums", "cleaner", "notes", "parcels")
    write_files(tmp_path, {"settings/test.py": settings_of(apps)})
    with fresh_database("how_to") as url:
        done = subprocess.run(
            [sys.executable, "manage.py", "test", "-q", "-p", "no:cacheprovider"],
            cwd=tmp_path,
            env=environment(DATABASE_URL=url, PYTHONPATH=installed),
            capture_output=True,
            text=True,
            timeout=100,
        )
        once = subprocess.run(
            [sys.executable, "-m", "cleaner.once"],
            cwd=tmp_path,
            env=environment(
                DATABASE_URL=url, PYTHONPATH=installed, SANIC_CONFIG_MODULE="settings.test"
            ),
            capture_output=True,
            text=True,
            timeout=50,
        )
    assert once.stdout == "cleaned\n", once.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert passed is not None
    assert int(passed[1]) == sum(page.read_text().count("async def test_") for page in HOW_TOS)


def settings_of(apps):
    """Return a settings module with what the how-tos put into settings/base.py."""
    return f"from settings.base import *\n\nDEBUG = True\nINSTALLED_APPS = {apps!r}\n"


@pytest.mark.parametrize("page", [DOCS / "quickstart.md", *HOW_TOS], ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())

    assert [link for link in links if not Path(page.parent, link).exists()] == []
