"""docs/reference/settings.md is written from the declarations, and current."""

from pathlib import Path

from msframework.conf.catalogue import declarations
from msframework.conf.reference import render_reference
from msframework.conf.settings import ServiceEntry
from tests.conftest import PRODUCTION

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def test_the_page_is_current(monkeypatch):
    monkeypatch.setattr(ServiceEntry.__init__, "__defaults__", PRODUCTION)

    assert PAGE.read_text(encoding="utf-8") == render_reference(), "run `make reference`"


def test_every_setting_is_in_the_reference():
    text = render_reference()

    assert [name for name in declarations() if f"| `{name}` |" not in text] == []
