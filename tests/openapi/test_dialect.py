"""Schemas of JSON Schema 2020-12 in the words of OpenAPI 3.0."""

from __future__ import annotations

import pytest

from msframework.openapi.dialect import read_as_30, schema_30

REF = {"$ref": "#/components/schemas/User"}


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        (True, True),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"type": ["string"]}, {"type": "string"}),
        (
            {"type": ["integer", "string"]},
            {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        ),
        (
            {"type": ["integer", "string"], "anyOf": [{"title": "x"}]},
            {
                "anyOf": [{"title": "x"}],
                "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}],
            },
        ),
        (
            {"type": ["integer", "string", "null"]},
            {"anyOf": [{"type": "integer"}, {"type": "string"}], "nullable": True},
        ),
        ({"type": []}, {}),
        ({"type": "null"}, {"nullable": True, "enum": [None]}),
        ({"const": None}, {"nullable": True, "enum": [None]}),
        ({"anyOf": [REF, {"type": "null"}]}, {"allOf": [REF], "nullable": True}),
        ({"oneOf": [REF, {"type": "null"}]}, {"allOf": [REF], "nullable": True}),
        (
            {"anyOf": [REF, {"type": "string"}, {"type": "null"}]},
            {"anyOf": [REF, {"type": "string"}], "nullable": True},
        ),
        ({"prefixItems": [{"type": "string"}], "items": False}, {"items": {"type": "string"}}),
        ({**REF, "title": "x"}, {"allOf": [REF], "title": "x"}),
        (REF, REF),
        ({"const": 1}, {"enum": [1]}),
        ({"exclusiveMinimum": 0}, {"minimum": 0, "exclusiveMinimum": True}),
        ({"exclusiveMaximum": 0}, {"maximum": 0, "exclusiveMaximum": True}),
        ({"exclusiveMaximum": True, "maximum": 3}, {"exclusiveMaximum": True, "maximum": 3}),
        ({"examples": [1, 2]}, {"example": 1}),
        ({"examples": []}, {}),
        ({"prefixItems": [{"type": "string"}] * 2}, {"items": {"type": "string"}}),
        (
            {"prefixItems": [{"const": 1}, {"type": "string"}]},
            {"items": {"anyOf": [{"enum": [1]}, {"type": "string"}]}},
        ),
        (
            {"propertyNames": {}, "additionalProperties": {"const": 1}},
            {"additionalProperties": {"enum": [1]}},
        ),
        ({"not": {"const": 1}}, {"not": {"enum": [1]}}),
        (
            {"properties": {"const": {"type": ["string", "null"]}}},
            {"properties": {"const": {"type": "string", "nullable": True}}},
        ),
        ({"items": {"allOf": [{"const": 1}]}}, {"items": {"allOf": [{"enum": [1]}]}}),
    ],
)
def test_a_schema_is_said_in_the_older_words(newer, older):
    assert schema_30(newer) == older


def test_what_3_1_added_to_the_info_is_said_in_older_words():
    license = {"name": "MIT", "identifier": "MIT"}

    info = read_as_30({"info": {"title": "x", "summary": "y", "license": license}})["info"]

    assert info == {
        "title": "x",
        "license": {"name": "MIT", "url": "https://spdx.org/licenses/MIT.html"},
    }


def test_only_schemas_are_touched():
    media = {"schema": {"const": 1}, "examples": {"One": {"value": {"schema": {"const": 1}}}}}
    newer = {
        "openapi": "3.1.0",
        "info": {"title": "x"},
        "paths": {
            "/": {"get": {"parameters": [{"schema": {"const": 1}}], "responses": {"200": media}}}
        },
        "components": {"schemas": {"schema": {"const": 1}}, "securitySchemes": {"const": {}}},
    }

    older = read_as_30(newer)

    get = older["paths"]["/"]["get"]
    assert older["openapi"] == "3.0.3"
    assert get["parameters"] == [{"schema": {"enum": [1]}}]
    assert get["responses"]["200"] == {**media, "schema": {"enum": [1]}}
    assert older["components"] == {
        "schemas": {"schema": {"enum": [1]}},
        "securitySchemes": {"const": {}},
    }
