"""Fields as JSON Schema: what the service accepts and sends is what the document says."""

from __future__ import annotations

import copy
import datetime as dt
import json
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any

import pytest
from marshmallow import EXCLUDE, INCLUDE, Schema, fields, post_dump, pre_load
from marshmallow.validate import Length, OneOf, Range, Regexp
from openapi_schema_validator import OAS30Validator, OAS31Validator

from msframework.conf.settings import OpenAPISettings, Settings
from msframework.openapi.pattern import NO_NUL
from msframework.openapi.spec import build_document
from msframework.operation import Answer, Input, Operation, Source
from msframework.schemas import Reference
from msframework.schemas import api as doc


class Colour(Enum):
    RED = "r"
    BLUE = "b"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(Enum):
    NOTHING = None
    ONE = 1
    TWO = "2"


class Part(Schema):
    name = fields.String(required=True)


MOMENT = dt.datetime(2024, 2, 29, 12, 30)
# Each: the field, what is dumped (a value, or nothing), what loads, what does not.
KINDS: dict[str, tuple[fields.Field[Any], list[Any], list[Any], list[Any]]] = {
    "string": (fields.String(validate=Length(1, 3)), ["abc"], ["a"], ["", "abcd", 1, None]),
    "pattern": (fields.String(validate=Regexp("[a-c]+")), ["ab"], ["ab", "cz"], ["zc", ""]),
    "integer": (fields.Integer(strict=True, validate=Range(0, 9)), [3], [0, 9], [-1, 10, [], None]),
    "float": (fields.Float(validate=Range(min=0, min_inclusive=False)), [0.5], [0.5, 7], [0, -1]),
    "decimal": (fields.Decimal(as_string=True), [Decimal("1.10")], ["1.10"], [[], None]),
    "bare decimal": (fields.Decimal(), [Decimal("1.10")], ["1.10"], [{}]),
    "boolean": (fields.Boolean(), [True], [False], [None, "neither"]),
    "uuid": (fields.UUID(), [], ["00000000-0000-0000-0000-000000000001"], ["x", 1]),
    "date": (fields.Date(), [MOMENT.date()], ["2024-02-29"], ["2024-02-30", 1]),
    "aware": (
        fields.AwareDateTime(default_timezone=None),
        [MOMENT.replace(tzinfo=dt.UTC)],
        ["2024-02-29T12:30:00+00:00"],
        ["yesterday", 1],
    ),
    "naive": (fields.NaiveDateTime(), [MOMENT], ["2024-02-29T12:30:00"], [1]),
    "time": (fields.Time(), [MOMENT.time()], ["12:30:00"], [1]),
    "timestamp": (fields.DateTime(format="timestamp"), [MOMENT], [1709209800], ["x", -1]),
    "rfc822": (fields.DateTime(format="rfc"), [MOMENT], ["Thu, 29 Feb 2024 12:30:00 -0000"], [1]),
    "own format": (fields.DateTime(format="%d.%m.%Y"), [MOMENT], ["29.02.2024"], [1]),
    "time format": (fields.Time(format="%H.%M"), [MOMENT.time()], ["12.30"], [1]),
    "duration": (fields.TimeDelta(), [dt.timedelta(seconds=5)], [5], ["x", None]),
    "url": (fields.URL(), ["https://example.org/"], ["https://example.org/"], [1]),
    "email": (fields.Email(), ["a@example.org"], ["a@example.org"], ["a", 1]),
    "ip": (fields.IP(), [], ["10.0.0.1", "::1"], [None]),
    "ipv4": (fields.IPv4(), [], ["10.0.0.1"], ["::1", None]),
    "ipv6": (fields.IPv6(), [], ["::1"], ["10.0.0.1"]),
    "interface": (fields.IPv4Interface(), [], ["10.0.0.1/8"], [None]),
    "enum by name": (fields.Enum(Colour), [Colour.RED], ["BLUE"], ["b", 1, None]),
    "enum by value": (fields.Enum(Colour, by_value=True), [Colour.RED], ["b"], ["BLUE", None]),
    "enum by field": (fields.Enum(Level, by_value=fields.Integer), [Level.LOW], [2], [3, []]),
    "enum of kinds": (fields.Enum(Mixed, by_value=True), [Mixed.ONE], [1, "2", None], [2, "1"]),
    "nullable enum": (
        fields.Enum(Colour, by_value=True, allow_none=True),
        [Colour.RED, None],
        ["b", None],
        ["BLUE"],
    ),
    "choices": (fields.String(validate=OneOf(["a", "b"])), ["a"], ["b"], ["c", None]),
    "nullable choices": (
        fields.String(validate=OneOf(["a", "b"]), allow_none=True),
        ["a", None],
        ["b", None],
        ["c", 1],
    ),
    "nullable": (fields.Integer(allow_none=True), [None, 1], [None, 2], [[]]),
    "list": (
        fields.List(fields.Integer(), validate=Length(max=2)),
        [[1]],
        [[], [1]],
        [[1, 2, 3], 1],
    ),
    "nullable items": (fields.List(fields.Date(allow_none=True)), [[None]], [[None]], [None]),
    "tuple": (fields.Tuple((fields.Integer(), fields.Boolean())), [(1, True)], [[1, True]], [[1]]),
    "dict": (
        fields.Dict(fields.String(), fields.Date()),
        [],
        [{"a": "2024-02-29"}],
        [{"a": {}}, []],
    ),
    "uuid keys": (
        fields.Dict(fields.UUID()),
        [],
        [{"00000000-0000-0000-0000-000000000001": 1}],
        [[]],
    ),
    "integer keys": (fields.Dict(fields.Integer()), [{1: "x"}], [{"1": "x"}], [[]]),
    "bare dict": (fields.Dict(), [{"a": 1}], [{"a": [1]}], ["x"]),
    "nested": (fields.Nested(Part), [{"name": "x"}], [{"name": "x"}], [{}, {"name": 1}, None, []]),
    "nullable nested": (fields.Nested(Part, allow_none=True), [None], [None, {"name": "x"}], [{}]),
    "nested many": (fields.Nested(Part, many=True), [[{"name": "x"}]], [[], [{"name": "x"}]], [{}]),
    "nested unknown": (fields.Nested(Part), [], [{"name": "x"}], [{"name": "x", "other": 1}]),
    "nested open": (fields.Nested(Part, unknown=EXCLUDE), [], [{"name": "x", "other": 1}], [1]),
    "list of nested": (
        fields.List(fields.Nested(Part)),
        [[{"name": "x"}]],
        [[{"name": "x"}]],
        [[{}]],
    ),
    "pluck": (fields.Pluck(Part, "name"), [{"name": "x"}], ["x"], [{"name": "x"}, 1]),
    "pluck many": (fields.Pluck(Part, "name", many=True), [[{"name": "x"}]], [["x"]], ["x", [1]]),
    "raw": (fields.Raw(allow_none=True), [{"any": [1]}, None], [1, "a", None], []),
    "constant": (fields.Constant("v1"), [None], ["v1"], []),
}
CASES = [pytest.param(*case, id=name) for name, case in KINDS.items()]


