"""docs/reference/settings.md is written from the declarations, and current."""

from pathlib import Path

import pytest

from msframework.conf.catalogue import declarations
from msframework.conf.reference import render_reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


@pytest.fixture
def patience():
    """Leave the settings as they are."""


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == render_reference(), "run `make reference`"


def test_every_setting_is_in_the_reference():
    text = render_reference()

    assert [name for name in declarations() if f"| `{name}` |" not in text] == []
