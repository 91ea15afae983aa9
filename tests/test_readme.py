"""The tour of the README works as printed, in both languages."""

import re
import time
from pathlib import Path

import pytest

from tests.console import ROOT, environment, read_steps, run_step
from tests.processes import ServerProcess, fresh_database

PAGES = ("README.md", "README.zh-CN.md")


@pytest.mark.parametrize("page", PAGES)
def test_the_tour_works_as_printed(page, tmp_path):
    log = tmp_path / "runserver.log"
    differences = []
    with (
        fresh_database("readme") as url,
        ServerProcess(log, DATABASE_URL=url, TRACE_FLUSH_INTERVAL="0.02") as server,
    ):
        for step in read_steps(ROOT / page):
            differences += run_until_alike(step, server.port, tmp_path)
    assert not differences, "\n".join(differences)


def run_until_alike(step, port, cwd, patience=3.0):
    """Run *step*; one that looks into the log may have to wait for what is on its way there."""
    deadline = time.monotonic() + patience
    while True:
        differences = run_step(step, port=port, cwd=cwd, env=environment())
        if not differences or not step.command.startswith("grep") or time.monotonic() > deadline:
            return differences


def test_both_languages_show_the_same_tour():
    first, second = (read_steps(ROOT / page) for page in PAGES)

    assert first == second


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text())

    assert [link for link in links if not Path(ROOT, link).exists()] == []
