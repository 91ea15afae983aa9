"""What `compile_schema` gives: answers, fallbacks, counts, and the source it runs."""

import ast
import datetime as dt
import enum
import gc
import traceback
import weakref
from collections import OrderedDict
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import pytest
from marshmallow import (
    EXCLUDE,
    INCLUDE,
    ValidationError,
    post_dump,
    post_load,
    pre_dump,
    pre_load,
    validate,
    validates,
    validates_schema,
)

from msframework.codec import compile_schema
from msframework.exceptions import MalformedJSON
from msframework.schemas import Reference, Schema, fields
from msframework.schemas.columns import Digits
from msframework.schemas.storable import STORABLE
from msframework.strict_json import dumps

GOLDEN = Path(__file__).parent / "golden"


class Color(enum.Enum):
    RED = "red"


class CitySchema(Schema):
    id = fields.Integer(required=True)
    name = fields.String()


class UserSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.String(required=True, validate=validate.Length(1, 8))
    email = fields.Email(data_key="eMail")
    age = fields.Integer(load_default=18, validate=validate.Range(0, 150))
    balance = fields.Decimal(as_string=True)
    uid = fields.UUID()
    is_active = fields.Boolean()
    create_time = fields.DateTime()
    city = fields.Nested(CitySchema)
    tags = fields.List(fields.String(), dump_default=list)


class RowSchema(Schema):
    id = fields.Integer()
    name = fields.String()
    score = fields.Float()
    balance = fields.Decimal(as_string=True)
    uid = fields.UUID()
    is_active = fields.Boolean()
    create_time = fields.DateTime()
    day = fields.Date()
    at = fields.Time()
    role_id = Reference(CitySchema)


class TreeSchema(Schema):
    name = fields.String(required=True)
    children = fields.List(fields.Nested(lambda: TreeSchema()))
    parent = fields.Nested(lambda: TreeSchema(only=("name",)), allow_none=True)


class OptionsSchema(Schema):
    color = fields.Enum(Color)
    kind = fields.Constant("user")
    pair = fields.Tuple((fields.Integer(), fields.String()))
    scores = fields.Dict(fields.String(), fields.Integer())
    city_name = fields.Pluck(CitySchema, "name")
    deep = fields.String(attribute="a.b")

    class Meta:
        unknown = INCLUDE


class HookedSchema(Schema):
    name = fields.String()
    upper = fields.Function(lambda obj: obj["name"].upper())

    @pre_load
    def strip(self, data, **kwargs):
        return {key: value.strip() for key, value in data.items()}

    @post_load
    def mark(self, data, **kwargs):
        return {**data, "loaded": True}

    @validates("name")
    def not_bob(self, value, **kwargs):
        if value == "bob":
            raise ValidationError("Not bob.")

    @validates_schema(pass_collection=True)
    def not_empty(self, data, **kwargs):
        if not data:
            raise ValidationError("Empty.")

    @pre_dump
    def copy(self, obj, **kwargs):
        return dict(obj)

    @post_dump(pass_original=True)
    def seal(self, data, original, **kwargs):
        return {**data, "sealed": original["name"]}


SCHEMAS = (UserSchema, RowSchema, TreeSchema, OptionsSchema, HookedSchema)


@pytest.mark.parametrize("schema_class", SCHEMAS, ids=lambda schema: schema.__name__)
def test_the_source_is_what_its_golden_file_says(schema_class):
    golden = GOLDEN / f"{schema_class.__name__}.txt"
    found = "\n".join(compile_schema(schema_class()).sources.values())

    if not golden.exists():  # pragma: no cover - to make a new one, delete the old one
        golden.write_text(found)
    assert found == golden.read_text()


@pytest.mark.parametrize("schema_class", [UserSchema, RowSchema])
def test_no_function_for_ten_fields_is_over_25_lines(schema_class):
    assert len(schema_class().fields) == 10

    for source in compile_schema(schema_class()).sources.values():
        assert len(source.splitlines()) <= 25


def test_keys_enter_the_source_as_text_only():
    name = "'\n__import__('os')#"
    schema = Schema.from_dict({name: fields.Integer(data_key=f"{name}x")}, name="A-b c")()
    compiled = compile_schema(schema)

    assert compiled.dump({name: 1}) == {f"{name}x": 1}
    assert compiled.load({f"{name}x": 1}) == {name: 1}
    for source in compiled.sources.values():
        (function,) = ast.parse(source).body
        assert isinstance(function, ast.FunctionDef)


def test_a_traceback_shows_the_generated_source():
    compiled = compile_schema(UserSchema())

    with pytest.raises(ValueError, match="invalid literal") as caught:
        compiled.dump({"id": "x"})

    assert "else dump_0(v, 'id', obj)" in "".join(traceback.format_exception(caught.value))


