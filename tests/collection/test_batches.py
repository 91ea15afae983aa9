"""What comes to all rows at once, after these: any class with the members of `Batch`."""

from unittest.mock import Mock

import pytest

from msframework.collection import Expansion
from msframework.collection.related import read_related
from msframework.filters import FilterReader
from msframework.testing import budget
from tests.collection.library import AuthorSchema, Book, BooksOnShelves, CitySchema
from tests.collection.test_expand import get, mistakes_of

VERSE = {"number": 6, "held": False}


@pytest.fixture
def calls():
    shelf = BooksOnShelves.expand["shelf"]
    shelf.calls.clear()
    return shelf.calls


async def test_a_remote_batch_is_fetched_for_a_list_once_the_connection_is_given_back(books, calls):
    rows = await get(books, "/related/shelves?expand=shelf,author", 2)

    assert [(row["shelf"], row["author"] and row["author"]["id"]) for row in rows] == [
        (VERSE, 1),
        (None, 2),
        (None, None),
        (None, 3),
    ]
    assert calls == [["Verse."]]
    assert rows[0].keys() == {"id", "title", "price", "shelf", "author"}


async def test_a_remote_batch_is_fetched_for_one_row(books, calls):
    assert (await get(books, "/related/shelves/1?expand=shelf", 1))["shelf"] == VERSE
    assert (await get(books, "/related/shelves/1?fields=title&expand=shelf", 1)) == {
        "title": "Sonnets",
        "shelf": VERSE,
    }


@pytest.mark.parametrize("query", ["", "?expand=author", "?page=9&expand=shelf"])
async def test_a_batch_is_fetched_where_it_is_asked_for_and_there_are_rows(books, calls, query):
    with budget() as spent:
        await books.get(f"/related/shelves{query}")

    assert calls == []
    assert "msframework_key" not in "".join(map(str, spent.statements)) or "page" in query


async def test_a_row_without_a_key_has_no_object(books, calls):
    assert (await get(books, "/related/shelves/2?expand=shelf", 1))["shelf"] is None
    assert calls == []


def test_mistakes_of_a_batched_expansion_are_reported_at_start_up():
    shelf = BooksOnShelves.expand["shelf"]
    expand = {
        "author": AuthorSchema,
        "author.shelf": shelf,
        "shelf": shelf,
        "shelf.author": AuthorSchema,
    }
    found = mistakes_of(expand)

    assert "expand['author.shelf'] needs a blurb; expected a model that has one" in found
    assert "expand['shelf'] " not in found
    assert "goes through 'shelf', whose objects have no relations" in found


def test_an_expansion_that_is_always_answered_includes_those_on_its_path():
    expand = {"author": AuthorSchema, "author.city": Expansion(CitySchema, always=True)}
    related = read_related(expand, Book)

    assert related.asked(FilterReader(Book).compile()(Mock(query_string=""), {})) == {
        "author",
        "author.city",
    }
