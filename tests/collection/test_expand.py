"""`?expand=`: related objects come in the same statement, and keep to their scope."""

import pytest

from msframework import Blueprint, ImproperlyConfigured, ModelResource, ModelSchema
from msframework.collection import Expansion
from msframework.collection.related import read_related
from msframework.models import CharField, ForeignKeyField, Model
from msframework.openapi.spec import build_document
from msframework.testing import budget
from tests.collection.library import Authors, AuthorSchema, Book, BookSchema, CitySchema
from tests.conftest import new_service

LOUISE = {"id": 1, "name": "Louise"}
LYON = {"name": "Lyon", "country": {"id": 1, "name": "France"}}


@pytest.fixture
def ada(books):
    return books.as_principal({"sub": "1"})


async def get(client, path, statements):
    with budget(statements=statements) as spent:
        response = await client.get(path)
    assert response.status == 200, response.text
    assert len(spent) == statements
    return response.json["data"]


async def test_they_come_with_a_list_in_its_statement(ada):
    rows = await get(ada, "/related/books?expand=author", 2)

    assert [row["author"] for row in rows] == [
        LOUISE,
        None,
        LOUISE,
        None,
        {"id": 3, "name": "Nowhere"},
    ]
    assert rows[0] == {"id": 1, "title": "Sonnets", "price": "10.50", "author": LOUISE}


async def test_they_come_with_one_row_in_its_statement(ada):
    row = await get(ada, "/related/books/1?expand=author.city.country", 1)

    assert row["author"] == LOUISE | {"city": LYON}
    assert row["author_id"] == 1
    row = await get(ada, "/related/books/5?expand=author.city", 1)
    assert row["author"] == {"id": 3, "name": "Nowhere", "city": None}
    row = await get(ada, "/related/books/4?expand=author.city", 1)
    assert row["author"] is None


async def test_nothing_is_joined_unasked(ada):
    with budget() as spent:
        rows = (await ada.get("/related/books")).json["data"]

    assert "author" not in rows[0]
    assert "JOIN" not in "".join(map(str, spent.statements))


async def test_they_stand_beside_the_fields_that_are_asked_for(ada):
    rows = await get(ada, "/related/books?fields=title&expand=author.city&per_page=1", 2)

    assert rows == [{"title": "Sonnets", "author": LOUISE | {"city": {"name": "Lyon"}}}]


async def test_they_are_always_there_where_that_is_declared(ada):
    rows = await get(ada, "/related/cursors", 1)

    assert [(row["title"], row["author"]) for row in rows] == [
        ("Anonymous", None),
        ("Secrets", None),
        ("Songs", LOUISE),
    ]
    assert (await get(ada, "/related/cursors/1", 1))["author"] == LOUISE
    following = await ada.get("/related/cursors", params={"cursor": await _next(ada)})
    assert [row["author"] for row in following.json["data"]] == [LOUISE]


async def _next(client):
    return (await client.get("/related/cursors")).json["pagination"]["next"]


PATHS = (
    "/related/books?expand=author",
    "/related/books?expand=author.city.country",
    "/related/books?fields=id&expand=author.city",
    "/related/books/2?expand=author.city",
    "/related/cursors",
    "/related/cursors/2",
    "/related/cursors/2?expand=author",
)


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_outside_of_a_scope_leaks(books, ada, path):
    for client, hidden in ((books, ("Louise", "Hidden")), (ada, ("Hidden",))):
        response = await client.get(path)

        assert response.status == 200, response.text
        for name in (*hidden, "Paris", "hush"):
            assert name not in response.text


async def test_all_may_see_what_is_declared_so(books):
    assert (await get(books, "/related/open/2?expand=author", 1))["author"]["name"] == "Hidden"


async def test_other_names_are_refused(ada):
    response = await ada.get("/related/books?expand=publisher")

    assert response.status == 422
    told = str(response.json["error"]["query"]["expand"])
    assert "Must be one of: author, author.city, author.city.country." in told


def test_the_document_has_them(library_service):
    document = build_document(library_service.operations, library_service.settings)
    schemas = document["components"]["schemas"]

    shown = schemas["BookPartExpanded"]["properties"]["author"]
    assert {"$ref": "#/components/schemas/AuthorExpanded"} in shown["anyOf"]
    assert {"type": "null"} in shown["anyOf"]
    assert "password" not in schemas["AuthorExpanded"]["properties"]
    parameters = document["paths"]["/related/books/{id}"]["get"]["parameters"]
    expand = next(each for each in parameters if each["name"] == "expand")
    assert expand["schema"]["items"]["enum"] == ["author", "author.city", "author.city.country"]


def mistakes_of(expand, *others, schema=BookSchema):
    blueprint, service = Blueprint("wrong", url_prefix="/wrong"), new_service()
    members = {"schema": schema, "expand": expand, "actions": ("list",)}
    blueprint.collection("/")(type("Wrong", (ModelResource,), members))
    for number, other in enumerate(others):
        blueprint.collection(f"/{number}", item=f"/{number}/<id:int>")(other)
    service.blueprint(blueprint)
    with pytest.raises(ImproperlyConfigured) as info:
        service.compile()
    return str(info.value)


DEEP = {
    "author": AuthorSchema,
    "author.city": CitySchema,
    "author.city.country": AuthorSchema,
}
MISTAKES = {
    "no schema": ({"author": Book}, "a schema that is derived from a model"),
    "no key": (
        {"title": AuthorSchema},
        "expand['title'] is no relation of Book; expected one of its foreign keys: author",
    ),
    "column": ({"author_id": AuthorSchema}, "is no relation of Book"),
    "other model": ({"author": CitySchema}, "shows Author by CitySchema"),
    "lost step": ({"author.city": CitySchema}, "goes through 'author', which is not declared"),
    "other model below": (DEEP, "shows Country by AuthorSchema"),
    "scope of others": (
        {"author": Expansion(AuthorSchema, scope=Book)},
        "of another model",
    ),
    "scope": ({"author": Expansion(AuthorSchema, scope=3)}, "has the scope 3"),
    "scope that takes more": (
        {"author": Expansion(AuthorSchema, scope=lambda user: None)},
        "has a scope that takes 'user'",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_said_at_start_up(case):
    expand, found = MISTAKES[case]

    assert found in mistakes_of(expand)


def test_an_expansion_says_a_scope_where_the_collection_has_one():
    found = mistakes_of({"author": AuthorSchema}, Authors)

    assert "answers rows of Authors, which has a scope" in found
    assert "Write Expansion(AuthorSchema, scope=Authors), or scope=None" in found


async def test_a_column_may_be_called_as_a_related_object_was_in_the_statement():
    class Odd(Model):
        related_0 = CharField()
        other = ForeignKeyField("self", null=True)

    schema = ModelSchema.of(Odd)
    related = read_related({"other": schema, "other.other": schema}, Odd)

    query, _ = await related.join(Odd.select(), {"other", "other.other"}, None, None)

    names = [getattr(each, "column_name", None) or each.name for each in query.selected_columns]
    assert sorted(set(names)) == sorted(names)
