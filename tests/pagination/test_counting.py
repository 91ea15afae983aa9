"""How many rows a listing has: counted, estimated, or not at all."""

import pytest

from msframework.pagination import CursorPage, Offsets, Page, Pages
from msframework.pagination.counting import Total, read_total
from msframework.pagination.parameters import LARGEST
from msframework.table import Table


@pytest.mark.parametrize(
    ("given", "expected"),
    [(True, Total.EXACT), (False, Total.NONE), ("estimate", Total.ESTIMATE)],
    ids=["True", "False", "estimate"],
)
def test_a_way_of_counting_is_read(given, expected):
    assert read_total(given) is expected


MISTAKES = {
    "total": (Pages(total="some"), 'total=\'some\'; expected one of "exact", "estimate", "none"'),
    "zero": (Pages(per_page=0), "per_page=0; expected a whole number of 1 or more"),
    "bool": (Pages(max_per_page=True), "max_per_page=True; expected a whole number"),
    "float": (Offsets(limit=1.5), "limit=1.5; expected a whole number"),
    "page times size": (Pages(max_page=2**60), "expected no more than 9223372036854775807 rows"),
    "offset and limit": (Offsets(max_offset=LARGEST), "expected no more than 9223372036854775807"),
    "names": (Offsets(names=("limit", "total")), "names=('limit', 'total'); expected the names"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_of_a_declaration_is_named(name):
    declared, text = MISTAKES[name]
    (mistake,) = declared.find_mistakes()

    assert text in mistake


def test_a_right_declaration_has_no_mistake():
    assert not [*Pages().find_mistakes(), *Offsets(max_offset=LARGEST - 100).find_mistakes()]
    assert Pages(max_page=LARGEST // 100).compile() is not None


class Rows:
    """A source of *count* rows, which notes what it is asked."""

    def __init__(self, count, estimate=0):
        self.count, self.estimate, self.asked = count, estimate, []

    async def fetchval(self, query, *args):
        self.asked.append(query)
        return [{"Plan": {"Plan Rows": self.estimate}}] if "EXPLAIN" in query else self.count

    async def table(self, query, *args):
        limit, offset = args[-2:]
        return Table(list(range(self.count))[offset : offset + limit])


@pytest.mark.parametrize(
    ("page", "count", "estimate", "total", "following", "last"),
    [
        (1, 5, 1000, 1000, 2, None),
        (3, 5, 1000, 5, None, 3),
        (2, 4, 1000, 4, None, 2),
        (1, 0, 1000, 0, None, 1),
        (9, 5, 1000, 16, None, None),
        (1, 5, 1, 3, 2, None),
    ],
)
async def test_an_estimate_is_exact_where_the_end_is_seen(
    page, count, estimate, total, following, last
):
    result = await Page(page, 2, Total.ESTIMATE).fetch(Rows(count, estimate), "SELECT 1")

    assert result.pagination["total"] == total
    assert (result.links.next, result.links.last) == (following, last)
    assert len(result.table.records) <= 2


async def test_a_count_that_is_given_is_asked_of_nobody():
    rows = Rows(50)
    result = await Page(1, 20, Total.ESTIMATE).fetch(rows, "SELECT 1", total=50)

    assert (result.pagination["total"], result.links.last, rows.asked) == (50, 3, [])


async def test_the_last_page_that_may_be_asked_for_has_none_after_it():
    result = await Page(2, 2, Total.EXACT, max_page=2).fetch(Rows(50), "SELECT 1")

    assert (result.links.next, result.links.prev, result.links.last) == (None, 1, None)


def test_a_cursor_page_has_a_limit():
    assert CursorPage(7).limit == 7
