"""Documents in Swagger 2.0."""

from __future__ import annotations

import pytest
from marshmallow import Schema, fields
from marshmallow.validate import NoneOf, OneOf, Range

from msframework.envelope import ProblemDetails
from msframework.exceptions import Conflict
from msframework.openapi.pattern import NO_NUL
from msframework.operation import Answer, Failure, Input, Source
from msframework.pagination import Pages


class CitySchema(Schema):
    name = fields.String(required=True)


class UserSchema(Schema):
    name = fields.String(required=True, allow_none=True)
    city = fields.Nested(CitySchema, allow_none=True)
    home = fields.Nested(CitySchema, allow_none=True, metadata={"title": "Home"})
    pair = fields.Tuple((fields.Integer(), fields.String()))
    password = fields.String(load_only=True)
    height = fields.Float(validate=[Range(min=0, min_inclusive=False), NoneOf([7])])
    old = fields.Integer(metadata={"deprecated": True})
    any = fields.List(fields.Raw())


class QuerySchema(Schema):
    tag = fields.List(fields.Integer())
    city = fields.Nested(CitySchema)
    old = fields.Integer(metadata={"deprecated": True, "description": "Old."}, allow_none=True)


class FilesSchema(Schema):
    picture = fields.Raw(required=True)
    more = fields.List(fields.Raw())


class FormSchema(Schema):
    title = fields.String(metadata={"description": "Its title."})


@pytest.fixture
def swagger(document):
    """Build the document in version 2.0."""

    def build(*operations, **openapi):
        return document(*operations, version="2.0", **openapi)

    return build


def test_schemas_are_definitions(operation, swagger):
    one = operation("POST", inputs=(Input(Source.BODY, UserSchema()),))

    found = swagger(one)["definitions"]["UserIn"]["properties"]

    assert found == {
        "name": {"type": "string", "x-nullable": True},
        "city": {"allOf": [{"$ref": "#/definitions/City"}], "x-nullable": True},
        "home": {"allOf": [{"$ref": "#/definitions/City"}], "title": "Home", "x-nullable": True},
        "pair": {
            "type": "array",
            "items": {"x-anyOf": [{"type": "integer"}, {"type": "string"}]},
            "minItems": 2,
            "maxItems": 2,
        },
        "password": {"type": "string", "x-writeOnly": True},
        "height": {
            "type": "number",
            "minimum": 0,
            "exclusiveMinimum": True,
            "x-not": {"enum": [7]},
        },
        "old": {"type": "integer", "x-deprecated": True},
        "any": {"type": "array", "items": {}},
    }


def test_a_json_body_is_a_parameter(operation, swagger):
    one = operation("POST", inputs=(Input(Source.BODY, CitySchema(many=True)),))

    found = swagger(one)["paths"]["/things"]["post"]

    assert found["consumes"] == ["application/json"]
    assert found["parameters"] == [
        {
            "in": "body",
            "name": "body",
            "required": True,
            "schema": {"type": "array", "items": {"$ref": "#/definitions/City"}},
        }
    ]


def test_parameters_are_plain(operation, swagger):
    inputs = (Input(Source.QUERY, QuerySchema()), Input(Source.COOKIES, CitySchema()))
    one = operation(path="/things/<id:int>", inputs=inputs, page=Pages(10, 20))

    found = swagger(one)["paths"]["/things/{id}"]["get"]

    assert found["parameters"] == [
        {"in": "path", "name": "id", "required": True, "type": "integer"},
        {
            "in": "query",
            "name": "tag",
            "required": False,
            "type": "array",
            "items": {"type": "integer"},
            "collectionFormat": "multi",
        },
        {"in": "query", "name": "city", "required": False, "type": "string"},
        {
            "in": "query",
            "name": "old",
            "description": "Old.",
            "required": False,
            "type": "integer",
            "x-nullable": True,
            "x-deprecated": True,
        },
        {
            "in": "query",
            "name": "page",
            "description": "Which page, from 1.",
            "required": False,
            "type": "integer",
            "minimum": 1,
            "maximum": 10_000,
            "default": 1,
        },
        {
            "in": "query",
            "name": "per_page",
            "description": "Rows on a page.",
            "required": False,
            "type": "integer",
            "minimum": 1,
            "maximum": 20,
            "default": 10,
        },
    ]
    assert found["x-cookies"] == [
        {"in": "cookie", "name": "name", "required": True, "type": "string", "pattern": NO_NUL}
    ]