def strict(field: fields.Field[Any]) -> type[Schema]:
    return Schema.from_dict({"value": copy.deepcopy(field)}, name="ThingSchema")


def validator_for(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    whole = {**schema, "components": document["components"]}
    if document["openapi"].startswith("3.0"):
        whole = with_null(whole)
        return OAS30Validator(whole, format_checker=OAS30Validator.FORMAT_CHECKER)
    return OAS31Validator(whole, format_checker=OAS31Validator.FORMAT_CHECKER)


def with_null(schema: Any) -> Any:
    """Return *schema* with the meaning that tools give to `nullable` beside a reference."""
    if isinstance(schema, list):
        return [with_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: with_null(item) for key, item in schema.items()}
    if found.get("nullable") is True and "type" not in found and "enum" not in found:
        del found["nullable"]
        return {"anyOf": [found, {"type": "string", "nullable": True, "enum": [None]}]}
    return found


def sent_schema(document: dict[str, Any]) -> dict[str, Any]:
    answer = document["paths"]["/things"]["post"]["responses"]["200"]
    return answer["content"]["application/json"]["schema"]


def read_schema(document: dict[str, Any]) -> dict[str, Any]:
    body = document["paths"]["/things"]["post"]["requestBody"]
    return body["content"]["application/json"]["schema"]


@pytest.fixture
def thing_operation(operation):
    """Make an operation that reads and answers one schema."""

    def make(schema: Schema) -> Operation:
        return operation(
            "POST", inputs=(Input(Source.BODY, schema),), answers=(Answer(200, schema),)
        )

    return make


@pytest.fixture
def thing(thing_operation, document):
    """Document an operation that reads and answers one schema."""

    def build(schema: Schema, version: str = "3.1") -> dict[str, Any]:
        return document(thing_operation(schema), version=version)

    return build


@pytest.fixture
def thing_of_a_kind(thing_operation):
    """Document an operation of one of `CASES`, which test_constructs.py validates together."""

    def build(schema: Schema, version: str) -> dict[str, Any]:
        settings = Settings(service_name="things", openapi=OpenAPISettings(version=version))
        return build_document([thing_operation(schema)], settings)

    return build


@pytest.mark.parametrize("version", ["3.1", "3.0"])
@pytest.mark.parametrize(("field", "dumped", "loaded", "refused"), CASES)
def test_what_is_dumped_and_loaded_is_valid_and_what_is_refused_is_not(
    thing_of_a_kind, field, dumped, loaded, refused, version
):
    schema = strict(field)()
    document = thing_of_a_kind(schema, version)
    sent = validator_for(document, sent_schema(document))
    read = validator_for(document, read_schema(document))

    for value in dumped:
        answer = {"code": 0, "data": schema.dump({"value": value})}
        sent.validate(json.loads(json.dumps(answer, default=str)))
    for value in loaded:
        assert schema.validate({"value": value}) == {}
        read.validate({"value": value})
    for value in refused:
        assert schema.validate({"value": value}) != {}
        assert not read.is_valid({"value": value})


@pytest.mark.parametrize(("field", "dumped", "loaded", "refused"), CASES)
def test_every_kind_of_field_has_a_swagger_2_form(thing_of_a_kind, field, dumped, loaded, refused):
    document = thing_of_a_kind(strict(field)(), "2.0")

    definition = document["definitions"]["Thing"]["properties"]["value"]
    assert not {"anyOf", "oneOf", "not", "nullable", "const", "prefixItems"} & set(definition)


class CityApi:
    id = doc.Integer("its number")
    name = doc.String("its name")


class UserSchema(Schema):
    city_id = Reference(CityApi, required=True, metadata={"title": "City"})
    friends = Reference([CityApi], allow_none=True, validate=Range(min=1))
    boss = Reference({"name": str})


@pytest.mark.parametrize("version", ["3.1", "3.0"])
def test_a_reference_is_an_id_when_read_and_an_id_or_the_object_when_sent(thing, version):
    document = thing(UserSchema(), version)
    sent = validator_for(document, sent_schema(document))
    read = validator_for(document, read_schema(document))
    city = {"id": 1, "name": "Delft"}

    for record in (
        {"city_id": 3},
        {"city_id": city, "friends": [city]},
        {"city_id": 3, "friends": None, "boss": {"name": "Ada"}},
    ):
        sent.validate({"code": 0, "data": UserSchema().dump(record)})
    assert not sent.is_valid({"code": 0, "data": {"city_id": {"id": "x"}}})
    read.validate({"city_id": 3, "friends": None, "boss": 7})
    assert not read.is_valid({"city_id": city})
    assert not read.is_valid({"city_id": 3, "friends": 0})


def test_references_are_components_of_their_own(thing):
    found = thing(UserSchema())["components"]["schemas"]

    assert {"City", "User", "UserIn"} <= set(found)
    assert found["City"]["properties"]["name"] == {
        "type": "string",
        "description": "its name",
        "pattern": NO_NUL,
    }
    assert found["User"]["properties"]["city_id"] == {
        "anyOf": [{"type": "integer"}, {"$ref": "#/components/schemas/City"}],
        "title": "City",
    }
    assert found["UserIn"]["properties"] == {
        "city_id": {"type": "integer", "title": "City"},
        "friends": {"type": ["integer", "null"], "minimum": 1},
        "boss": {"type": "integer"},
    }


def test_a_reference_says_in_swagger_2_what_it_can(thing):
    found = thing(UserSchema(), "2.0")["definitions"]["User"]["properties"]

    assert found["friends"] == {
        "x-anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "array", "items": {"$ref": "#/definitions/City"}},
        ],
        "x-nullable": True,
    }


