"""The documentation hangs together: the index has every page, links lead somewhere, code runs."""

import re
from pathlib import Path

import pytest

from msframework import Blueprint
from msframework.access import HTTPBasic

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Those whose files are a project of their own, or migrations, which other tests run.
APART = {"quickstart.md", "migrations.md"}
WITH_CODE = [
    page
    for page in PAGES
    if page.parent.name != "how-to" and page.name not in APART and CODE.search(page.read_text())
]


def links_of(page: Path) -> set[Path]:
    """Return the files of this project that *page* links to."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    return {(page.parent / target).resolve() for target in targets if "://" not in target}


def test_the_index_lists_every_page():
    index = DOCS / "index.md"

    assert set(PAGES) - links_of(index) - {index} == set()


@pytest.mark.parametrize(
    "page", [*PAGES, *ROOT.glob("*.md")], ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_somewhere(page):
    assert [str(target) for target in links_of(page) if not target.exists()] == []


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs_and_its_endpoints_compile(page, make_service):
    names: dict = {"__name__": f"page_{page.stem}"}

    for block in CODE.findall(page.read_text(encoding="utf-8")):
        exec(compile(block, str(page), "exec"), names)

    service = make_service(access={"authenticators": {"basic": HTTPBasic({})}})
    for value in [each for each in names.values() if isinstance(each, Blueprint)]:
        service.blueprint(value)
    service.compile()
