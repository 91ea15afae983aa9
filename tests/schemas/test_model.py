"""Schemas derived from models: every column type, every option, and what is refused."""

import datetime as dt
import enum
import time
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import peewee
import pytest
from marshmallow import ValidationError, missing, validate
from playhouse import fields as extra
from playhouse import postgres_ext

from msframework import models
from msframework.codec import compile_schema
from msframework.exceptions import ImproperlyConfigured
from msframework.models import DateTimeTZField, Model
from msframework.schemas import ALL, ModelSchema, Reference, Schema, fields
from msframework.schemas import api as doc
from msframework.schemas.columns import Digits


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1


class CityApi:
    """A city of the regions service."""

    id = doc.Integer("id")
    name = doc.String("name")


class Country(Model):
    code = peewee.CharField(max_length=2, primary_key=True)
    name = peewee.CharField(max_length=64)


class City(Model):
    name = peewee.CharField()
    country = peewee.ForeignKeyField(Country)
    twin = peewee.ForeignKeyField("self", null=True)


class Person(Model):
    name = peewee.CharField(max_length=8, verbose_name="the name", help_text="as it is spoken")
    age = peewee.IntegerField(default=18)
    nick = peewee.CharField(null=True, column_name="nickname")
    city = peewee.ForeignKeyField(City)
    work_id = peewee.IntegerField(help_text=CityApi, null=True)
    sex = peewee.CharField(choices=[("m", "male"), ("f", "female")])
    password = peewee.CharField()
    seen = models.DateTimeTZField(constraints=[peewee.SQL("DEFAULT now()")])


class PersonSchema(ModelSchema):
    class Meta:
        model = Person
        fields = ALL


def schema_of(field):
    """Return a schema for a model with the one column *field*, and that column alone."""
    model = type("Thing", (Model,), {"value": field})
    meta = type("Meta", (), {"model": model, "fields": ("value",)})
    return type("ThingSchema", (ModelSchema,), {"Meta": meta})()


def column(field):
    """Return the schema's field for the column *field*."""
    return schema_of(field).fields["value"]


def loaded(field, value):
    """Load *value* through the column *field*."""
    return schema_of(field).load({"value": value})["value"]


def dumped(field, value):
    """Dump *value* through the column *field*."""
    return schema_of(field).dump({"value": value})["value"]


def refused(field, value):
    """Return the messages for *value*, which the column *field* does not take."""
    with pytest.raises(ValidationError) as caught:
        loaded(field, value)
    return caught.value.messages["value"]


def test_fields_stand_in_the_models_order():
    names = ["id", "name", "age", "nick", "city_id", "work_id", "sex", "password", "seen"]

    assert list(PersonSchema().fields) == names


def test_what_must_be_sent_has_neither_null_nor_default():
    required = {name for name, field in PersonSchema().fields.items() if field.required}

    assert required == {"name", "city_id", "sex", "password"}


def test_a_primary_key_that_makes_itself_is_only_dumped():
    assert list(PersonSchema().load_fields)[:2] == ["name", "age"]


def test_a_natural_primary_key_is_loaded():
    field = ModelSchema.of(Country)().fields["code"]

    assert field.required
    assert not field.dump_only


def test_a_primary_key_with_a_default_is_only_dumped():
    field = column(peewee.UUIDField(primary_key=True, default=uuid.uuid4))

    assert field.dump_only


def test_defaults_nulls_and_other_column_names_are_taken_over():
    body = {"name": "Ann", "city_id": 1, "sex": "f", "password": "x", "nick": None}

    assert PersonSchema().load(body) == {
        "name": "Ann",
        "age": 18,
        "nickname": None,
        "city_id": 1,
        "sex": "f",
        "password": "x",
    }


def test_rows_under_other_column_names_are_dumped():
    assert PersonSchema(only=["nick"]).dump({"nickname": "Jo"}) == {"nick": "Jo"}


def test_verbose_name_and_help_text_become_title_and_description():
    assert PersonSchema().fields["name"].metadata == {
        "title": "the name",
        "description": "as it is spoken",
    }


def test_choices_are_the_only_values():
    with pytest.raises(ValidationError) as caught:
        PersonSchema().load({"sex": "x"}, partial=True)

    assert caught.value.messages == {"sex": ["Must be one of: m, f."]}


