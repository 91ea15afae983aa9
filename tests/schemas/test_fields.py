"""Every field and validator, against every kind of value: compiled as marshmallow, one by one."""

import datetime as dt
import re
from decimal import ROUND_UP, Decimal
from types import SimpleNamespace
from uuid import UUID

import peewee
import pytest
from marshmallow import EXCLUDE, INCLUDE, ValidationError, missing, validate

from msframework.codec import compile_schema
from msframework.schemas import Reference, Schema, fields
from msframework.schemas.columns import (
    AddressNumber,
    Base64,
    BinaryUUID,
    Digits,
    EnumValue,
    Ticks,
)
from msframework.schemas.storable import Storable
from msframework.schemas.strict import StrictTime, StrictUUID
from msframework.strict_json import dumps
from tests.codec.strategies import Color, Mixed, Size, Text, shape


class Upper(fields.String):
    """A custom field."""

    def _serialize(self, value, attr, obj, **kwargs):
        return None if value is None else f"{attr}:{value}".upper()

    def _deserialize(self, value, attr, data, **kwargs):
        if value == "bad":
            raise ValidationError({"deep": ["Bad."]}, valid_data="half")
        return super()._deserialize(value, attr, data, **kwargs)


class Named(fields.String):
    """A custom field that overrides nothing that runs."""

    default_error_messages = {"invalid": "No name."}  # noqa: RUF012


class Inner(Schema):
    a = fields.Integer(required=True)
    b = fields.String(validate=validate.Length(max=3), data_key="bee")

    class Meta:
        unknown = EXCLUDE


def refuse_odd(value):
    if value % 2:
        raise ValidationError({"odd": ["Not even."]})


def refuse(value):
    raise ValidationError("Refused.")


