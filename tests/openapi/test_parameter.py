"""What a document says that an operation reads."""

from __future__ import annotations

import re
from typing import Any

import pytest
from marshmallow import INCLUDE, Schema, fields
from marshmallow.validate import OneOf, Range

from msframework.openapi.pattern import NO_NUL
from msframework.operation import Answer, Input, Source
from msframework.pagination import Pages


class RowSchema(Schema):
    id = fields.Integer(validate=Range(1, 2**31 - 1))
    key = fields.Integer(validate=Range(1, 9))


class SearchSchema(Schema):
    text = fields.String(required=True, metadata={"description": "What to look for."})
    sort = fields.String(validate=OneOf(["name", "-name"]), load_default="name")
    tag = fields.List(fields.String(), metadata={"deprecated": True})
    page = fields.Integer()


class TokenSchema(Schema):
    x_token = fields.String(required=True)
    language = fields.String(data_key="accept_language")


class UploadSchema(Schema):
    title = fields.String(required=True, metadata={"description": "Its title."})
    tags = fields.List(fields.String())


class FilesSchema(Schema):
    picture = fields.Raw(required=True, metadata={"title": "A picture"})
    more = fields.List(fields.Raw())


def parameters_of(document: dict[str, Any], method: str = "get") -> dict[tuple[str, str], Any]:
    (item,) = document["paths"].values()
    return {(p["in"], p["name"]): p for p in item[method].get("parameters", ())}


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("int", {"type": "integer"}),
        ("float", {"type": "number"}),
        ("str", {"type": "string", "minLength": 1, "pattern": NO_NUL}),
        ("strorempty", {"type": "string", "pattern": NO_NUL}),
        ("uuid", {"type": "string", "format": "uuid"}),
        ("ymd", {"type": "string", "format": "date"}),
        ("path", {"type": "string", "pattern": NO_NUL}),
        ("alpha", {"type": "string", "pattern": "^[A-Za-z]+$"}),
        ("slug", {"type": "string", "pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$"}),
        ("ext", {"type": "string", "pattern": r"^[^/\x00]+\.[a-z0-9](?:[a-z0-9.]*[a-z0-9])?$"}),
        ("ext=png|tar.gz", {"type": "string", "pattern": r"^[^/\x00]+\.(?:png|tar[.]gz)$"}),
        ("[a-z]{3}", {"type": "string", "pattern": "^(?:[a-z]{3})$"}),
        ("^[a-z]$", {"type": "string", "pattern": "^[a-z]$"}),
        ("(?i:a)", {"type": "string", "x-pattern": "(?i:a)", "pattern": NO_NUL}),
        ("[", {"type": "string", "pattern": NO_NUL}),
    ],
)
def test_a_path_parameter_has_the_type_of_its_kind(operation, document, kind, schema):
    found = parameters_of(document(operation(path=f"/things/<key:{kind}>")))

    assert found["path", "key"]["schema"] == schema
    assert found["path", "key"]["required"] is True


def test_a_path_parameter_without_a_kind_is_a_text(operation, document):
    found = parameters_of(document(operation(path="/things/<key>/parts/<part:int>")))

    assert [name for _, name in found] == ["key", "part"]
    assert found["path", "key"]["schema"] == {"type": "string", "minLength": 1, "pattern": NO_NUL}


