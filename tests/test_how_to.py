"""Every how-to works for its reader: its files in a project of their own, tested as it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console import ROOT, environment, read_files, read_steps, run_step
from tests.processes import ServerProcess, fresh_database

PAGES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
QUICKSTART = ROOT / "docs" / "quickstart.md"
# Pages without tests of their own, and what shows that they hold.
WITHOUT_TESTS = {
    "pgbouncer": "tests/acceptance/test_pgbouncer.py",
    "production": "tests/deploy/test_production.py",
    "safe-migrations": "tests/migrations/test_lint.py",
    "tls": "tests/acceptance/test_tls.py",
}
TESTED = [page for page in PAGES if page.stem not in WITHOUT_TESTS]


def write_project(folder: Path, page: Path) -> None:
    """Write what the quickstart makes into *folder*, and the files of *page* over it."""
    files = read_files(QUICKSTART)
    own = read_files(page)
    base = own.pop("settings/base.py", "")
    test = own.pop("settings/test.py", "from settings.development import *\n")
    apps = {"notes", *(path.partition("/")[0] for path in own)} - {"settings", "tests"}
    if page.stem == "testing":  # it is about the services of this repository
        files = {path: files[path] for path in ("manage.py", "pyproject.toml")}
        apps = {"apps.regions", "apps.roles", "apps.users"}
        others = (
            '{"regions": {"url": "http://127.0.0.1:9"}, "roles": {"url": "http://127.0.0.1:9"}}'
        )
        base += f"SERVICES = {others}\n"
    elif "notes/resources.py" in own:
        del files["notes/tests/test_notes.py"]  # of the resources that the page replaces
    settings = f"DEBUG = True\nINSTALLED_APPS = {tuple(sorted(apps))!r}\n"
    files |= own | {"settings/base.py": base}
    files["settings/development.py"] = f"from settings.base import *\n{settings}"
    files["settings/test.py"] = test
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if page.stem == "testing":
        (folder / "apps").symlink_to(ROOT / "apps")


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """Give a folder in which msframework is installed, and nothing else of this repository."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "msframework").symlink_to(ROOT / "msframework")
    about = folder / "msframework-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: msframework\nVersion: 0.1.0\n")
    plugin = "msframework.testing.plugin"
    (about / "entry_points.txt").write_text(f"[pytest11]\n{plugin} = {plugin}\n")
    return folder


# NOTE: each page is a project with processes of its own, so two of them are in every run and all
# of them, by both commands, among the heavy tests.
COMMANDS = {"pytest": ("-m", "pytest"), "test": ("manage.py", "test")}
DAILY = {("background-work", "pytest"), ("refresh-tokens", "pytest")}
RUNS = [
    pytest.param(
        page,
        COMMANDS[name],
        id=f"{page.stem} {name}",
        marks=[] if (page.stem, name) in DAILY else [pytest.mark.acceptance],
    )
    for page in TESTED
    for name in COMMANDS
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("page", "command"), RUNS)
def test_a_how_to_works_in_a_project_of_its_own(page, command, installed, tmp_path):
    write_project(tmp_path, page)

    with fresh_database("how_to") as url:
        done = subprocess.run(
            [sys.executable, *command, "-q", *read_tests(page)],
            cwd=tmp_path,
            env=environment(watched=False, DATABASE_URL=url, PYTHONPATH=str(installed)),
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)


def read_tests(page: Path) -> list[str]:
    """Return the test files of *page*."""
    return [name for name in read_files(page) if "test_" in name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_how_to_is_run(page):
    shown = WITHOUT_TESTS.get(page.stem)

    assert bool(read_tests(page)) is (shown is None)
    assert shown is None or (ROOT / shown).exists()


@pytest.mark.timeout(600)
def test_the_quickstart_works_as_printed(installed, tmp_path):
    for name, text in read_files(QUICKSTART).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    steps = read_steps(QUICKSTART)
    calls = [step for step in steps if step.command.startswith("curl")]
    differences = []

    with fresh_database("quickstart") as url:
        env = {"DATABASE_URL": url, "PYTHONPATH": str(installed)}

        def run(step, port):
            differences.extend(
                run_step(step, port=port, cwd=tmp_path, env=environment(watched=False, **env))
            )

        for step in steps[: steps.index(calls[0])]:
            run(step, 0)
        with ServerProcess(tmp_path / "log", cwd=tmp_path, **env) as server:
            for step in calls:
                run(step, server.port)
        for step in steps[steps.index(calls[-1]) + 1 :]:
            run(step, 0)

    assert not differences, "\n".join(differences)
