"""What is watched for changes: what people edit, from before the workers read it."""

import importlib
import os
import sys

import pytest

from msframework.management.watch import Watch, sources

FILES = ("shop/resources.py", "settings/logging.yml", "pyproject.toml", "shop/page.html")
NOT_OURS = (
    "shop/__pycache__/resources.cpython-311.pyc",
    "server.log",
    "data/things.json",
    ".msframework/postgres/data.py",
    ".git/hooks/hook.py",
    "env/lib/library.py",
    "node_modules/thing/build.py",
)


@pytest.fixture
def folder(tmp_path):
    """Return a project's folder with files to watch, and others."""
    for name in (*FILES, *NOT_OURS, "env/pyvenv.cfg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def age(path, seconds):
    """Set the time of change of *path* back by *seconds*; forward where negative."""
    changed = path.stat().st_mtime - seconds
    os.utime(path, (changed, changed))


@pytest.fixture
def watch(folder):
    """Return what watches the folder."""
    for name in (*FILES, *NOT_OURS):
        age(folder / name, 60)
    return Watch([folder])


def test_what_people_edit_is_watched(folder):
    assert sorted(sources([folder])) == sorted(str(folder / name) for name in FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_change_after_the_first_look_is_seen_once(watch, folder, name):
    age(folder / name, -60)

    assert list(watch.changed()) == [str(folder / name)]
    assert list(watch.changed()) == []


@pytest.mark.parametrize("name", NOT_OURS)
def test_what_a_service_writes_is_no_change(watch, folder, name):
    age(folder / name, -60)

    assert list(watch.changed()) == []


def test_imported_modules_are_watched_wherever_they_lie(watch):
    assert __file__ in list(watch.files())


def test_a_file_that_comes_and_one_that_goes_are_changes(watch, folder):
    new = folder / "shop" / "migrations.py"
    new.touch()
    assert list(watch.changed()) == [str(new)]
    new.unlink()
    assert list(watch.changed()) == [str(new)]
    assert list(watch.changed()) == []


def test_a_file_that_is_older_than_before_has_changed(watch, folder):
    age(folder / FILES[0], 3600)  # a checkout of another branch may keep times

    assert list(watch.changed()) == [str(folder / FILES[0])]


def test_a_module_that_is_imported_later_is_no_change(watch, tmp_path_factory, monkeypatch):
    library = tmp_path_factory.mktemp("library") / "late_library.py"
    library.touch()
    monkeypatch.syspath_prepend(library.parent)
    monkeypatch.setitem(sys.modules, "late_library", importlib.import_module("late_library"))

    assert list(watch.changed()) == []
    age(library, -60)
    assert list(watch.changed()) == [str(library)]
