"""Filters in an OpenAPI document: a parameter for each, in the style in which it is read."""

import pytest
from openapi_spec_validator import validate

from msframework import doc
from msframework.conf.settings import OpenAPISettings, Settings
from msframework.openapi.pattern import NO_NUL
from msframework.openapi.spec import build_document
from tests.conftest import new_service
from tests.filters.test_reader import UserFilters


def parameters_in(version):
    """Return the parameters of an operation with filters, by name."""
    service = new_service()

    @service.get("/users")
    @doc.filter(UserFilters)
    async def users(request, filters):
        """Never called."""

    settings = Settings(openapi=OpenAPISettings(version=version))
    document = build_document(service.operations, settings)
    validate(document)
    (path,) = document["paths"].values()
    assert "422" in path["get"]["responses"]
    return {each["name"]: each for each in path["get"]["parameters"]}


def test_each_filter_is_a_parameter():
    found = parameters_in("3.1")

    assert list(found) == [
        *("name", "name__icontains", "name__startswith", "eMail", "eMail__in"),
        *("age__gte", "age__range", "data__contains", "sort", "q"),
    ]
    assert not any(each["required"] for each in found.values())
    assert found["name__icontains"] == {
        "in": "query",
        "name": "name__icontains",
        "description": "`name` contains this, in small letters or capitals.",
        "schema": {"type": "string", "maxLength": 200, "pattern": NO_NUL},
        "required": False,
    }
    assert found["age__gte"]["schema"] == {
        "type": "integer",
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
    }


def test_a_list_is_one_text_with_commas():
    found = parameters_in("3.1")

    for name in ("eMail__in", "age__range", "sort"):
        assert (found[name]["style"], found[name]["explode"]) == ("form", False)
    assert found["age__range"]["schema"]["minItems"] == 2
    assert found["age__range"]["schema"]["maxItems"] == 2
    assert found["eMail__in"]["schema"]["maxItems"] == 100
    assert found["sort"]["schema"]["items"]["enum"] == ["age", "-age", "eMail", "-eMail"]
    assert found["sort"]["schema"]["default"] == ["-age"]


def test_a_json_value_is_content():
    found = parameters_in("3.1")["data__contains"]

    assert "schema" not in found
    assert list(found["content"]) == ["application/json"]


@pytest.mark.parametrize("version", ["2.0", "3.0", "3.1"])
def test_the_document_is_valid_in_each_version(version):
    found = parameters_in(version)

    assert found["eMail__in"].get("collectionFormat", "csv") == "csv"