def test_help_text_with_an_api_class_makes_a_reference():
    field = PersonSchema().fields["work_id"]

    assert isinstance(field, Reference)
    assert PersonSchema().load({"work_id": 3}, partial=True) == {"work_id": 3}
    assert PersonSchema().dump({"work_id": 3}) == {"work_id": 3}
    assert PersonSchema().dump({"work_id": {"id": 3, "name": "Rome", "more": 1}}) == {
        "work_id": {"id": 3, "name": "Rome"}
    }


def test_a_reference_keeps_the_range_of_its_column():
    with pytest.raises(ValidationError):
        PersonSchema().load({"work_id": 2**31}, partial=True)


def test_help_text_may_be_a_model():
    field = column(peewee.IntegerField(help_text=Country))

    assert field.schema.dump({"code": "it", "name": "Italy"}) == {"code": "it", "name": "Italy"}


def test_a_foreign_key_is_an_id_of_its_targets_type():
    city = ModelSchema.of(City)()

    assert isinstance(city.fields["country_id"], fields.String)
    assert city.load({"name": "Rome", "country_id": "it"}) == {"name": "Rome", "country_id": "it"}
    assert city.fields["twin_id"].allow_none


def test_a_foreign_key_named_as_such_is_its_object():
    class Nested(ModelSchema):
        class Meta:
            model = City
            fields = ("name", "country")

    row = {"name": "Rome", "country": {"code": "it", "name": "Italy"}, "country_id": "it"}

    assert Nested().dump(row) == {"name": "Rome", "country": {"code": "it", "name": "Italy"}}
    assert list(Nested().load_fields) == ["name"]


@pytest.mark.parametrize("option", ["auto_now", "auto_now_add"])
def test_an_automatic_time_is_only_dumped(option):
    field = column(DateTimeTZField(**{option: True}))

    assert field.dump_only
    assert not field.required
    assert field.load_default is missing


@pytest.mark.parametrize(
    ("said", "is_dumped"),
    [("generated  always AS (age * 2) STORED", True), ("GENERATED BY DEFAULT AS IDENTITY", False)],
)
def test_a_column_that_postgresql_computes_is_only_dumped(said, is_dumped):
    field = column(models.IntegerField(constraints=[peewee.SQL(said)]))

    assert (field.dump_only, field.required) == (is_dumped, False)


def test_a_declared_field_wins_in_its_place():
    class Declared(ModelSchema):
        age = fields.String(dump_only=True)
        more = fields.Integer()

        class Meta:
            model = Person
            exclude = ("password", "seen")

    schema = Declared()

    assert isinstance(schema.fields["age"], fields.String)
    names = ["id", "name", "age", "nick", "city_id", "work_id", "sex", "more"]
    assert list(schema.fields) == names


def test_a_subclass_for_another_model_keeps_only_what_was_declared():
    class Declared(ModelSchema):
        more = fields.Integer()

        class Meta:
            model = Person
            fields = ALL

    class Other(Declared):
        class Meta:
            model = Country
            fields = ALL

    assert list(Other().fields) == ["code", "name", "more"]


def test_a_base_without_a_model_derives_nothing():
    class Base(ModelSchema):
        more = fields.Integer()

    assert list(Base().fields) == ["more"]


def test_of_loads_but_never_dumps_sensitive_columns():
    schema = ModelSchema.of(Person)()

    assert "password" in schema.load_fields
    assert "password" not in schema.dump_fields
    assert type(schema).__name__ == "PersonSchema"


def test_of_takes_options_of_meta():
    schema = ModelSchema.of(Person, fields=("id", "sex"), sensitive=("sex",))()

    assert list(schema.dump_fields) == ["id"]


def meta_of(**options):
    return type("BadSchema", (ModelSchema,), {"Meta": type("Meta", (), options)})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"model": Person}, "BadSchema.Meta: neither fields nor exclude is said"),
        ({"model": int, "fields": ALL}, "BadSchema.Meta: model is <class 'int'>"),
        ({"model": Person, "fields": ("nmae",)}, "fields names 'nmae', which neither Person"),
        ({"model": Person, "fields": "__all__"}, "fields is '__all__'.* Write fields = ALL"),
        ({"model": Person, "fields": "name"}, "Write fields = .'name',"),
        ({"model": Person, "exclude": ("nmae",)}, "exclude names 'nmae'"),
        ({"model": Person, "fields": ALL, "dump_only": ("x",)}, "dump_only names 'x'"),
    ],
)
def test_wrong_options_are_refused_with_their_place(options, text):
    with pytest.raises(ImproperlyConfigured, match=text):
        meta_of(**options)


