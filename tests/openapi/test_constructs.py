"""Every construct that is produced, in every dialect: only what its readers are known to read."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from marshmallow import Schema, fields
from marshmallow.validate import ContainsOnly, Equal, Length, OneOf, Range

from msframework.conf.settings import OpenAPISettings, Settings
from msframework.openapi.spec import build_document
from msframework.operation import Answer, Input, Source
from tests.openapi.test_converter import CASES, Part

MORE = {
    "empty tuple": fields.Tuple(()),
    "nullable tuple": fields.Tuple(
        (fields.Integer(allow_none=True), fields.String()), allow_none=1
    ),
    "list": fields.List(fields.Raw(), validate=[Length(1, 9), ContainsOnly([1, None])]),
    "nullable choice": fields.String(allow_none=True, validate=OneOf(["a", "b"])),
    "choice of null": fields.Raw(allow_none=True, validate=OneOf([None])),
    "mixed choice": fields.Raw(validate=OneOf([1, "a", None])),
    "no choice": fields.Integer(validate=[OneOf([1]), OneOf([2])]),
    "equal": fields.Integer(allow_none=True, validate=Equal(3)),
    "constant": fields.Constant(3, allow_none=True),
    "constant null": fields.Constant(None),
    "types": fields.Raw(metadata={"type": ["integer", "string"]}),
    "nullable types": fields.Raw(metadata={"type": ["integer", "string", "null"]}),
    "exclusive": fields.Float(validate=Range(0, 1, min_inclusive=False, max_inclusive=False)),
    "nested": fields.Nested(Part, allow_none=True, metadata={"title": "A part"}),
    "list of nullable": fields.List(fields.Nested(Part, allow_none=True), allow_none=True),
    "dict": fields.Dict(fields.String(), fields.Nested(Part, allow_none=True), allow_none=True),
    "ip": fields.IP(allow_none=True),
    "either": fields.IP(allow_none=True, dump_default=None, metadata={"title": "Where"}),
}
FIELDS = [pytest.param(case.values[0], id=case.id) for case in CASES]
FIELDS += [pytest.param(field, id=name) for name, field in MORE.items()]
NEVER = {
    "3.1": {"nullable", "example"},
    "3.0": {"const", "prefixItems", "propertyNames", "examples"},
    "2.0": {"const", "prefixItems", "nullable", "anyOf", "oneOf", "not", "examples"},
}


def schemas_in(value: Any, *, is_schema: bool = False) -> Iterator[dict[str, Any]]:
    """Yield every schema below *value*."""
    if isinstance(value, list):
        for item in value:
            yield from schemas_in(item, is_schema=is_schema)
    if not isinstance(value, dict):
        return
    if is_schema:
        yield value
    for key, item in value.items():
        if key in ("schemas", "definitions", "properties"):
            yield from schemas_in(list(item.values()), is_schema=True)
        elif key in ("schema", "items", "additionalProperties", "propertyNames", "not") or key in (
            "allOf",
            "anyOf",
            "oneOf",
            "prefixItems",
        ):
            yield from schemas_in(item, is_schema=True)
        elif key not in ("examples", "example", "enum", "const", "default"):
            yield from schemas_in(item)


def faults(schema: dict[str, Any], version: str) -> Iterator[str]:
    """Yield what a reader of *version* is known not to read in *schema*."""
    kinds = schema.get("type")
    if isinstance(kinds, list) and (version != "3.1" or len(set(kinds) - {"null"}) != 1):
        yield "several types"
    if kinds == "null" and version != "3.1":
        yield "null is no type"
    if NEVER[version] & set(schema):
        yield "a word of another version"
    if "prefixItems" in schema and schema.get("items") is not False:
        yield "an open tuple"
    if kinds == "array" and "items" not in schema:
        yield "an array of what"
    if schema.get("enum") == []:
        yield "no choice"
    if None in schema.get("enum", ()):
        allowed = {"3.1": "null" in (kinds or "null"), "3.0": schema.get("nullable"), "2.0": False}
        if not allowed[version]:
            yield "null among the choices of another type"
    if "$ref" in schema and len(schema) > 1 and version != "3.1":
        yield "words beside a reference"
    if any(list(part) == ["anyOf"] for part in schema.get("allOf", ())):
        yield "alternatives inside allOf"
    for part in (schema, *schema.get("allOf", ())):
        pattern = part.get("pattern", "")
        re.compile(pattern)
        if re.search(r"\\[duDpP]|\(\?[=!<]", pattern):
            yield f"a pattern that not all read: {pattern}"


VERSIONS = pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])


@pytest.fixture
def patch(operation):
    """Return a function that makes an operation whose body and answers have a field."""

    def make(field, partial, path="/things"):
        schema = Schema.from_dict({"value": copy.deepcopy(field)}, name="ThingSchema")()
        return operation(
            "PATCH" if partial else "POST",
            path,
            id=f"patch_{path}",
            inputs=(Input(Source.BODY, schema, partial),),
            answers=(Answer(200, schema), Answer(201, Schema.from_dict({"x": field})())),
        )

    return make


@VERSIONS
@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("field", FIELDS)
def test_every_construct_is_one_that_tools_read(patch, field, partial, version):
    settings = Settings(service_name="things", openapi=OpenAPISettings(version=version))

    found = build_document([patch(field, partial)], settings)

    assert [fault for schema in schemas_in(found) for fault in faults(schema, version)] == []


@VERSIONS
@pytest.mark.parametrize("partial", [pytest.param(False, marks=pytest.mark.acceptance), True])
def test_a_document_of_all_constructs_is_valid(document, patch, partial, version):
    operations = [patch(*one.values, partial, f"/things/{n}") for n, one in enumerate(FIELDS)]

    assert len(document(*operations, version=version)["paths"]) == len(FIELDS)


def test_an_old_construct_would_be_found():
    bad = {"schema": {"allOf": [{"anyOf": [{"type": "string"}]}], "type": "array", "enum": [None]}}

    found = [fault for schema in schemas_in(bad) for fault in faults(schema, "3.0")]

    assert len(found) == 3
