"""The directory that the workers of a supervisor share: made, removed, and left by the killed."""

import fcntl
import os

import pytest

from msframework.exceptions import ImproperlyConfigured
from msframework.metrics import directory
from msframework.metrics.directory import shared_directory


@pytest.fixture(autouse=True)
def _own_place(tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "_IN_MEMORY", str(tmp_path))


def leave(tmp_path, name, *, lock=True):
    """Leave the directory of a supervisor that is gone, or, without a lock, of one that starts."""
    path = tmp_path / f"msframework-metrics-{name}"
    path.mkdir()
    if lock:
        (path / "supervisor.lock").touch()
    return path


def test_it_is_nobody_elses_and_ends_with_the_block(tmp_path):
    with shared_directory() as path:
        assert os.stat(path).st_mode & 0o777 == 0o700

    assert list(tmp_path.iterdir()) == []


def test_the_directories_of_supervisors_that_were_killed_are_removed(tmp_path):
    left, begun = leave(tmp_path, "left"), leave(tmp_path, "begun", lock=False)
    with shared_directory() as path, shared_directory() as other:
        names = {entry.name for entry in tmp_path.iterdir()}

    assert names == {begun.name, os.path.basename(path), os.path.basename(other)}
    assert not left.exists()


def test_what_is_locked_stays(tmp_path):
    path = leave(tmp_path, "other")
    with open(path / "supervisor.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with shared_directory():
            pass

    assert path.exists()


def test_another_place_is_taken_where_that_in_memory_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "_IN_MEMORY", str(tmp_path / "missing"))
    monkeypatch.setattr(directory.tempfile, "tempdir", str(tmp_path))

    with shared_directory() as path:
        assert os.path.dirname(path) == str(tmp_path)


def test_a_place_without_room_is_a_problem_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "_ROOM", 1 << 60)
    monkeypatch.setattr(directory.tempfile, "tempdir", str(tmp_path))

    with pytest.raises(ImproperlyConfigured, match="Name one in TMPDIR"):
        with shared_directory():
            pass

    assert list(tmp_path.iterdir()) == []