email = {"validate": [validate.Email(error="{input} is no address")]}
FIELDS = [
    fields.String(),
    fields.String(validate=validate.Length(1, 3)),
    fields.String(validate=validate.Length(min=2)),
    fields.String(validate=validate.Length(equal=3)),
    fields.String(validate=validate.Length(max=2, error="{input} is longer than {max}")),
    fields.String(validate=validate.Length(max=2, error="{unknown}")),
    fields.String(validate=[validate.Regexp("a"), validate.Regexp("b$", re.I)]),
    fields.String(validate=validate.Regexp(b"a")),
    fields.String(validate=validate.OneOf(["red", "a"])),
    fields.String(validate=validate.OneOf(("red", "a"), error="{choices} {labels} {input}")),
    fields.String(validate=validate.OneOf(iter(["red"]))),
    fields.String(validate=validate.OneOf([1.5, None])),
    fields.String(validate=[validate.NoneOf(["red"]), validate.ContainsOnly("red")]),
    fields.String(validate=[validate.Predicate("isalpha"), validate.Equal("red")]),
    fields.String(validate=[refuse, Storable()]),
    fields.String(validate=Storable()),
    fields.String(**email),
    fields.String(validate=validate.Email(error="{0}")),
    fields.Email(),
    fields.Email(error_messages={"invalid": "Bad {input}"}),
    fields.Url(),
    fields.Url(relative=True, require_tld=False),
    Named(),
    Upper(),
    fields.Integer(),
    fields.Integer(strict=True),
    fields.Integer(as_string=True),
    fields.Integer(validate=validate.Range(0, 10)),
    fields.Integer(validate=validate.Range(min=0, min_inclusive=False)),
    fields.Integer(validate=validate.Range(max=10, max_inclusive=False, error="{input} {max}")),
    fields.Integer(validate=validate.Range(min=Decimal("1.5"))),
    fields.Integer(validate=validate.Range(min=float("-inf"))),
    fields.Integer(validate=validate.OneOf((1, 2))),
    fields.Integer(validate=[refuse_odd, validate.Range(min=100)]),
    fields.Integer(validate=refuse_odd),
    fields.Integer(validate=validate.Length(min=1.5)),
    fields.Float(),
    fields.Float(allow_nan=True),
    fields.Float(as_string=True, validate=validate.Range(0, 10)),
    fields.Decimal(),
    fields.Decimal(as_string=True, validate=[validate.Range(min=0), Digits(3, 1)]),
    fields.Decimal(2, ROUND_UP, as_string=True),
    fields.Decimal(allow_nan=True, as_string=True),
    fields.Decimal(validate=refuse),
    fields.Boolean(),
    fields.List(fields.Boolean()),
    fields.Boolean(truthy=["yes"], falsy=["no"]),
    fields.Boolean(truthy=[]),
    fields.Boolean(validate=validate.Equal(True)),
    fields.UUID(),
    BinaryUUID(),
    StrictUUID(),
    StrictTime(),
    Ticks(peewee.TimestampField(utc=True)),
    Ticks(peewee.TimestampField(resolution=1000)),
    fields.DateTime(),
    fields.DateTime("rfc"),
    fields.DateTime("timestamp"),
    fields.DateTime("timestamp_ms"),
    fields.DateTime("%Y"),
    fields.NaiveDateTime(),
    fields.NaiveDateTime(timezone=dt.UTC),
    fields.AwareDateTime(),
    fields.AwareDateTime(default_timezone=dt.UTC),
    fields.Date(),
    fields.Date("%d.%m.%Y"),
    fields.Time(),
    fields.TimeDelta(),
    fields.TimeDelta("minutes"),
    fields.Raw(),
    fields.Raw(validate=[validate.Length(max=1), validate.OneOf([[1], {}])]),
    fields.Raw(validate=validate.Email()),
    fields.IP(exploded=True),
    fields.IPv6(),
    fields.IPv4Interface(),
    AddressNumber(),
    Base64(),
    fields.Enum(Color),
    fields.Enum(Color, by_value=True),
    fields.Enum(Size, by_value=fields.Integer),
    EnumValue(Color),
    fields.Constant(7),
    fields.Constant(None, required=True),
    fields.Constant("x", allow_none=False),
    Reference({"id": int}),
    fields.Dict(),
    fields.Dict(fields.String(), fields.Integer()),
    fields.Dict(fields.Integer()),
    fields.Dict(values=fields.Nested(Inner)),
    fields.Dict(values=Upper()),
    fields.List(fields.Integer()),
    fields.List(fields.Integer(allow_none=True, validate=validate.Range(max=5))),
    fields.List(fields.List(fields.String())),
    fields.List(fields.Nested(Inner)),
    fields.List(fields.Raw()),
    fields.List(fields.Decimal(as_string=True)),
    fields.List(fields.DateTime(), validate=validate.Length(max=1)),
    fields.List(Upper()),
    fields.Tuple((fields.Integer(), fields.String())),
    fields.Tuple((fields.Nested(Inner),)),
    fields.Tuple((Upper(),)),
    fields.Nested(Inner),
    fields.Nested(Inner, many=True),
    fields.Nested(Inner(many=True)),
    fields.Nested(Inner, unknown=INCLUDE, validate=validate.Length(min=2)),
    fields.Nested(Inner, only=("b",)),
    fields.Nested({"a": fields.Integer()}),
    fields.Pluck(Inner, "a"),
    fields.Pluck(Inner, "b", many=True),
    fields.Pluck(Inner(many=True), "a"),
    fields.String(pre_load=[str.strip], post_load=str.upper),
    fields.Function(str, lambda value: value + 1),
    fields.Method("get", "put"),
    fields.Method(deserialize="put"),
]
OPTIONS = [
    {},
    {"required": True},
    {"allow_none": True},
    {"load_default": None},
    {"load_default": 5, "dump_default": "6"},
    {"load_default": dict, "dump_default": lambda: missing},
    {"required": True, "error_messages": {"required": {"a": ["Needed {x}."]}, "null": "{x} null"}},
    {"required": True, "error_messages": {"required": "Needed.", "null": ["a", "b"]}},
]
MOMENT = dt.datetime(2024, 2, 29, 1, 2, 3, 4)
DEEP = {"a": 1, "bee": "long"}
VALUES = [
    *(missing, None, True, False, 0, 1, -1, 5, 101, 2**70, -(10**400), 1.0, 1.5, -0.0, 1e16),
    *(float("nan"), float("inf"), "", " ", "a", "ab", "abB", "red", "RED", "bad", "long text"),
    *("1", "-1", " 7 ", "1_0", "1.5", "1e3", "1e999", "NaN", "sNaN", "Infinity", "1.005", "yes"),
    *("t", "off", "a\0", "\ud800", "ä", Text("red"), Mixed.TWO, b"red", b"\xff", b"a" * 16),
    *("a@b.de", "a.b+c@sub.example.org", "a@b", "ä@ö.de", '"a b"@c.de', "a@localhost", "@b.de"),
    *("a@[127.0.0.1]", "http://a.de", "/path", "ftp://a/b", "http://localhost:80"),
    *(str(UUID(int=5)), UUID(int=5), "2024-02-29", "2023-02-29", "20240229T010203", "29.02.2024"),
    *("2024-02-29T01:02:03Z", "2024-02-29T01:02:03.5", "01:02", "25:00", "2024"),
    *("01:02:03+01:00", "01:02Z", UUID(int=5).hex, f"{{{UUID(int=5)}}}", "0001-01-01T00:00:00"),
    *("Thu, 29 Feb 2024 01:02:03 +0100", 1709168523, 1709168523.5, -5, 1e20, "1709168523"),
    *(MOMENT, MOMENT.replace(tzinfo=dt.UTC), MOMENT.date(), MOMENT.time(), dt.timedelta(1, 2)),
    *(dt.time(1, 2, 3, 45678), [dt.time(1, 2, 3, 45678)], {"a": dt.time(1, 2, 3, 45678)}),
    *(Decimal("1.50"), Decimal("1E+3"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")),
    *(Color.RED, Size.LARGE, "SMALL", 2, "1.2.3.4", "::1", "1.2.3.4/8", 16909060, "aGk="),
    *([], [1], ["1", "x", None], [[], ["a", 1]], [DEEP], [DEEP, {}], (1, "a"), {1, 2}, range(2)),
    *({}, {"a": 1}, {"a": "x", "z": 1}, {"1": "1"}, {"x": None}, DEEP, {"k": DEEP}, {"k": {}}),
    *(SimpleNamespace(a=1, b="x"), object, iter([])),
]


def outcome(call, *args, **kwargs):
    """Return what *call* gives or how it fails, comparably."""
    try:
        return ("value", shape(call(*args, **kwargs)))
    except ValidationError as exc:
        return ("refused", shape(exc.messages), shape(exc.valid_data))
    except Exception as exc:
        return ("failed", type(exc), str(exc))


def schema_with(field):
    """Return a schema whose field `f` is *field*."""
    members = {"f": field, "get": lambda self, obj: str(obj), "put": lambda self, value: [value]}
    return type("Fielded", (Schema,), members)()


def record(value):
    """Return the data for `value`; iterators are made anew for each use."""
    if value is missing:
        return {}
    return {"f": iter([{"a": 1, "bee": "x"}]) if hasattr(value, "__next__") else value}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: type(field).__name__)
def test_every_value_is_loaded_as_marshmallow_does(field):
    schema = schema_with(field)
    compiled = compile_schema(schema)

    for value in VALUES:
        for options in ({}, {"partial": True}, {"partial": ("f", "f.a")}, {"partial": False}):
            found = outcome(compiled.load, record(value), **options)
            assert found == outcome(schema.load, record(value), **options), (value, options)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: type(field).__name__)
