"""The texts of pages and counts, rendered once for each shape, are those that peewee renders."""

import random
from datetime import UTC, datetime
from decimal import Decimal

import peewee
import pytest

from msframework.models import sql as sql_module
from msframework.models.sql import PaginatedQuery, Renderer, _refuse_shape
from msframework.pagination.counting import _COUNT, _count_of
from msframework.pagination.keyset import read_keyset, read_text_keyset
from msframework.pagination.position import CursorSide
from msframework.pagination.window import _window_of
from tests.models.test_sql import QUERIES, as_peewee_renders
from tests.pagination.listed import Listed, make_order

# Few of them, so that arguments of one value meet, which cannot be told apart at first.
VALUES = (None, 1, 2, 21, "x", "y", True, Decimal("1.5"), datetime(2024, 1, 1, tzinfo=UTC))
FIELDS = (Listed.id, Listed.name, Listed.rank, Listed.price, Listed.flag, Listed.local)
ALL = (Listed.id, Listed.name, Listed.rank)


@pytest.fixture(params=["shapes", "plain"])
def renderer(request, monkeypatch):
    """What renders, once with the shapes of queries and once without."""
    renderer = Renderer()
    if request.param == "plain":
        renderer._read = _refuse_shape
    monkeypatch.setattr(sql_module, "_RENDERER", renderer)
    return renderer


def make_query(source):
    """Return a select of some columns, with filters and an order of some shape."""
    query = Listed.select(*source.choice(((), ALL, (Listed.note,))))
    if source.random() < 0.5:
        query = query.where(Listed.rank == source.choice((1, 2, 21)))
    if source.random() < 0.3:
        query = query.where(Listed.name.in_(["x", "y"][: source.randint(0, 2)]))
    if source.random() < 0.3:
        query = query.where((Listed.rank > source.choice((1, 2))) | (Listed.price.is_null()))
    if source.random() < 0.2:
        query = query.limit(source.choice((1, 21)))
    if source.random() < 0.2:
        return query.order_by(*make_order(source))
    order = source.sample(FIELDS, source.randint(0, 2))
    return query.order_by(*(source.choice((key.asc, key.desc))() for key in order))


def make_place(source, keyset):
    """Return some place in the order, or none."""
    if source.random() < 0.2:
        return None
    return source.choice(list(CursorSide)), [source.choice(VALUES) for _ in keyset.keys]


def test_a_page_is_rendered_as_peewee_renders_it(renderer):
    source = random.Random(3)
    for _ in range(300):
        keyset = read_keyset(make_query(source))
        place, limit = make_place(source, keyset), source.choice((2, 21))
        expected = as_peewee_renders(keyset.statement(place, limit))

        assert keyset.render(place, limit) == expected

    assert (renderer.hits > 15) is (renderer._read is not _refuse_shape)


def test_a_page_of_a_text_is_rendered_as_peewee_renders_it(renderer):
    source = random.Random(4)
    for _ in range(100):
        order = source.choice((["id"], ["-rank", "id"], ["name", "-id"]))
        keyset = read_text_keyset("SELECT * FROM listed WHERE rank > $1", (7,), order)
        place, limit = make_place(source, keyset), source.choice((2, 21))
        expected = keyset._embed(*as_peewee_renders(keyset.statement(place, limit)))

        assert keyset.render(place, limit) == expected

    assert (renderer.hits > 25) is (renderer._read is not _refuse_shape)


def is_select(query):
    return isinstance(query, peewee.SelectQuery)


def test_a_window_and_a_count_are_rendered_as_peewee_renders_them(renderer):
    made = [make for make in QUERIES.values() if is_select(make())]
    source = random.Random(5)
    made += [lambda: make_query(source)] * 80
    assert len(made) > 110
    for make in made:
        query = make()
        for limit, offset in ((2, 0), (21, 21), (3, 9)):
            listing = PaginatedQuery(query)
            expected = as_peewee_renders(query.limit(limit).offset(offset))
            assert _window_of(listing, (), limit, offset) == expected
            assert listing.render(_COUNT, _count_of) == as_peewee_renders(_count_of(query))

    assert (renderer.hits > 300) is (renderer._read is not _refuse_shape)
