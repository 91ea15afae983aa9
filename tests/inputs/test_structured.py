"""Lists with commas, objects and JSON values in texts: read as the document says."""

import json

import aiohttp
import pytest
import pytest_asyncio
from openapi_spec_validator import validate

from msframework import Schema, doc
from msframework.conf.settings import OpenAPISettings, Settings
from msframework.openapi.spec import build_document
from msframework.schemas import CommaList, JSONText, fields
from msframework.schemas.strict import StrictInteger
from tests.conftest import new_service, serve_service

pytestmark = pytest.mark.asyncio(loop_scope="module")


class DelimitedList(fields.List):
    """As webargs has it: it parts a text by itself."""

    delimiter = ","

    def _deserialize(self, value, attr, data, **kwargs):
        if not isinstance(value, str):
            raise self.make_error("invalid")
        return super()._deserialize(value.split(","), attr, data, **kwargs)


class Range(Schema):
    least = StrictInteger(data_key="from")
    most = StrictInteger(required=True)
    done = fields.Boolean()


class Options(Schema):
    size = StrictInteger(required=True)
    names = fields.List(fields.String())


class Wanted(Schema):
    ids = CommaList(StrictInteger())
    old = DelimitedList(StrictInteger())
    words = CommaList(fields.String(), most=3, delimiter="|")
    tags = fields.List(fields.String())
    span = fields.Nested(Range)
    options = JSONText(fields.Nested(Options))
    anything = JSONText(allow_none=True)


class Parts(Schema):
    title = fields.String()
    ids = CommaList(StrictInteger())
    options = JSONText(fields.Nested(Options))


class Names(Schema):
    x_ids = CommaList(StrictInteger())


def make():
    service = new_service(server={"strict_query": True})

    @service.get("/query")
    @doc.query(Wanted)
    async def read_query(request, query):
        return query

    @service.post("/form")
    @doc.form(Parts)
    async def read_form(request, form):
        return form

    @service.get("/headers")
    @doc.headers(Names)
    @doc.cookies({"a": str | None})
    async def read_headers(request, headers, cookies):
        return headers

    return service


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def ask():
    async with serve_service(make()) as (host, port), aiohttp.ClientSession() as session:

        async def ask(path, method="GET", **options):
            url = f"http://{host}:{port}{path}"
            async with session.request(method, url, **options) as answer:
                said = await answer.json()
                return said.get("data") if answer.status == 200 else said["error"]

        yield ask


QUERY = [
    ("ids=1,2,3", {"ids": [1, 2, 3]}),
    ("ids=1%2C2", {"ids": [1, 2]}),
    ("ids=1&ids=2", {"ids": [1, 2]}),
    ("ids=", {"query": {"ids": {"0": ["Not a valid integer."]}}}),
    ("ids=1,x,3", {"query": {"ids": {"1": ["Not a valid integer."]}}}),
    (f"ids={'1,' * 100}1", {"query": {"ids": ["Longer than maximum length 100."]}}),
    ("old=4,5", {"old": [4, 5]}),
    ("old=4&old=5", {"query": {"old": ["Given 2 times, but takes one value."]}}),
    ("words=a|b,c", {"words": ["a", "b,c"]}),
    ("words=a|b|c|d", {"query": {"words": ["Longer than maximum length 3."]}}),
    ("words=a%00", {"query": {"words": ["Null characters are not allowed."]}}),
    ("tags=a,b&tags=c", {"tags": ["a,b", "c"]}),
    ("span[from]=1&span[most]=3", {"span": {"least": 1, "most": 3}}),
    ("span%5Bmost%5D=3&span[done]=true", {"span": {"most": 3, "done": True}}),
    ("span[from]=1", {"query": {"span": {"most": ["Missing data for required field."]}}}),
    ("span[most]=x", {"query": {"span": {"most": ["Not a valid integer."]}}}),
    ("span[most]=1&span[most]=2", {"query": {"span": {"most": ["Not a valid integer."]}}}),
    ("span=1", {"query": {"span": {"_schema": ["Invalid input type."]}}}),
    ('options={"size":1,"names":["a"]}', {"options": {"size": 1, "names": ["a"]}}),
    ('options={"size":"1"}', {"query": {"options": {"size": ["Not a valid integer."]}}}),
    ("options={", {"query": {"options": ["Not a valid JSON value."]}}),
    ("options=null", {"query": {"options": ["Field may not be null."]}}),
    ("options=" + "[" * 40, {"query": {"options": ["Not a valid JSON value."]}}),
    ("anything=null", {"anything": None}),
    ("anything=[1,{}]", {"anything": [1, {}]}),
]


@pytest.mark.parametrize(("query", "expected"), QUERY, ids=[query[:24] for query, _ in QUERY])
async def test_a_query_is_read_as_documented(ask, query, expected):
    assert await ask(f"/query?{query}") == expected


async def test_members_of_objects_are_declared_names(ask):
    errors = (await ask("/query?span[most]=1&span[mots]=2&spam[most]=3"))["query"]

    assert errors["span"] == {"mots": ["Unknown field."]}
    assert errors["spam[most]"][0].endswith("Did you mean 'span[most]'?")


@pytest.mark.parametrize("is_multipart", [True, False], ids=["multipart", "urlencoded"])
async def test_parts_of_a_form_are_read_as_documented(ask, is_multipart):
    def form(options):
        found = aiohttp.FormData(default_to_multipart=is_multipart)
        found.add_field("title", "x")
        found.add_field("ids", "1,2")
        kind = {"content_type": "application/json"} if is_multipart else {}
        found.add_field("options", json.dumps(options), **kind)
        return found

    assert await ask("/form", "POST", data=form({"size": 3})) == {
        "title": "x",
        "ids": [1, 2],
        "options": {"size": 3},
    }
    assert await ask("/form", "POST", data=form({"size": "3"})) == {
        "form": {"options": {"size": ["Not a valid integer."]}}
    }


async def test_a_header_may_be_a_list(ask):
    assert await ask("/headers", headers={"X-Ids": "1, 2,3"}) == {"x_ids": [1, 2, 3]}


def document_of(version):
    settings = Settings(openapi=OpenAPISettings(version=version))
    document = build_document(make().operations, settings)
    validate(document)
    return document["paths"]


async def test_the_document_says_how_each_is_written():
    paths = document_of("3.1")
    found = {each["name"]: each for each in paths["/query"]["get"]["parameters"]}

    styles = {name: (each.get("style"), each.get("explode")) for name, each in found.items()}
    assert styles == {
        "ids": ("form", False),
        "old": ("form", False),
        "words": ("pipeDelimited", False),
        "tags": ("form", True),
        "span": ("deepObject", True),
        "options": (None, None),
        "anything": (None, None),
    }
    schema = found["options"]["content"]["application/json"]["schema"]
    assert schema["$ref"].startswith("#/components/schemas/Options")
    assert "schema" not in found["options"]
    content = paths["/form"]["post"]["requestBody"]["content"]
    assert content["multipart/form-data"]["encoding"] == {
        "ids": {"style": "form", "explode": False},
        "options": {"contentType": "application/json"},
    }


@pytest.mark.parametrize("version", ["2.0", "3.0"])
async def test_older_documents_are_valid(version):
    assert document_of(version)
