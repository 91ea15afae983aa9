"""Bodies and answers whose data stands under a key, partial ones, and attributes of exceptions."""

from typing import ClassVar

import aiohttp
import pytest
import pytest_asyncio
from marshmallow import Schema, fields

from msframework import Blueprint, NotFound, Reply, doc
from msframework.exceptions import Conflict, ImproperlyConfigured, Overloaded
from msframework.openapi.spec import build_document
from tests.conftest import new_service, serve_service

pytestmark = pytest.mark.asyncio(loop_scope="module")


class ArticleSchema(Schema):
    title = fields.String(required=True)
    price = fields.Decimal(as_string=True)


class SoldOut(Conflict):
    error: ClassVar = {"title": ["sold out"]}
    headers: ClassVar = {"Retry-After": "7"}


def make_service(**changes):
    service = new_service(**changes)
    articles = Blueprint("articles", url_prefix="/articles")

    @articles.post("/")
    @doc.consumes(ArticleSchema, key="article")
    @doc.produces(ArticleSchema, status=201, key="article")
    @doc.produces({"id": int}, status=202)
    async def create(request, body):
        assert request.data is body
        return Reply({"id": 1}, status=202) if body["title"] == "later" else body

    @articles.put("/")
    @doc.consumes(ArticleSchema, partial=True, key="article")
    async def change(request, body):
        return body

    @articles.patch("/")
    @doc.consumes(ArticleSchema, partial=False)
    @doc.produces(ArticleSchema)
    async def replace(request, body):
        return body

    @articles.post("/many")
    @doc.consumes([ArticleSchema], key='the "list"')
    @doc.produces([ArticleSchema], key='the "list"')
    async def create_many(request, body):
        return body

    @articles.get("/")
    @doc.paginate()
    @doc.produces([ArticleSchema], key="articles")
    async def listed(request, page):
        return [{"title": "a"}], {"page": 1, "per_page": 20}

    @articles.get("/nothing")
    @doc.produces(key="article")
    async def nothing(request):
        return None

    @articles.get("/<number:int>")
    @doc.raises(SoldOut)
    async def read(request, number):
        raise (SoldOut(), SoldOut("only this one"), NotFound(), Overloaded())[number]

    service.blueprint(articles)
    return service


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def call():
    service = make_service()
    async with serve_service(service) as (host, port), aiohttp.ClientSession() as session:

        async def call(method, path, **options):
            address = f"http://{host}:{port}/articles{path}"
            async with session.request(method, address, **options) as response:
                return response.status, await response.json()

        yield call


async def test_a_body_and_its_answer_stand_under_a_key(call):
    article = {"title": "a", "price": "0.1000000000000000000001"}

    assert await call("POST", "/", json={"article": article}) == (
        201,
        {"code": 0, "data": {"article": article}},
    )
    assert await call("POST", "/", json={"article": {"title": "later"}}) == (
        202,
        {"code": 0, "data": {"id": 1}},
    )
    assert await call("POST", "/many", json={'the "list"': [article]}) == (
        200,
        {"code": 0, "data": {'the "list"': [article]}},
    )
    assert await call("GET", "/nothing") == (200, {"code": 0, "data": {"article": None}})


async def test_a_page_stands_under_a_key(call):
    assert await call("GET", "/") == (
        200,
        {
            "code": 0,
            "data": {"articles": [{"title": "a"}]},
            "pagination": {"page": 1, "per_page": 20},
        },
    )


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"article": ["Missing data for required field."]}),
        ({"article": None}, {"article": ["Field may not be null."]}),
        ({"article": {}}, {"article": {"title": ["Missing data for required field."]}}),
        ({"article": {"title": 1}}, {"article": {"title": ["Not a valid string."]}}),
        ({"article": {"title": "a"}, "x": 1}, {"x": ["Unknown field."]}),
        ([], {"_schema": ["Invalid input type."]}),
    ],
    ids=["none", "null", "empty", "wrong", "more", "list"],
)
async def test_errors_are_nested_as_the_body_is(call, body, errors):
    status, answer = await call("POST", "/", json=body)

    assert status == 422
    assert answer["error"] == {"body": errors}


async def test_partial_is_said_for_any_method(call):
    assert (await call("PUT", "/", json={"article": {}}))[1]["data"] == {}
    assert (await call("PUT", "/", json={}))[0] == 422
    assert (await call("PATCH", "/", json={}))[1]["error"] == {
        "body": {"title": ["Missing data for required field."]}
    }


@pytest.mark.parametrize(
    ("number", "status", "error"),
    [
        (0, 409, {"title": ["sold out"]}),
        (1, 409, "only this one"),
        (2, 404, None),
        (3, 503, None),
    ],
)
async def test_an_exception_has_the_error_of_its_class(call, number, status, error):
    found, answer = await call("GET", f"/{number}")

    assert (found, answer.get("error")) == (status, error)


async def test_an_error_of_the_class_is_the_text_of_the_exception():
    assert str(SoldOut()) == "{'title': ['sold out']}"
    assert str(SoldOut("x")) == "x"
    assert SoldOut.error == {"title": ["sold out"]}
    assert NotFound().error is None


@pytest.fixture(scope="module")
def document():
    service = make_service()
    return build_document(service.operations, service.settings)


def schema_of(content):
    return content["content"]["application/json"]["schema"]


async def test_the_document_has_the_key(document):
    post = document["paths"]["/articles"]["post"]
    answers = post["responses"]
    data = schema_of(answers["201"])["properties"]["data"]

    for keyed in (schema_of(post["requestBody"]), data):
        assert keyed["required"] == ["article"]
        assert keyed["additionalProperties"] is False
        assert "$ref" in keyed["properties"]["article"]
    assert "article" not in str(schema_of(answers["202"]))
    (example,) = answers["422"]["content"]["application/json"]["examples"].values()
    assert example["value"]["error"]["body"] == {
        "article": {"title": ["Missing data for required field."]}
    }


async def test_the_document_has_a_page_under_its_key(document):
    answer = schema_of(document["paths"]["/articles"]["get"]["responses"]["200"])
    rows = answer["properties"]["data"]["properties"]["articles"]

    assert rows["type"] == "array"
    assert "pagination" in answer["properties"]


async def test_the_document_tells_partial_bodies(document):
    operations = document["paths"]["/articles"]
    put = schema_of(operations["put"]["requestBody"])["properties"]["article"]["$ref"]
    patch = schema_of(operations["patch"]["requestBody"])["$ref"]
    schemas = document["components"]["schemas"]

    assert "required" not in schemas[put.rpartition("/")[2]]
    assert schemas[patch.rpartition("/")[2]]["required"] == ["title"]


async def test_the_document_shows_the_error_and_headers_of_a_class(document):
    conflict = document["paths"]["/articles/{number}"]["get"]["responses"]["409"]

    (example,) = conflict["content"]["application/json"]["examples"].values()
    assert example["value"]["error"] == {"title": ["sold out"]}
    assert "Retry-After" in conflict["headers"]


@pytest.mark.parametrize("key", ["", 5])
async def test_a_key_is_a_text(key):
    service = new_service()

    @service.post("/")
    @doc.consumes({"a": int}, key=key)
    @doc.produces({"a": int}, key=key)
    async def create(request, body):
        return body

    with pytest.raises(ImproperlyConfigured) as caught:
        _ = service.operations

    said = str(caught.value)
    assert f"@doc.consumes got the key {key!r}; expected a text, as in key='article'" in said
    assert f"@doc.produces got the key {key!r}" in said
