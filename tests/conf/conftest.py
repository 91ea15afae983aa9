"""Settings modules made for one test."""

import itertools
import sys

import pytest

from msframework.conf.loader import load_settings
from msframework.exceptions import ImproperlyConfigured

_numbers = itertools.count()


@pytest.fixture
def settings_module(tmp_path, monkeypatch):
    """Write a settings module, return its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str) -> str:
        name = f"written_settings_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
        return name

    return write


@pytest.fixture
def load(settings_module):
    """Load settings from the source of a module and variables of the environment."""

    def load(source: str = "DEBUG = True", **environ: str):
        return load_settings(settings_module(source), environ)

    return load


@pytest.fixture
def problems(load):
    """Return what is found wrong with a source and variables."""

    def problems(source: str = "DEBUG = True", **environ: str) -> tuple[str, ...]:
        with pytest.raises(ImproperlyConfigured) as caught:
            load(source, **environ)
        return caught.value.problems

    return problems