def test_every_value_is_dumped_as_marshmallow_does(field):
    schema = schema_with(field)
    compiled = compile_schema(schema)

    for value in (*VALUES, {"f": missing}):
        for make in (record, lambda value: SimpleNamespace(**record(value))):
            expected = outcome(schema.dump, make(value))
            assert outcome(compiled.dump, make(value)) == expected, value
            expected = outcome(lambda make, value: dumps(schema.dump(make(value))), make, value)
            assert outcome(compiled.dump_json, make(value)) == expected, value


@pytest.mark.parametrize("odd", [2**70, "\ud800", {1: 2**70}, object, [dt.time(1, 2, 3, 45678)]])
def test_odd_values_of_several_fields_are_written_together(odd):
    schema = Schema.from_dict(
        {"a": fields.Boolean(), "b": fields.Integer(), "c": fields.String(), "d": fields.Date()}
    )()

    for row in (
        {"a": odd, "b": 2**70, "c": "x", "d": MOMENT},
        {"a": [odd], "b": "x", "c": "\ud800", "d": MOMENT.date()},
        {"a": odd, "b": 1, "c": "\ud800", "d": None},
    ):
        expected = outcome(lambda row: dumps(schema.dump(row)), row)
        assert outcome(compile_schema(schema).dump_json, row) == expected


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
@pytest.mark.parametrize("kind", [fields.Integer, fields.Raw, fields.Decimal, Upper, fields.UUID])
def test_presence_null_and_defaults_are_marshmallows(kind, options):
    schema = schema_with(kind(**options))
    compiled = compile_schema(schema)

    for value in (missing, None, 1, "x"):
        assert outcome(compiled.load, record(value)) == outcome(schema.load, record(value))
        assert outcome(compiled.dump, record(value)) == outcome(schema.dump, record(value))