def test_an_unknown_column_type_is_refused_with_its_name():
    class PointField(peewee.Field):
        field_type = "POINT"

    model = type("Map", (Model,), {"at": PointField()})

    with pytest.raises(ImproperlyConfigured, match=r"Map\.at, a PointField\. Declare at in"):
        meta_of(model=model, fields=ALL)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (peewee.SmallIntegerField, -(2**15), 2**15 - 1),
        (peewee.IntegerField, -(2**31), 2**31 - 1),
        (peewee.BigIntegerField, -(2**63), 2**63 - 1),
        (peewee.BitField, -(2**63), 2**63 - 1),
    ],
)
def test_integers_have_the_range_of_their_column(kind, low, high):
    assert [loaded(kind(), low), loaded(kind(), high)] == [low, high]
    for beyond in (low - 1, high + 1):
        (message,) = refused(kind(), beyond)
        assert message.startswith("Must be greater than or equal to")


@pytest.mark.parametrize("kind", [peewee.AutoField, peewee.BigAutoField, peewee.IdentityField])
def test_generated_keys_are_only_dumped(kind):
    field = column(kind())

    assert field.dump_only
    assert isinstance(field, fields.Integer)


def test_reals_have_the_range_of_their_column():
    assert loaded(peewee.DoubleField(), 1e300) == 1e300
    assert refused(peewee.FloatField(), 1e39)
    assert refused(peewee.DoubleField(), "NaN")


@pytest.mark.parametrize(
    ("value", "ok"),
    [
        ("999.99", True),
        ("-0.10", True),
        ("1000", False),
        ("0.001", False),
        ("1.500", True),
        ("1E2", True),
    ],
)
def test_decimals_fit_their_column(value, ok):
    field = peewee.DecimalField(max_digits=5, decimal_places=2)

    if ok:
        assert loaded(field, value) == Decimal(value)
    else:
        (message,) = refused(field, value)
        assert message.startswith("Ensure that there are no more than")


def test_decimals_are_strings():
    field = peewee.DecimalField(max_digits=5, decimal_places=2)

    assert dumped(field, Decimal("1.50")) == "1.50"
    assert refused(field, "NaN") == ["Special numeric values (nan or infinity) are not permitted."]


def test_a_column_that_rounds_rounds():
    assert loaded(peewee.DecimalField(5, 2, auto_round=True), "1.005") == Decimal("1.00")


def test_digits_leave_other_values_alone():
    check = Digits(3, 1)

    assert check(None) is None
    assert check(Decimal("Infinity")) == Decimal("Infinity")
    assert repr(check) == "<Digits(max_digits=3, places=1, error=None)>"


def test_text_has_the_length_of_its_column():
    assert refused(peewee.CharField(max_length=3), "four") == ["Longer than maximum length 3."]
    assert loaded(peewee.FixedCharField(max_length=3), "abc") == "abc"
    assert loaded(peewee.TextField(), "x" * 1000) == "x" * 1000


def test_naive_and_aware_timestamps_are_kept_apart():
    naive = dt.datetime(2024, 1, 1, 12)
    aware = naive.replace(tzinfo=dt.UTC)

    assert loaded(peewee.DateTimeField(), "2024-01-01T12:00:00") == naive
    assert loaded(peewee.DateTimeField(), "2024-01-01T14:00:00+02:00") == naive
    for kind in (models.DateTimeTZField, postgres_ext.DateTimeTZField):
        assert loaded(kind(), "2024-01-01T12:00:00Z") == aware
        assert refused(kind(), "2024-01-01T12:00:00") == ["Not a valid aware datetime."]
        assert dumped(kind(), aware) == "2024-01-01T12:00:00+00:00"


def test_dates_times_and_intervals():
    assert loaded(peewee.DateField(), "2024-02-29") == dt.date(2024, 2, 29)
    assert loaded(peewee.TimeField(), "12:30") == dt.time(12, 30)
    assert loaded(postgres_ext.IntervalField(), 90) == dt.timedelta(seconds=90)


