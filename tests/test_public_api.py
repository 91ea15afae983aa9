"""`msframework` gives the names that it lists, and lists all that it gives."""

import ast
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

import pytest

import msframework
from msframework import exceptions

SOURCE = Path(msframework.__file__)
PYPROJECT = SOURCE.parents[1] / "pyproject.toml"


def imported_names() -> set[str]:
    """Return the names that the import statements of the package bind."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }


def test_all_lists_exactly_what_is_imported():
    assert set(msframework.__all__) == imported_names()


def test_all_is_sorted_as_a_reader_looks_names_up():
    assert msframework.__all__ == sorted(msframework.__all__, key=str.casefold)


@pytest.mark.parametrize("name", msframework.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name):
    value = getattr(msframework, name)

    if isinstance(value, type) and issubclass(value, Exception):
        assert f" {name} " in f"{exceptions.__doc__}".replace("\n", " \n")
    elif callable(value) or isinstance(value, ModuleType):
        assert (value.__doc__ or "").strip()


def test_the_version_is_the_one_of_the_package():
    assert f'\nversion = "{msframework.__version__}"\n' in PYPROJECT.read_text(encoding="utf-8")


def test_an_installed_package_has_the_same_version():
    try:
        installed = version("msframework")
    except PackageNotFoundError:
        pytest.skip("runs from the checkout, not installed")

    assert installed == msframework.__version__


def test_types_are_shipped():
    assert SOURCE.with_name("py.typed").exists()