@pytest.mark.parametrize("attribute", ["other", "a.b", "", "f"])
@pytest.mark.parametrize("data_key", [None, "key", "", "_schema", "a.b"])
def test_keys_and_attributes_are_marshmallows(attribute, data_key):
    field = fields.Integer(attribute=attribute, data_key=data_key, validate=refuse_odd)
    schema = Schema.from_dict({"f": field, "g": fields.Nested(Inner, data_key="h")})()
    compiled = compile_schema(schema)
    names = ("f", "key", "", "_schema", "a.b", "other")

    for value in (1, 2, "x"):
        data = {**dict.fromkeys(names, value), "a": {"b": value}}
        for whole in (data, {}, [], {"a": 1, "h": {"a": "x"}}):
            assert outcome(compiled.load, whole) == outcome(schema.load, whole)
            assert outcome(compiled.dump, whole) == outcome(schema.dump, whole)


def test_fields_that_share_a_key_share_its_errors():
    schema = Schema.from_dict(
        {
            "one": fields.Integer(data_key="k"),
            "two": fields.Nested(Inner, data_key="k", load_only=True),
            "three": fields.Integer(data_key="k", load_only=True, validate=refuse),
        }
    )()

    for value in ("x", 5, {"a": "x"}, [1]):
        data = {"k": value}
        assert outcome(compile_schema(schema).load, data) == outcome(schema.load, data)


@pytest.mark.parametrize("index_errors", [True, False])
def test_lists_of_objects_gather_errors_as_marshmallow_does(index_errors):
    class Listed(Schema):
        a = fields.Integer(required=True)
        inner = fields.Nested(Inner)

        class Meta:
            pass

    Listed.opts.index_errors = index_errors
    schema = Listed(many=True)
    items = [{"a": "x"}, {"a": 1}, 5, {"a": 1, "z": 2, "y": 1}, {"a": 1, "inner": {}}, {}]

    for data in (items, items[:1], [], {}, "text", None, tuple(items)):
        assert outcome(compile_schema(schema).load, data) == outcome(schema.load, data)


def test_an_instance_with_its_own_method_is_left_to_marshmallow():
    schema = Schema.from_dict({"a": fields.Integer()})()
    schema.fields["a"]._serialize = lambda value, attr, obj, **kwargs: "own"

    compiled = compile_schema(schema)

    assert compiled.dump({"a": 1}) == {"a": "own"}
    assert compiled.fallbacks == ("GeneratedSchema.a: Integer is a custom field",)


def test_a_schema_with_its_own_method_is_left_to_marshmallow():
    schema = Schema.from_dict({"a": fields.Integer()})()
    schema._serialize = lambda obj, *, many=False: "own"

    assert compile_schema(schema).dump({"a": 1}) == "own"
