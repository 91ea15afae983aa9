"""Which named schemas a document has, and what they are called."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import Schema, fields

from apps.roles.schemas import RoleSchema
from msframework.operation import Answer, Input, Source
from msframework.pagination import Pages
from msframework.schemas import as_schema


class CitySchema(Schema):
    name = fields.String(required=True)


class UserSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.String(required=True)
    city = fields.Nested(CitySchema, required=True)
    password = fields.String(load_only=True)


class NodeSchema(Schema):
    name = fields.String(required=True)
    parent = fields.Nested(lambda: NodeSchema(), allow_none=True)
    children = fields.List(fields.Nested(lambda: NodeSchema(exclude=("parent",))))


def other_user_schema() -> type[Schema]:
    class UserSchema(Schema):
        nickname = fields.String()

    UserSchema.__module__ = "z_last"
    return UserSchema


@pytest.fixture
def schemas(operation, document):
    """Return the components of operations that read and answer the given schemas."""

    def build(*, reads: Any = None, answers: Any = None, partial: bool = False) -> dict[str, Any]:
        inputs = () if reads is None else (Input(Source.BODY, reads, partial),)
        method = "PATCH" if partial else "POST"
        one = operation(method, inputs=inputs, answers=(Answer(200, answers),))
        found = document(one)["components"]["schemas"]
        return {
            name: s
            for name, s in found.items()
            if name not in ("Error", "InvalidInput", "Messages")
        }

    return build


def test_a_schema_that_reads_and_answers_the_same_is_one_component(schemas):
    assert list(schemas(reads=CitySchema(), answers=CitySchema())) == ["City"]


def test_reading_has_a_component_of_its_own_where_it_differs(schemas):
    found = schemas(reads=UserSchema(), answers=UserSchema())

    assert set(found) == {"City", "User", "UserIn"}
    assert list(found["User"]["properties"]) == ["id", "name", "city"]
    assert list(found["UserIn"]["properties"]) == ["name", "city", "password"]
    assert found["User"]["properties"]["id"] == {"type": "integer", "readOnly": True}
    assert found["UserIn"]["properties"]["password"] == {"type": "string", "writeOnly": True}


def test_a_partial_body_requires_nothing_all_the_way_down(schemas):
    found = schemas(reads=UserSchema(), partial=True)

    assert set(found) == {"CityPatch", "UserPatch"}
    assert found["UserPatch"]["properties"]["city"] == {"$ref": "#/components/schemas/CityPatch"}
    assert not any("required" in schema for schema in found.values())


def test_a_schema_partial_in_some_names_requires_the_rest(schemas):
    found = schemas(reads=UserSchema(partial=("name", "city.name")))

    assert found["UserPatch"]["required"] == ["city"]
    assert "required" not in found["CityPatch"]


def test_a_name_does_not_depend_on_who_else_uses_the_schema(schemas):
    assert set(schemas(reads=UserSchema())) == {"City", "UserIn"}
    assert set(schemas(reads=CitySchema())) == {"City"}


def test_a_list_refers_to_its_item(operation, document):
    one = operation(answers=(Answer(200, CitySchema(many=True)),))

    answer = document(one)["paths"]["/things"]["get"]["responses"]["200"]

    data = answer["content"]["application/json"]["schema"]["properties"]["data"]
    assert data == {"type": "array", "items": {"$ref": "#/components/schemas/City"}}


def test_leaves_come_first(schemas):
    names = list(schemas(reads=UserSchema(), answers=UserSchema()))

    assert names.index("City") < min(names.index("User"), names.index("UserIn"))


def test_a_schema_inside_itself_refers_to_itself(schemas):
    found = schemas(answers=NodeSchema())

    assert set(found) == {"Node", "Node2"}
    assert found["Node"]["properties"]["parent"] == {
        "anyOf": [{"$ref": "#/components/schemas/Node"}, {"type": "null"}]
    }
    children = found["Node"]["properties"]["children"]
    assert children["items"] == {"$ref": "#/components/schemas/Node2"}
    assert "parent" not in found["Node2"]["properties"]


def test_a_schema_made_from_a_dict_stands_in_place(operation, document):
    schema = Schema.from_dict({"id": fields.Integer(), "city": fields.Nested(CitySchema)})
    one = operation(answers=(Answer(200, schema()),))

    found = document(one)

    answer = found["paths"]["/things"]["get"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"]["properties"]["data"]["properties"] == {
        "id": {"type": "integer"},
        "city": {"$ref": "#/components/schemas/City"},
    }
    assert "GeneratedSchema" not in str(found)


def test_a_nameless_schema_inside_itself_ends(operation, document):
    schema = Schema.from_dict({"inner": fields.Nested(lambda: schema())})

    answer = document(operation(answers=(Answer(200, schema()),)))["paths"]["/things"]["get"]

    data = answer["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"]
    assert data["properties"] == {"inner": {"type": "object"}}


@pytest.mark.parametrize("turned", [False, True])
def test_two_schemas_of_one_name_keep_apart_in_whatever_order_they_come(
    operation, document, turned
):
    own, other = UserSchema(only=("id",)), other_user_schema()()
    operations = [
        operation(path="/a", answers=(Answer(200, UserSchema()),)),
        operation(path="/bb", answers=(Answer(200, other),)),
        operation(path="/ccc", answers=(Answer(200, own),)),
    ]

    found = document(*(reversed(operations) if turned else operations))["components"]["schemas"]

    assert list(found["User"]["properties"]) == ["id", "name", "city"]
    assert list(found["User2"]["properties"]) == ["nickname"]
    assert list(found["User3"]["properties"]) == ["id"]


def test_a_clash_of_a_read_schema_is_named_after_its_direction_first(operation, document):
    operations = [
        operation(path="/a", answers=(Answer(200, CitySchema()),)),
        operation("POST", "/bb", inputs=(Input(Source.BODY, CitySchema(exclude=("name",))),)),
    ]

    found = document(*operations)["components"]["schemas"]

    assert {"City", "CityIn"} <= set(found)
    assert found["CityIn"]["properties"] == {}


def test_a_services_own_schema_keeps_its_name_before_the_frameworks(operation, document):
    class PaginationSchema(Schema):
        mine = fields.Boolean()

    listing = operation(
        answers=(Answer(200, PaginationSchema(many=True)),), page=Pages(total=False)
    )

    found = document(listing)["components"]["schemas"]

    assert list(found["Pagination"]["properties"]) == ["mine"]
    assert list(found["Pagination2"]["properties"]) == ["page", "per_page"]


def test_a_name_holds_only_what_openapi_allows(schemas):
    schema = Schema.from_dict({"id": fields.Integer()}, name="用户Schema")

    assert list(schemas(answers=schema())) == ["__"]
    assert list(schemas(answers=Schema.from_dict({}, name="Schema")())) == ["Schema"]


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_an_answer_requires_what_every_answer_has_and_a_body_what_must_be_sent(
    operation, document, version
):
    found = document(
        operation(
            "POST",
            inputs=(Input(Source.BODY, RoleSchema()),),
            answers=(Answer(201, RoleSchema()),),
        ),
        version=version,
    )

    schemas = found["definitions"] if version == "2.0" else found["components"]["schemas"]
    assert schemas["Role"]["required"] == ["id", "name", "description", "create_time"]
    assert schemas["RoleIn"]["required"] == ["name"]


def test_a_schema_of_the_service_keeps_its_name_before_an_api_class(operation, document):
    class CityApi:
        zip = int

    foreign = as_schema(CityApi, where="test", for_load=False)
    operations = [
        operation(path="/a", answers=(Answer(200, foreign),)),
        operation(path="/bb", answers=(Answer(200, CitySchema()),)),
    ]

    found = document(*operations)["components"]["schemas"]

    assert list(found["City"]["properties"]) == ["name"]
    assert list(found["City2"]["properties"]) == ["zip"]