def test_references_that_lead_back_to_themselves_end(thing):
    target: dict[str, Any] = {"name": str}
    target["friend"] = Reference(target)

    friend = value_schema(thing(strict(Reference(target))()))["anyOf"][1]["properties"]["friend"]

    assert friend == {"anyOf": [{"type": "integer"}, {"type": "object"}]}


def value_schema(document: dict[str, Any], name: str = "Thing") -> dict[str, Any]:
    return document["components"]["schemas"][name]["properties"]["value"]


def test_metadata_speaks_json_schema_and_leaks_no_object(thing):
    field = fields.String(
        metadata={
            "title": "A title",
            "description": Part,
            "example": "x",
            "x_unit": "kg",
            "pattern": object(),
            "required": True,
            "nullable": True,
            "enum": [Colour.RED, "b"],
            "format": "",
            "own": "nobody's word",
        }
    )

    assert value_schema(thing(strict(field)())) == {
        "type": "string",
        "title": "A title",
        "examples": ["x"],
        "x-unit": "kg",
        "enum": ["r", "b"],
    }


@pytest.mark.parametrize(
    ("field", "default"),
    [
        (fields.Integer(load_default=3), {"default": 3}),
        (fields.Integer(load_default=lambda: 3), {}),
        (fields.Decimal(load_default=Decimal("1.5")), {"default": "1.5"}),
        (fields.Date(load_default=dt.date(2024, 2, 29)), {"default": "2024-02-29"}),
        (fields.Date(load_default="someday"), {}),
        (fields.Raw(load_default=object()), {}),
        (fields.Enum(Colour, by_value=True, load_default=Colour.RED), {"default": "r"}),
        (fields.Integer(metadata={"default": 4}), {"default": 4}),
        (fields.Integer(), {}),
    ],
)
def test_a_default_is_given_where_it_is_plain(thing, field, default):
    document = thing(strict(field)())
    name = read_schema(document)["$ref"].rpartition("/")[2]

    found = value_schema(document, name)

    assert {key: value for key, value in found.items() if key == "default"} == default


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
@pytest.mark.parametrize("source", [Source.BODY, Source.FORM])
def test_no_default_is_where_absent_means_unchanged_nor_in_what_is_answered(
    operation, document, version, source
):
    """Clients made from a default send it, and a rename would reset another column."""

    class Inner(Schema):
        colour = fields.String(load_default="red")
        size = fields.Integer(metadata={"default": 4})

    class Outer(Schema):
        name = fields.String(required=True)
        count = fields.Integer(load_default=0, allow_none=True)
        tags = fields.List(fields.String(load_default="x"), load_default=list)
        inner = fields.Nested(Inner, load_default=dict)
        kind = fields.Enum(Colour, by_value=True, load_default=Colour.RED)
        colours = fields.Pluck(Inner, "colour", many=True)

    schema = Outer() if source is Source.BODY else Outer(exclude=("inner", "colours"))
    patch = operation(
        "PATCH", inputs=(Input(source, schema, partial=True),), answers=(Answer(200, Outer()),)
    )

    assert '"default"' not in json.dumps(document(patch, version=version))