def test_what_needs_no_user_code_has_no_fallbacks():
    for schema_class in (UserSchema, RowSchema, TreeSchema, OptionsSchema):
        assert compile_schema(schema_class()).fallbacks == ()


def test_fallbacks_say_what_and_why():
    class Upper(fields.String):
        def _serialize(self, value, attr, obj, **kwargs):
            return value.upper()

    class Custom(Schema):
        name = Upper()
        names = fields.List(Upper)
        size = fields.Method("get_size")
        trimmed = fields.String(pre_load=str.strip)
        hooked = fields.Nested(HookedSchema)
        lost = fields.Nested("NoSuchSchema", load_only=True)

        def get_size(self, obj):
            return 1

    compiled = compile_schema(Custom())

    assert sorted(compiled.dump_fallbacks) == [
        "Custom.name: Upper is a custom field",
        "Custom.names: Upper is a custom field",
        "Custom.size: Method calls the user's code",
        "HookedSchema.upper: Function calls the user's code",
        "HookedSchema: post_dump calls the user's code",
        "HookedSchema: pre_dump calls the user's code",
    ]
    assert "Custom.trimmed: pre_load and post_load call the user's code" in compiled.load_fallbacks
    assert "Custom.lost: its nested schema cannot be compiled" in compiled.load_fallbacks
    assert set(compiled.fallbacks) == {*compiled.dump_fallbacks, *compiled.load_fallbacks}
    obj = {"name": "a", "names": ["b"], "trimmed": "c", "hooked": {"name": "d"}}
    assert compiled.dump(obj) == Custom().dump(obj)
    assert compiled.load({"trimmed": " x "}) == {"trimmed": "x"}


def test_calls_are_counted_by_what_ran_them():
    compiled, hooked = compile_schema(RowSchema()), compile_schema(HookedSchema())

    compiled.dump({})
    compiled.load({})
    compiled.dump_json({"id": 1})
    compiled.load_json(b"{}")
    hooked.dump({"name": "x"})

    assert (compiled.calls.compiled, compiled.calls.fallback) == (4, 0)
    assert repr(hooked.calls) == "CallCounts(compiled=0, fallback=1)"


def test_a_schema_with_its_own_dump_and_load_keeps_them():
    class Own(Schema):
        a = fields.Integer()

        def dump(self, obj, **kwargs):
            return {"own": super().dump(obj, **kwargs)}

        def _do_load(self, *args, **kwargs):
            return ["loaded"]

    class Around(Schema):
        own = fields.Nested(Own)

    compiled = compile_schema(Own())

    assert compiled.dump({"a": 1}) == {"own": {"a": 1}}
    assert compiled.dump_json({"a": 1}) == b'{"own":{"a":1}}'
    assert compiled.load({}) == compiled.load_json(b"{}") == ["loaded"]
    assert compiled.fallbacks == (
        "Own: it overrides marshmallow's dump",
        "Own: it overrides marshmallow's load",
    )
    assert compile_schema(Around()).dump({"own": {"a": 1}}) == {"own": {"own": {"a": 1}}}
    assert compile_schema(Around()).load({"own": {}}) == {"own": ["loaded"]}


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("name", [" ann ", "bob", ""])
def test_hooks_run_as_in_marshmallow(name, many):
    schema = HookedSchema(many=many)
    compiled = compile_schema(schema)
    data = [{"name": name}] if many else {"name": name}

    assert compiled.dump(data) == schema.dump(data)
    assert compiled.dump_json(data) == dumps(schema.dump(data))
    assert messages(compiled.load, data) == messages(schema.load, data)
    assert messages(compiled.load_json, dumps(data)) == messages(schema.load, data)


def messages(load, data):
    try:
        return load(data)
    except ValidationError as exc:
        return exc.messages, exc.valid_data


def test_a_failing_pre_load_stops_as_in_marshmallow():
    class Stopping(Schema):
        a = fields.Integer()

        @pre_load
        def stop(self, data, **kwargs):
            raise ValidationError({"a": ["Stopped."]})

    assert messages(compile_schema(Stopping()).load, {}) == ({"a": ["Stopped."]}, None)


def test_a_failing_post_load_is_an_error():
    class Failing(Schema):
        a = fields.Integer()

        @post_load
        def fail(self, data, **kwargs):
            raise ValidationError("No.", "a")

        @validates_schema
        def check(self, data, **kwargs):
            if data["a"] == 0:
                raise ValidationError("Zero.", "a")

    schema = Failing()

    for value in (0, 1):
        data = {"a": value}
        assert messages(compile_schema(schema).load, data) == messages(schema.load, data)


