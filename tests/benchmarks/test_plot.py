"""Plots are well-formed SVG with round numbers on their axes."""

from xml.etree import ElementTree

import pytest

from benchmarks.plot import Axis, draw, linear_ticks, log_ticks

SVG = "{http://www.w3.org/2000/svg}"


def test_every_series_is_a_line_with_its_name():
    text = draw("a <b>", "x", "y", {"ours & theirs": [(1, 5), (10, 50)], "other": [(1, 2)]})
    root = ElementTree.fromstring(text)

    assert len(root.findall(f"{SVG}polyline")) == 2
    assert len(root.findall(f"{SVG}circle")) == 3
    assert "ours & theirs" in [each.text for each in root.iter(f"{SVG}text")]


@pytest.mark.parametrize(("log", "middle"), [(False, 50.5), (True, 10.0)])
def test_an_axis_places_the_middle_in_the_middle(log, middle):
    axis = Axis(1, 100, 0, 200, log)

    assert [axis.place(value) for value in (1, middle, 100)] == [0, 100, 200]


def test_ticks_are_round():
    assert linear_ticks(0, 1080) == [0, 200, 400, 600, 800, 1000]
    assert linear_ticks(0, 13_000)[-1] == 12_000
    assert linear_ticks(0, 0.9) == [0, 0.2, 0.4, 0.6, 0.8]
    assert log_ticks(1, 1024) == [1, 10, 100, 1000]
    assert log_ticks(3, 30) == [5, 10, 20]


@pytest.mark.parametrize("log", [False, True])
def test_points_that_are_spread_by_factors_are_marked(log):
    text = draw("a", "x", "y", {"ours": [(1, 5), (64, 10), (1024, 9)]}, log_x=log)
    labels = [each.text for each in ElementTree.fromstring(text).iter(f"{SVG}text")]

    assert ("64" in labels, "1,024" in labels) == (log, log)


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match="nothing to draw"):
        draw("empty", "x", "y", {})
