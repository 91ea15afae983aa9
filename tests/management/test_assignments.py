"""`check` warns of a setting that its module assigns twice, and nobody read in between."""

import pytest

from msframework.management.assignments import find_lost_settings


@pytest.fixture
def find(tmp_path, monkeypatch):
    """Return the function that finds what is lost in a module of the given lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, *lines):
        (tmp_path / f"{name}.py").write_text("\n".join(lines))
        return list(find_lost_settings(name))

    return write


def test_a_second_function_that_configures_takes_the_place_of_the_first(find):
    found = find("lost_once", 'CONFIGURE = "a.configure"', "DEBUG = True", 'CONFIGURE = "b.go"')

    assert found == [
        "lost_once.py:3: CONFIGURE is assigned again, so its value of line 1 is lost. Name one "
        "function, and call the others in it."
    ]


def test_modules_that_are_imported_with_a_star_are_read_once(find):
    find("lost_base", "EXTRA = {}", "EXTRA = {1: 2}")

    [found] = find("lost_above", "from lost_base import *", "from lost_base import *", "EXTRA = 3")

    assert found.startswith("lost_base.py:2: EXTRA is assigned again")


@pytest.mark.parametrize(
    "lines",
    [
        ("INSTALLED_APPS = (1,)", "INSTALLED_APPS = (*INSTALLED_APPS, 2)"),
        ("EXTRA = {}", "other = EXTRA", "EXTRA = {1: 2}"),
        ("DEBUG = False", "if 1 > 0:", "    DEBUG = True"),
        ("key = 1", "key = 2", "_KEY = 1", "_KEY = 2"),
    ],
    ids=["grown", "read", "a branch", "names of its own"],
)
def test_what_is_meant_is_no_mistake(find, lines):
    assert find("lost_never", *lines) == []


@pytest.mark.parametrize("module", ["", "lost_nowhere", "sys"])
def test_a_module_without_a_file_has_nothing_to_read(module):
    assert list(find_lost_settings(module)) == []