def test_a_schema_that_is_partial_in_some_names_has_the_defaults_of_the_others(thing):
    schema = Schema.from_dict(
        {"one": fields.Integer(load_default=1), "two": fields.Integer(load_default=2)},
        name="ThingSchema",
    )(partial=("one",))

    document = thing(schema)

    name = read_schema(document)["$ref"].rpartition("/")[2]
    properties = document["components"]["schemas"][name]["properties"]
    assert properties == {"one": {"type": "integer"}, "two": {"type": "integer", "default": 2}}


def test_a_description_may_stand_beside_a_reference(thing):
    field = fields.Nested(Part, metadata={"description": "the part"})

    newest = value_schema(thing(strict(field)()))
    older = value_schema(thing(strict(field)(), "3.0"))

    assert newest == {"$ref": "#/components/schemas/Part", "description": "the part"}
    assert older == {"allOf": [{"$ref": "#/components/schemas/Part"}], "description": "the part"}


def test_a_default_of_none_makes_the_dumped_value_nullable(thing):
    document = thing(strict(fields.Integer(dump_default=None))())

    assert value_schema(document)["type"] == ["integer", "null"]
    assert value_schema(document, "ThingIn")["type"] == "integer"


def test_a_schema_that_takes_unknown_keys_says_so(thing):
    class ThingSchema(Schema):
        class Meta:
            unknown = INCLUDE
            title = "A thing"
            description = "What it is."

    found = thing(ThingSchema())["components"]["schemas"]["Thing"]

    assert found == {
        "type": "object",
        "properties": {},
        "title": "A thing",
        "description": "What it is.",
        "additionalProperties": True,
    }


def test_hooks_that_may_add_keys_leave_the_object_open(thing):
    class ThingSchema(Schema):
        name = fields.String()

        @pre_load
        def open_in(self, data, **kwargs):
            return data

        @post_dump
        def open_out(self, data, **kwargs):
            return {**data, "more": 1}

    found = thing(ThingSchema())["components"]["schemas"]["Thing"]

    assert "additionalProperties" not in found


def test_data_keys_are_the_names_on_the_wire(thing):
    class ThingSchema(Schema):
        first = fields.String(data_key="firstName", required=True)

    found = thing(ThingSchema())["components"]["schemas"]["Thing"]

    assert list(found["properties"]) == found["required"] == ["firstName"]


def test_the_keys_of_a_mapping_are_described_where_json_schema_can(thing):
    field = fields.Dict(fields.UUID(), fields.Integer())

    newest = value_schema(thing(strict(field)()))
    older = value_schema(thing(strict(field)(), "3.0"))

    assert newest["propertyNames"] == {"type": "string", "format": "uuid"}
    assert older == {"type": "object", "additionalProperties": {"type": "integer"}}
