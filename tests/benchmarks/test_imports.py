"""`python -X importtime` is read as it prints."""

from benchmarks.imports import by_package, read_import_times, summarize

PRINTED = """\
import time: self [us] | cumulative | imported package
import time:       120 |        120 |     sanic.errors
import time:       300 |        420 |   sanic
import time:        80 |        500 | msframework
something else
"""


def test_lines_are_read_with_their_depth():
    found = read_import_times(PRINTED)

    assert [(each.name, each.own, each.whole, each.depth) for each in found] == [
        ("sanic.errors", 120, 120, 2),
        ("sanic", 300, 420, 1),
        ("msframework", 80, 500, 0),
    ]


def test_packages_are_summed_and_sorted():
    assert by_package(read_import_times(PRINTED)) == {"sanic": 420, "msframework": 80}


def test_the_summary_counts_every_module_once():
    summary = summarize("msframework", read_import_times(PRINTED), top=2)

    assert summary["total_ms"] == 0.5
    assert [each["name"] for each in summary["whole"]] == ["msframework", "sanic"]