def test_a_number_of_the_path_has_the_range_of_its_column(operation, document):
    path = "/things/<id:int>/<key>/<other:int>"
    operations = [
        operation("DELETE", path, answers=(Answer(204),)),
        operation(path=path, answers=(Answer(200, RowSchema()),)),
    ]

    (item,) = document(*operations)["paths"].values()

    for method in ("get", "delete"):
        schemas = {param["name"]: param["schema"] for param in item[method]["parameters"]}
        assert schemas["id"] == {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
        assert schemas["key"]["type"] == "string"
        assert schemas["other"] == {"type": "integer"}


def test_a_form_refuses_keys_where_its_schemas_do(operation, document):
    class Open(UploadSchema):
        class Meta:
            unknown = INCLUDE

    def schema_of(schema):
        inputs = (Input(Source.FORM, schema), Input(Source.FILES, FilesSchema()))
        (item,) = document(operation("POST", inputs=inputs))["paths"].values()
        return item["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]

    assert schema_of(UploadSchema())["additionalProperties"] is False
    assert "additionalProperties" not in schema_of(Open())


def test_a_file_name_with_a_type_of_its_own_keeps_its_plain_name(operation, document):
    found = document(operation(path="/things/<file=int:ext=png>"))

    assert list(found["paths"]) == ["/things/{file}"]
    assert list(parameters_of(found)) == [("path", "file")]


def test_query_parameters_come_from_the_fields_of_their_schema(operation, document):
    found = parameters_of(document(operation(inputs=(Input(Source.QUERY, SearchSchema()),))))

    assert found["query", "text"] == {
        "in": "query",
        "name": "text",
        "description": "What to look for.",
        "required": True,
        "schema": {"type": "string", "pattern": NO_NUL},
    }
    assert found["query", "sort"]["schema"] == {
        "type": "string",
        "enum": ["name", "-name"],
        "default": "name",
    }
    assert found["query", "tag"] == {
        "in": "query",
        "name": "tag",
        "deprecated": True,
        "required": False,
        "schema": {"type": "array", "items": {"type": "string", "pattern": NO_NUL}},
        "style": "form",
        "explode": True,
    }


def test_headers_are_spelled_as_they_are_sent_and_cookies_as_they_are(operation, document):
    inputs = (Input(Source.HEADERS, TokenSchema()), Input(Source.COOKIES, TokenSchema()))

    found = parameters_of(document(operation(inputs=inputs)))

    assert list(found) == [
        ("header", "X-Token"),
        ("header", "accept_language"),
        ("cookie", "x_token"),
        ("cookie", "accept_language"),
    ]


def test_a_page_is_bound_by_its_rule(operation, document):
    rule = Pages(per_page=10, max_per_page=50, max_page=7)
    found = parameters_of(document(operation(page=rule)))

    assert found["query", "page"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 7,
        "default": 1,
    }
    assert found["query", "per_page"]["schema"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 50,
        "default": 10,
    }
    assert not found["query", "page"]["required"]


def test_a_query_that_declares_page_itself_is_not_given_it_twice(operation, document):
    one = operation(inputs=(Input(Source.QUERY, SearchSchema()),), page=Pages())

    found = parameters_of(document(one))

    assert found["query", "page"]["schema"] == {"type": "integer"}


def test_a_form_is_urlencoded_or_multipart(operation, document):
    one = operation("POST", inputs=(Input(Source.FORM, UploadSchema()),))

    body = document(one)["paths"]["/things"]["post"]["requestBody"]

    assert list(body["content"]) == ["application/x-www-form-urlencoded", "multipart/form-data"]
    assert body["required"] is True
    schema = body["content"]["multipart/form-data"]["schema"]
    assert list(schema["properties"]) == ["title", "tags"]
    assert schema["required"] == ["title"]


def test_several_inputs_of_a_source_are_listed_together(operation, document):
    inputs = (
        Input(Source.QUERY, RowSchema(), name="row"),
        Input(Source.QUERY, TokenSchema(), name="token"),
    )

    found = parameters_of(document(operation(inputs=inputs, page=Pages())))

    assert list(found) == [
        *(("query", name) for name in ("id", "key", "x_token", "accept_language")),
        ("query", "page"),
        ("query", "per_page"),
    ]


@pytest.mark.parametrize(("unknown", "closed"), [("raise", True), ("include", False)])
def test_a_form_of_several_inputs_is_one_object(operation, document, unknown, closed):
    inputs = (
        Input(Source.FORM, UploadSchema()),
        Input(Source.FORM, TokenSchema(unknown=unknown), name="token"),
    )

    body = document(operation("POST", inputs=inputs))["paths"]["/things"]["post"]["requestBody"]

    assert list(body["content"]) == ["application/x-www-form-urlencoded", "multipart/form-data"]
    schema = body["content"]["multipart/form-data"]["schema"]
    assert list(schema["properties"]) == ["title", "tags", "x_token", "accept_language"]
    assert "title" in schema["required"]
    assert (schema.get("additionalProperties") is False) is closed


def test_files_are_binary_and_multipart_alone(operation, document):
    one = operation("POST", inputs=(Input(Source.FILES, FilesSchema()),))

    body = document(one)["paths"]["/things"]["post"]["requestBody"]

    assert list(body["content"]) == ["multipart/form-data"]
    assert body["content"]["multipart/form-data"]["schema"] == {
        "type": "object",
        "properties": {
            "picture": {"type": "string", "format": "binary", "title": "A picture"},
            "more": {"type": "array", "items": {"type": "string", "format": "binary"}},
        },
        "required": ["picture"],
        "additionalProperties": False,
    }


def test_a_partial_form_requires_nothing(operation, document):
    inputs = (
        Input(Source.FORM, UploadSchema(), partial=True),
        Input(Source.FILES, FilesSchema(), True),
    )

    body = document(operation("PATCH", inputs=inputs))["paths"]["/things"]["patch"]["requestBody"]

    schema = body["content"]["multipart/form-data"]["schema"]
    assert list(schema["properties"]) == ["title", "tags", "picture", "more"]
    assert "required" not in schema


def test_a_list_body_is_an_array(operation, document):
    one = operation("POST", inputs=(Input(Source.BODY, UploadSchema(many=True)),))

    body = document(one)["paths"]["/things"]["post"]["requestBody"]

    assert body["content"]["application/json"]["schema"]["type"] == "array"


def test_an_operation_that_reads_nothing_has_neither_parameters_nor_body(operation, document):
    found = document(operation())["paths"]["/things"]["get"]

    assert "parameters" not in found
    assert "requestBody" not in found
    assert not re.search(r"\b422\b", str(list(found["responses"])))
