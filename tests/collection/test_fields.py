"""`?fields=`: only what is asked for is selected and answered."""

import pytest

from msframework import ALL, Blueprint, ImproperlyConfigured, ModelResource
from msframework.openapi.spec import build_document
from msframework.schemas import fields
from msframework.testing import budget
from tests.collection.library import Book, BookSchema
from tests.conftest import new_service

ANSWERS = {
    "list": ("/chosen/all?fields=id,title&title=Songs", [{"id": 3, "title": "Songs"}]),
    "repeated": ("/chosen/all?fields=id&fields=price&title=Songs", [{"id": 3, "price": "3.00"}]),
    "not the order": ("/chosen/all?fields=id&sort=-title", [{"id": n} for n in (5, 1, 3, 2, 4)]),
    "without the key": ("/chosen/all?fields=blurb&title=Songs", [{"blurb": "More."}]),
    "null": ("/chosen/all?fields=author_id&title=Anonymous", [{"author_id": None}]),
    "one": ("/chosen/all/3?fields=title", {"title": "Songs"}),
    "one in scope": ("/chosen/some/1?fields=id,blurb", {"id": 1, "blurb": "Verse."}),
    "in pages of cursors": ("/chosen/some?fields=price", [{"price": "7.00"}, {"price": "10.50"}]),
    "by a method of its own": ("/chosen/own/3?fields=id", None),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_only_the_fields_that_are_asked_for_are_answered(books, case):
    path, expected = ANSWERS[case]

    response = await books.get(path)

    assert response.status == 200, response.text
    if expected is None:
        expected = (await books.get(path.partition("?")[0])).json["data"]
    assert response.json["data"] == expected


async def test_all_are_answered_where_nothing_is_said(books):
    assert (await books.get("/chosen/all?title=Songs")).json["data"] == [
        {"id": 3, "title": "Songs", "price": "3.00", "blurb": "More.", "author_id": 1}
    ]
    assert (await books.get("/chosen/some/9?fields=id")).status == 404


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/chosen/all?fields=id,blurp", "id, title, price, blurb, author_id. Did you mean 'blurb'"),
        ("/chosen/some?fields=title", "id, price."),
        ("/chosen/some?fields=blurb", "id, price."),
        ("/chosen/some/1?fields=title", "id, price, blurb."),
        ("/chosen/all?fields=", "id, title, price, blurb, author_id."),
    ],
    ids=["unknown", "not offered", "not in the list", "not of one", "empty"],
)
async def test_other_names_are_refused(books, path, allowed):
    response = await books.get(path)

    assert response.status == 422
    assert allowed in str(response.json["error"]["query"]["fields"])


async def test_only_their_columns_are_selected(books):
    with budget() as spent:
        await books.get("/chosen/all/3?fields=title")
        await books.get("/chosen/all?fields=id")

    texts = [text for text in map(str, spent.statements) if "COUNT" not in text]
    assert len(texts) == 2
    for text in texts:
        assert "price" not in text
        assert "author_id" not in text
    assert "title" in texts[0]


def test_the_document_lists_them_and_requires_none(library_service):
    document = build_document(library_service.operations, library_service.settings)
    paths, schemas = document["paths"], document["components"]["schemas"]

    for path, names in (
        ("/chosen/some", ["id", "price"]),
        ("/chosen/some/{id}", ["id", "price", "blurb"]),
    ):
        parameters = {each["name"]: each for each in paths[path]["get"]["parameters"]}
        found = parameters["fields"]
        assert (found["style"], found["explode"]) == ("form", False)
        assert found["schema"]["items"]["enum"] == names
    assert "required" not in schemas["BookRowPart"]
    assert "required" in schemas["Book"]


def _shouted(schema):
    return type("Shouted", (schema,), {"shout": fields.Function(lambda row: row["title"])})


class _Meta(BookSchema.Meta):
    fields = ("id", "shout")
    register = False


MISTAKES = {
    "a text": ("id", BookSchema, "fields is 'id'"),
    "unknown": (("id", "name"), BookSchema, "fields names 'name', which no answer has"),
    "made": (
        ALL,
        type("Shouting", (_shouted(BookSchema),), {"Meta": _Meta}),
        "whose field 'shout' is no column",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_said_at_start_up(case):
    said, schema, found = MISTAKES[case]
    blueprint, service = Blueprint("wrong", url_prefix="/wrong"), new_service()
    members = {"schema": schema, "fields": said, "model": Book}
    blueprint.collection("/", item="/<id:int>")(type("Wrong", (ModelResource,), members))
    service.blueprint(blueprint)

    with pytest.raises(ImproperlyConfigured) as info:
        service.compile()

    assert found in str(info.value)