def test_forms_and_files_are_form_data(operation, swagger):
    inputs = (Input(Source.FORM, FormSchema()), Input(Source.FILES, FilesSchema()))

    found = swagger(operation("POST", inputs=inputs))["paths"]["/things"]["post"]

    assert found["consumes"] == ["multipart/form-data"]
    assert found["parameters"] == [
        {
            "in": "formData",
            "name": "title",
            "description": "Its title.",
            "required": False,
            "type": "string",
            "pattern": NO_NUL,
        },
        {"in": "formData", "name": "picture", "required": True, "type": "file"},
        {
            "in": "formData",
            "name": "more",
            "required": False,
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "collectionFormat": "multi",
        },
    ]


def test_choices_leave_out_null(operation, swagger):
    class Choice(Schema):
        size = fields.String(allow_none=True, validate=OneOf(["s", "m"]))
        nothing = fields.Constant(None)

    found = swagger(operation(answers=(Answer(200, Choice()),)))["definitions"]["Choice"]

    assert found["properties"]["size"] == {
        "type": "string",
        "enum": ["s", "m"],
        "x-nullable": True,
    }
    assert found["properties"]["nothing"] == {"x-nullable": True}


@pytest.mark.parametrize(
    ("servers", "address"),
    [
        ([], {"basePath": "/"}),
        (["/", "https://a.example/v1"], {"host": "a.example", "basePath": "/v1"}),
        (["https://a.example", "http://a.example"], {"host": "a.example"}),
        (["https://a.example:81/", "https://b.example"], {"host": "a.example:81"}),
    ],
)
def test_the_first_whole_address_is_the_host(operation, swagger, servers, address):
    found = swagger(operation(), info={"servers": [{"url": url} for url in servers]})

    assert {key: found[key] for key in ("host", "basePath") if key in found} == address
    schemes = dict.fromkeys(u.split(":")[0] for u in servers if address.get("host", "-") in u)
    assert found.get("schemes", []) == list(schemes)


def test_answers_have_a_schema_and_one_example(operation, swagger):
    class Other(Conflict):
        code = 7

    operations = [
        operation(
            answers=(Answer(200, CitySchema()),), failures=(Failure(Conflict), Failure(Other))
        ),
        operation("DELETE", answers=(Answer(204),), envelope=ProblemDetails()),
        operation("POST"),
    ]

    found = swagger(*operations)

    get, delete = found["paths"]["/things"]["get"], found["paths"]["/things"]["delete"]
    assert get["responses"]["200"]["schema"]["properties"]["data"] == {"$ref": "#/definitions/City"}
    assert get["responses"]["409"]["examples"] == {
        "application/json": {"code": 100409, "message": "Conflict"}
    }
    assert [shown["code"] for shown in get["responses"]["409"]["x-examples"]] == [100409, 7]
    assert get["produces"] == ["application/json"]
    assert get["responses"]["500"] == {"$ref": "#/responses/ServerError"}
    assert found["responses"]["ServerError"]["schema"] == {"$ref": "#/definitions/Error"}
    assert "schema" not in delete["responses"]["204"]
    assert delete["produces"] == ["application/problem+json"]


AUTHORIZATION = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "Write `Bearer`, a space, and the credentials.",
}


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ({"type": "http", "scheme": "basic"}, {"type": "basic"}),
        (
            {"type": "http", "scheme": "bearer", "description": "A token."},
            {
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": "A token. Write `Bearer`, a space, and the credentials.",
                "x-type": "http",
            },
        ),
        (
            {"type": "apiKey", "in": "query", "name": "key"},
            {"type": "apiKey", "in": "query", "name": "key"},
        ),
        (
            {"type": "apiKey", "in": "cookie", "name": "key"},
            {
                "type": "apiKey",
                "in": "header",
                "name": "Cookie",
                "description": "The cookie `key`: write `key=` and the key.",
                "x-type": "apiKey",
            },
        ),
        (
            {"type": "openIdConnect", "openIdConnectUrl": "https://example.org/"},
            {**AUTHORIZATION, "x-type": "openIdConnect"},
        ),
        ({"type": "oauth2", "flows": {}}, {**AUTHORIZATION, "x-type": "oauth2"}),
        (
            {"type": "mutualTLS"},
            {
                "type": "apiKey",
                "in": "header",
                "name": "Client-Cert",
                "description": "A certificate of the client's, which TLS carries and no header "
                "does.",
                "x-type": "mutualTLS",
            },
        ),
        (
            {
                "type": "oauth2",
                "flows": {
                    "clientCredentials": {"tokenUrl": "https://example.org/t", "scopes": {"a": "A"}}
                },
            },
            {
                "type": "oauth2",
                "flow": "application",
                "tokenUrl": "https://example.org/t",
                "scopes": {"a": "A"},
            },
        ),
    ],
)
def test_security_schemes_are_told_by_the_nearest_that_2_0_has(operation, swagger, newer, older):
    found = swagger(operation(security=({"one": ()},)), security_schemes={"one": newer})

    assert found["securityDefinitions"]["one"] == older
    assert found["paths"]["/things"]["get"]["security"] == [{"one": []}]
