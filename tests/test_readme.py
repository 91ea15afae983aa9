"""The tour of the README works as printed, in both languages."""

import re
from pathlib import Path

import pytest

from tests.console import ROOT, environment, read_steps, run_step
from tests.processes import ServerProcess, fresh_database

PAGES = ("README.md", "README.zh-CN.md")


# NOTE: the tour of the other one is the same; see the next test.
@pytest.mark.parametrize("page", [PAGES[0], pytest.param(PAGES[1], marks=pytest.mark.acceptance)])
def test_the_tour_works_as_printed(page, tmp_path):
    log = tmp_path / "runserver.log"
    differences = []
    with (
        fresh_database("readme") as url,
        ServerProcess(log, DATABASE_URL=url) as server,
    ):
        for step in read_steps(ROOT / page):
            differences += run_step(step, port=server.port, cwd=tmp_path, env=environment())
    assert not differences, "\n".join(differences)


def test_both_languages_show_the_same_tour():
    first, second = (read_steps(ROOT / page) for page in PAGES)

    assert first == second


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text())

    assert [link for link in links if not Path(ROOT, link).exists()] == []