def test_handle_error_is_called_with_what_marshmallow_gives():
    seen = []

    class Refusal(Exception):
        pass

    class Handling(Schema):
        a = fields.Integer()

        def handle_error(self, error, data, *, many, **kwargs):
            seen.append((error.messages, data, many, kwargs))
            raise Refusal

    class Around(Schema):
        inner = fields.Nested(Handling)

    for schema, data in ((Handling(), {"a": "x"}), (Around(), {"inner": {"a": "x"}})):
        with pytest.raises(Refusal):
            compile_schema(schema).load(data)
        with pytest.raises(Refusal):
            compile_schema(schema).load_json(dumps(data))

    assert seen == [({"a": ["Not a valid integer."]}, {"a": "x"}, False, {"partial": None})] * 4


class RulesSchema(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 3))
    short = fields.String(validate=validate.Length(max=2))
    long = fields.String(validate=validate.Length(min=2, error="{input} is short"))
    exact = fields.String(validate=validate.Length(equal=2))
    said = fields.String(validate=validate.Length(1, 2, error="one or two"))
    age = fields.Integer(validate=validate.Range(1, 150))
    low = fields.Integer(validate=validate.Range(min=1, min_inclusive=False))
    high = fields.Integer(validate=validate.Range(max=1, error="{input} is above {max}"))
    sex = fields.String(validate=validate.OneOf(["f", "m"]))
    size = fields.Integer(validate=validate.OneOf((1, 2), error="{input}, not {choices}"))
    code = fields.String(validate=validate.Regexp("[a-z]+$"))
    email = fields.Email()
    more = fields.Email(validate=[validate.Length(max=4), STORABLE, validate.Length(min=9)])
    price = fields.Decimal(validate=Digits(5, 2))
    _schema = fields.String(validate=validate.Length(1, 1))


RULES = {
    "name": ["", "abcd", "ab", 5, None],
    "short": ["abc", "", True],
    "long": ["a", "ab"],
    "exact": ["a", "abc", "ab"],
    "said": ["", "abc"],
    "age": [0, 151, 1, True, "0", 1.0],
    "low": [1, 2, 2**70],
    "high": [2, 1],
    "sex": ["x", "f", 1],
    "size": [3, 1],
    "code": ["A", "a", ""],
    "email": ["a", "a@b.de", "ä@localhost", ""],
    "more": ["a", "a@b\0", "a@b.de\ud800", "\0", "abc@def.de"],
    "price": ["1.50", "1.5", "1", "999.99", "1000.00", "1.505", "1E+2", "0.000", "NaN", "-0.10", 7],
    "_schema": ["", "ab", "a"],
}


@pytest.mark.parametrize("name", RULES)
def test_rules_say_what_marshmallow_says(name):
    schema = RulesSchema()
    compiled = compile_schema(schema)
    for value in RULES[name]:
        data = {"name": "abc", name: value}
        assert messages(compiled.load, data) == messages(schema.load, data), value
        twice = {"name": "", name: value, "more": "x"}
        assert messages(compiled.load, twice) == messages(schema.load, twice), value


def test_a_refusal_is_nobody_elses():
    compiled = compile_schema(RulesSchema())

    compiled.read_json(b'{"name":""}').messages["name"].append("changed")

    assert compiled.read_json(b'{"name":""}').messages == {
        "name": ["Length must be between 1 and 3."]
    }


@pytest.mark.parametrize("schema_class", [RulesSchema, HookedSchema, TreeSchema])
@pytest.mark.parametrize("body", [b'{"name":"ann"}', b'{"name":""}', b'{"name":"bob","x":"1"}'])
@pytest.mark.parametrize("partial", [None, True])
def test_reading_returns_what_loading_raises(schema_class, body, partial):
    compiled = compile_schema(schema_class())

    expected, valid, data = whole(lambda: compiled.load_json(body, partial=partial))
    found = compiled.read_json(body, partial)

    if valid is None:
        assert found == expected
    else:
        assert (found.messages, found.valid, found.data) == (expected, valid, data)


def whole(load):
    try:
        return load(), None, None
    except ValidationError as exc:
        return exc.messages, exc.valid_data, exc.data


def test_a_refusal_leaves_no_circle_for_the_garbage_collector():
    compiled = compile_schema(RulesSchema())
    gc.disable()
    try:
        refusals = [
            refusal(lambda: compiled.load_json(b'{"name":""}')),
            refusal(lambda: compiled.load({"name": ""})),
        ]
        left = [error() for error in refusals if error() is not None]
    finally:
        gc.enable()

    assert left == []


def refusal(load):
    """Return a weak reference to the error that *load()* raises."""
    try:
        load()
    except ValidationError as error:
        return weakref.ref(error)
    pytest.fail("nothing was refused")


