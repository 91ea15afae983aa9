"""What commands are handed."""

import os

import pytest

from msframework.conf.loader import MODULE_VARIABLE
from msframework.exceptions import ImproperlyConfigured
from msframework.management.project import Project


@pytest.fixture(autouse=True)
def in_project(project, monkeypatch):
    """Let the project be importable and nothing be chosen."""
    monkeypatch.syspath_prepend(project)
    monkeypatch.setenv(MODULE_VARIABLE, "")


def test_the_option_wins_over_the_variable_and_that_over_the_default(monkeypatch):
    project = Project("shop.settings")
    assert project.module == "shop.settings"

    monkeypatch.setenv(MODULE_VARIABLE, "shop.other")
    assert project.module == "shop.other"

    project.chosen = "shop.third"
    assert project.module == "shop.third"


def test_settings_are_read_once_and_named_for_child_processes():
    project = Project("shop.settings")

    assert project.settings is project.settings
    assert os.environ[MODULE_VARIABLE] == "shop.settings"


def test_wrong_settings_raise_each_time():
    project = Project("shop.broken")

    for _ in range(2):
        with pytest.raises(ImproperlyConfigured, match="PROT"):
            _ = project.settings


@pytest.mark.parametrize(
    ("preferred", "module"),
    [
        ("shop.settings", "shop.settings"),
        ("shop.none", "shop.broken"),
        ("nowhere.settings", "shop.broken"),
    ],
)
def test_settings_are_preferred_where_the_project_has_them(preferred, module):
    project = Project("shop.broken")

    project.prefer_settings(preferred)

    assert project.module == module


def test_preferred_settings_lose_against_chosen_ones():
    project = Project("shop.broken")
    project.chosen = "shop.broken"

    project.prefer_settings("shop.settings")

    assert project.module == "shop.broken"


def test_overrides_win_over_module_variable_and_file(monkeypatch, tmp_path):
    monkeypatch.setenv("PORT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("HOST", "127.0.0.2")
    monkeypatch.setenv("PORT", "1")
    project = Project("shop.settings")

    project.override({"PORT": 9000, "HOST": None})

    assert project.settings.server.port == 9000
    assert project.settings.server.host == "127.0.0.2"


def test_a_table_in_a_pipe_is_one_line_a_row_however_long(capsys):
    long = "x" * 300

    Project().table(("name", "value"), [("a", long), ("[b]", "2")])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["name", "value"]
    assert lines[1].split() == ["a", long]
    assert lines[2].split() == ["[b]", "2"]