def test_uuids():
    value = uuid.uuid4()

    assert loaded(peewee.UUIDField(), str(value)) == value
    assert dumped(peewee.UUIDField(), value) == str(value)
    assert dumped(peewee.BinaryUUIDField(), value.bytes) == str(value)
    assert dumped(peewee.BinaryUUIDField(), value) == str(value)


@pytest.mark.parametrize("kind", [peewee.BlobField, peewee.BigBitField])
def test_bytes_are_base64(kind):
    assert loaded(kind(), "aGk=") == b"hi"
    assert dumped(kind(), memoryview(b"hi")) == "aGk="
    assert dumped(kind(null=True), None) is None
    assert refused(kind(), "a") == ["Not a valid base64 string."]


def test_bytes_stay_bytes():
    assert loaded(peewee.BlobField(), b"hi") == b"hi"


@pytest.mark.parametrize(
    ("kind", "enum_class", "raw"),
    [
        (extra.EnumField, Color, "red"),
        (models.EnumField, Color, "red"),
        (extra.IntEnumField, Size, 1),
    ],
)
def test_enums_go_by_value(kind, enum_class, raw):
    member = enum_class(raw)

    assert loaded(kind(enum_class), raw) is member
    assert dumped(kind(enum_class), member) == raw
    assert dumped(kind(enum_class), raw) == raw  # a row of asyncpg holds the value
    (message,) = refused(kind(enum_class), "green")
    assert message.startswith("Must be one of")


def test_ticks_are_moments():
    column = peewee.TimestampField(utc=True, resolution=1000, null=True)
    moment = dt.datetime(2024, 1, 1, 0, 0, 0, 500_000)

    assert dumped(column, column.db_value(moment)) == "2024-01-01T00:00:00.500000"
    assert dumped(column, moment) == "2024-01-01T00:00:00.500000"
    assert loaded(column, "2024-01-01T01:00:00.5+01:00") == moment


def test_addresses_are_text():
    field = peewee.IPField()

    assert loaded(field, "1.2.3.4") == "1.2.3.4"
    assert dumped(field, 16909060) == "1.2.3.4"
    assert dumped(field, "1.2.3.4") == "1.2.3.4"
    assert refused(field, "1.2.3") == ["Not a valid IPv4 address."]


def test_arrays_have_dimensions_and_nulls():
    field = postgres_ext.ArrayField(peewee.SmallIntegerField, dimensions=2)

    assert loaded(field, [[1, None], []]) == [[1, None], []]
    assert refused(field, [[2**15]])[0][0][0].startswith("Must be")


@pytest.mark.parametrize(
    "field",
    [
        models.JSONField(),
        peewee.JSONField(),
        postgres_ext.JSONField(),
        postgres_ext.BinaryJSONField(),
    ],
)
def test_json_is_taken_as_it_is_but_for_text_that_cannot_be_stored(field):
    assert loaded(field, {"a": [1, None]}) == {"a": [1, None]}
    assert refused(field, {"a": ["x\0"]}) == ["Null characters are not allowed."]
    assert refused(field, [{"\ud800": 1}]) == ["Not a valid utf-8 string."]


def test_hstores_hold_text_and_null():
    assert loaded(postgres_ext.HStoreField(), {"a": "b", "c": None}) == {"a": "b", "c": None}
    assert refused(postgres_ext.HStoreField(), {"a\0": "b"}) == {
        "a\0": {"key": ["Null characters are not allowed."]}
    }


def test_search_vectors_are_only_dumped():
    assert column(postgres_ext.TSVectorField()).dump_only


@pytest.mark.parametrize("field", [peewee.AnyField(), peewee.BareField()])
def test_columns_of_any_type_take_anything(field):
    assert loaded(field, [1]) == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\0b", "Null characters are not allowed."),
        ("\ud800", "Not a valid utf-8 string."),
    ],
)
@pytest.mark.parametrize("kind", [peewee.TextField, peewee.CharField])
def test_text_that_postgresql_cannot_hold_is_refused(kind, text, message):
    assert refused(kind(), text) == [message]