def test_recursion_ends():
    compiled = compile_schema(TreeSchema())
    tree = {"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}], "parent": None}

    assert compiled.dump(tree) == TreeSchema().dump(tree) == compiled.load(tree)
    assert compiled.dump_json(tree) == dumps(tree)
    wrong = {"name": "a", "children": [{"children": [{"name": 1}]}]}
    assert messages(compiled.load, wrong) == messages(TreeSchema().load, wrong)


def test_a_schema_that_is_another_at_each_depth_ends_in_marshmallow():
    class Rebound(Schema):
        inner = fields.Nested(lambda: Rebound())

        def on_bind_field(self, field_name, field_obj):
            field_obj.metadata = {}

    compiled = compile_schema(Rebound())
    deep: dict = {}
    for _ in range(20):
        deep = {"inner": deep}

    assert compiled.fallbacks == ("Rebound.inner: its nested schema cannot be compiled",)
    assert compiled.load(deep) == compiled.dump(deep) == deep


def test_other_ways_to_get_at_values():
    class Shouting(Schema):
        a = fields.String()

        def get_attribute(self, obj, attr, default):
            return f"{attr}!"

    assert compile_schema(Shouting()).dump({}) == {"a": "a!"}
    assert compile_schema(Shouting()).dump_json({}) == b'{"a":"a!"}'


def test_other_dicts_are_made():
    class Ordered(Schema):
        dict_class = OrderedDict
        a = fields.Integer()

    compiled = compile_schema(Ordered())

    assert type(compiled.dump({"a": 1})) is type(compiled.load({"a": 1})) is OrderedDict
    assert type(messages(compiled.load, [])[1]) is OrderedDict


@pytest.mark.parametrize(
    "obj",
    [
        {"id": 1, "name": "x"},
        MappingProxyType({"id": 1, "name": "x"}),
        SimpleNamespace(id=1, name="x"),
        OrderedDict(id=1, name="x"),
    ],
)
def test_any_object_is_dumped(obj):
    compiled = compile_schema(RowSchema())

    assert compiled.dump(obj) == {"id": 1, "name": "x"}
    assert compiled.dump_json([obj, obj], many=True) == b'[{"id":1,"name":"x"},{"id":1,"name":"x"}]'


def test_generators_are_dumped():
    compiled = compile_schema(RowSchema(many=True))

    assert compiled.dump_json({"id": number} for number in range(2)) == b'[{"id":0},{"id":1}]'


def test_only_exclude_partial_and_unknown_are_the_schemas_own():
    schema = UserSchema(only=("name", "age"), partial=("name",), unknown=EXCLUDE)
    compiled = compile_schema(schema)

    assert compiled.load_json(b'{"x":1}') == {"age": 18}
    assert compiled.load_json(b'{"x":1}', partial=True) == {}
    assert compiled.load_json(b'[{"x":1}]', many=True, unknown=INCLUDE) == [{"age": 18, "x": 1}]


def test_load_json_is_strict_wherever_a_value_stands():
    compiled = compile_schema(UserSchema(), max_depth=3)
    for body in (
        b'{"name":"a","age":18446744073709551616}',
        b'{"name":"a","x":18446744073709551616}',
        b'{"name":"a","city":{"id":18446744073709551616}}',
        b'{"name":"a","tags":[[[1]]]}',
        b"[[[[1]]]]",
        b'{"name":"a"',
    ):
        with pytest.raises(MalformedJSON):
            compiled.load_json(body)


def test_a_real_number_is_looked_at_and_then_taken():
    compiled = compile_schema(UserSchema())

    assert compiled.load_json(b'{"name":"a","age":3.0}') == {"name": "a", "age": 3}


def test_dates_in_other_zones_are_written_as_isoformat_does():
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1, seconds=5)))
    compiled = compile_schema(RowSchema())

    assert compiled.dump_json({"create_time": moment}) == dumps({"create_time": moment.isoformat()})


def test_errors_of_a_field_under_the_key_of_schema_errors_are_kept_beside_others():
    class Inner(Schema):
        a = fields.Integer(required=True)

    class Outer(Schema):
        whole = fields.Nested(Inner, data_key="_schema")
        a = fields.String(validate=validate.Length(min=3))

    body = b'{"_schema": {"a": "x"}, "a": ""}'
    with pytest.raises(ValidationError) as expected:
        Outer().load({"_schema": {"a": "x"}, "a": ""})

    with pytest.raises(ValidationError) as found:
        compile_schema(Outer()).load_json(body)

    assert found.value.messages == expected.value.messages
    assert len(found.value.messages["a"]) == 2
