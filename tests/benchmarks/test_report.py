"""The tables say what the runs hold."""

import json

import pytest

from benchmarks.report import markdown_table, render, short_of_goals, summarize, text_table
from tests.benchmarks.results import make_result, make_run

RESULT = make_result(
    make_run("sanic", 100, 0),
    make_run("msframework", 200, 0),
    make_run("sanic", 110, 1),
    make_run("msframework", 165, 1),
    make_run("sanic", 120, 2),
    make_run("msframework", 240, 2),
)


def test_the_ratio_is_of_medians_and_the_worst_is_of_one_round():
    cell = summarize(RESULT)["msframework"]["json"]

    assert cell["rps"] == 200
    assert cell["median"] == pytest.approx(200 / 110)
    assert cell["worst"] == pytest.approx(1.5)
    assert cell["best"] == pytest.approx(2.0)


def test_a_round_that_raw_sanic_lacks_has_no_ratio():
    result = make_result(make_run("sanic", 100, 0), make_run("aiohttp", 1000, 1))

    assert "worst" not in summarize(result)["aiohttp"]["json"]


def test_goals_are_held_against_the_worst_round():
    assert short_of_goals(RESULT) == ["json: 1.500 of sanic, not 1.6"]


def test_the_text_names_ratios_rates_and_versions():
    text = render(RESULT)

    assert "1.82 (1.50)" in text
    assert "110/s" in text
    assert "sanic 25.12.1" in text


def test_the_json_holds_the_summary():
    assert json.loads(render(RESULT, "json"))["summary"] == summarize(RESULT)


def test_a_result_without_load_shows_its_proof():
    result = make_result() | {"workloads": ["fanout"]}
    result["proof"] = {"sanic": {"fanout": {"statements": {"select": 1.0}, "upstream_calls": 2.0}}}

    assert "1 select + 2 calls" in render(result, "markdown")


def test_columns_are_even():
    rows = [["name", "a"], ["x", "1,000"]]

    assert markdown_table(rows) == "| name |     a |\n| ---- | ----: |\n| x    | 1,000 |"
    assert text_table(rows) == "name      a\n----  -----\nx     1,000"