def test_declared_text_is_guarded_in_whatever_holds_it():
    class Declared(ModelSchema):
        words = fields.List(fields.String())
        pair = fields.Tuple((fields.String(), fields.Integer()))
        plain = fields.Dict()

        class Meta:
            model = Country
            fields = ("words", "pair", "plain")

    nul = ["Null characters are not allowed."]
    with pytest.raises(ValidationError) as caught:
        Declared().load({"words": ["ok", "\0"], "pair": ["\0", 1], "plain": {"a": "\0"}})

    assert caught.value.messages == {"words": {1: nul}, "pair": {0: nul}, "plain": nul}


def test_the_guard_is_not_added_to_the_declared_field_itself():
    declared = fields.String(validate=[validate.Length(max=3)])
    schema = type("S", (ModelSchema,), {"text": declared})

    assert len(schema().fields["text"].validators) == 2
    assert len(declared.validators) == 1


def test_plain_schemas_keep_marshmallows_meaning():
    schema = Schema.from_dict({"text": fields.String()})()

    assert schema.load({"text": "\0\ud800"}) == {"text": "\0\ud800"}


def test_a_zone_with_seconds_is_kept():
    moment = dt.datetime(1800, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam"))

    assert dumped(models.DateTimeTZField(), moment) == moment.isoformat()


@pytest.mark.parametrize("resolution", [1, 1000, 10**6])
@pytest.mark.parametrize("utc", [True, False])
@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "2024-01-01T00:00:00.5"]
)
def test_a_timestamp_is_given_back_or_refused(text, utc, resolution):
    column = peewee.TimestampField(utc=utc, resolution=resolution, null=True)
    (name, field) = ("value", schema_of(column))
    try:
        moment = field.load({name: text})[name]
    except ValidationError as exc:
        (message,) = exc.messages[name]
        assert "steps of" in message or message == "Not a valid datetime."
    else:
        assert dumped(column, column.db_value(moment)) == moment.isoformat()
        assert moment.isoformat() == dt.datetime.fromisoformat(text).isoformat()


@pytest.fixture
def in_utc(monkeypatch):
    """Let the time of this machine be UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("resolution", [1, 1000, 10**6])
@pytest.mark.parametrize("utc", [True, False])
def test_every_number_of_a_timestamp_is_dumped(utc, resolution, in_utc):
    column = peewee.TimestampField(utc=utc, resolution=resolution)

    assert dumped(column, -62135596800 * resolution) == "0001-01-01T00:00:00"
    for ticks in (2**63 - 1, -(2**63), -62135596801 * resolution, 253402300800 * resolution):
        assert dumped(column, ticks) == str(ticks)


def test_a_timestamp_keeps_parts_of_a_second_or_refuses_them():
    message = "Must be a moment that is stored as it is, in steps of {} s."
    text = "2024-01-01T00:00:00.123456"

    assert refused(peewee.TimestampField(), text) == [message.format(1)]
    assert refused(peewee.TimestampField(resolution=1000), text) == [message.format(0.001)]
    moment = dt.datetime.fromisoformat(text)
    assert loaded(peewee.TimestampField(resolution=10**6), text) == moment


@pytest.mark.parametrize("text", ["10:00:00+01:00", "10:00:00Z", "10:00+00:00"])
def test_a_time_of_day_has_no_zone(text):
    assert refused(peewee.TimeField(), text) == ["Must be a time of day without a time zone."]


@pytest.mark.parametrize("column", [peewee.UUIDField, peewee.BinaryUUIDField])
@pytest.mark.parametrize("form", ["{{{}}}", "urn:uuid:{}", "{}\n", " {}"])
def test_uuids_have_one_form(column, form):
    text = "12345678-1234-1234-1234-123456789abc"

    for odd in (form.format(text), text.replace("-", ""), "1" + text.replace("-", "")[1:]):
        assert refused(column(), odd) == ["Not a valid UUID."]
    assert loaded(column(), text.upper()) == uuid.UUID(text)


def test_a_moment_of_the_first_year_without_a_zone_is_refused_by_both_readers():
    schema = schema_of(models.DateTimeTZField())

    for load in (schema.load, compile_schema(schema).load):
        with pytest.raises(ValidationError) as caught:
            load({"value": "0001-01-01"})
        assert caught.value.messages == {"value": ["Not a valid aware datetime."]}
