"""Hypothesis strategies: schemas of every field type and option, and inputs of every kind."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
import re
from collections import OrderedDict
from typing import Any

from asyncpg.pgproto.pgproto import UUID as PgUUID
from hypothesis import reject
from hypothesis import strategies as st
from marshmallow import EXCLUDE, INCLUDE, RAISE, Schema, fields, missing, validate

from msframework.schemas import Reference
from msframework.schemas.columns import Base64, BinaryUUID, Digits, EnumValue
from msframework.schemas.storable import Storable


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Word(enum.StrEnum):
    ONE = "one"


class Mixed(enum.StrEnum):
    """Its `str` is not its value."""

    TWO = "two"

    def __str__(self) -> str:
        return "Mixed.TWO"


class Text(str):
    __slots__ = ()


_ADDRESS = re.compile(r"0x[0-9a-f]+", re.IGNORECASE)
NAMES = ("a", "b", "c", "items", "x-y", "class", "_schema", "é", "get", "d")
ZONES = (dt.UTC, dt.timezone(dt.timedelta(hours=5, minutes=30)), dt.timezone.min, None)
texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        (
            "",
            "one",
            "red",
            "RED",
            "SMALL",
            "1",
            "-0",
            "1e5",
            "NaN",
            "sNaN",
            "Infinity",
            "1_000",
            " 1 ",
            "true",
            "on",
            "0",
            "a@b.de",
            "a.b@c.info",
            "a@b",
            "ä@ö.de",
            "x@localhost",
            "http://a.de/x",
            "ftp://a",
            "127.0.0.1",
            "::1",
            "10.0.0.0/8",
            "\0",
            "a\0b",
            "\ud800",
            "Z",
            '"Z"',
            "2024-02-29",
            "2024-02-29T12:34:56.789Z",
            "0001-01-01T00:00:00",
            "9999-12-31T23:59:59.999999+23:59",
            "23:59:60",
            "12:00",
            "12:00:00+01:00",
            "20240229",
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "6f3f1ad4-8a38-4b9a-a0b5-fcd6b4a4e0f3",
            "aGk=",
            "123456789012345678901234567890",
        )
    ),
)
numbers = st.one_of(
    st.integers(-5, 200),
    st.sampled_from((2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, 2**64 - 1, -(2**63))),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from((-0.0, 0.1, 1e16, 1e300, 5e-324, 1.5)),
)
json_scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(texts | st.sampled_from(NAMES), inner, max_size=3),
    ),
    max_leaves=6,
)
moments = st.builds(
    lambda moment, zone: moment.replace(tzinfo=zone),
    st.datetimes(),
    st.sampled_from(ZONES),
)
decimals = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True),
    st.sampled_from([decimal.Decimal(t) for t in ("1E+5", "1E-9", "-0", "0.10", "NaN", "12.30")]),
)
uuids = st.uuids() | st.builds(lambda value: PgUUID(str(value)), st.uuids())
python_values = st.one_of(
    json_values,
    moments,
    st.dates(),
    st.times(),
    st.timedeltas(),
    decimals,
    uuids,
    st.sampled_from((*Color, *Size, *Word, *Mixed, Text("one"), missing, b"ab", b"\xff", 2**70)),
    st.sampled_from((float("nan"), float("inf"), (1, 2), {1}, object, bytearray(b"x"))),
)


def _validators(*known: Any) -> st.SearchStrategy[Any]:
    return st.lists(st.sampled_from(known), max_size=2)


def _refuse_zero(value: Any) -> None:
    if value == 0:
        raise validate.ValidationError({"zero": ["Not zero."]})


_FOR_NUMBERS = (
    validate.Range(0, 100),
    validate.Range(min=1, min_inclusive=False, error="{input} is below {min}"),
    validate.Range(max=99.5, max_inclusive=False),
    validate.OneOf([1, 2, 3]),
    validate.OneOf((1, 2), labels=("one", "two"), error="{input}: {choices} {labels}"),
    validate.NoneOf([4]),
    validate.Equal(1),
    _refuse_zero,
)
_FOR_TEXTS = (
    validate.Length(1, 5),
    validate.Length(equal=3),
    validate.Length(max=4, error="{input} too long"),
    validate.OneOf(["one", "red"]),
    validate.OneOf(("one", "two")),
    validate.Regexp(r"[a-z]+$"),
    validate.Regexp(r"\d", error="{input} against {regex}"),
    validate.Email(),
    validate.URL(),
    validate.ContainsOnly("abcdefghi"),
    validate.NoneOf(["1"]),
    validate.Predicate("isascii"),
    Storable(),
)
_DATES = (None, "iso", "%Y-%m-%d")
_MOMENTS = (None, "iso", "iso8601", "rfc", "timestamp", "timestamp_ms", "%Y-%m-%d %H:%M")


def _options(default: st.SearchStrategy[Any], validators: tuple[Any, ...] = ()) -> Any:
    @st.composite
    def build(draw: Any) -> dict[str, Any]:
        options: dict[str, Any] = {}
        kind = draw(st.sampled_from(("plain", "plain", "required", "default", "null")))
        if kind == "required":
            options["required"] = True
        elif kind == "default":
            options["load_default"] = draw(st.none() | default | st.just(dict))
        elif kind == "null":
            options["allow_none"] = True
        if draw(st.integers(0, 5)) == 0:
            options["dump_default"] = draw(st.none() | default)
        if draw(st.integers(0, 5)) == 0:
            options["attribute"] = draw(st.sampled_from(("a", "other", "deep.er", "")))
        if draw(st.integers(0, 5)) == 0:
            options["error_messages"] = {
                "required": "Needed!",
                "null": ["not", "null"],
                "invalid": "Bad.",
            }
        if validators and draw(st.booleans()):
            options["validate"] = draw(_validators(*validators))
        flag = draw(st.sampled_from((None,) * 8 + ("load_only", "dump_only")))
        if flag is not None and kind != "required":
            options[flag] = True
        return options

    return build()


def _field(cls: Any, options: Any, **given: Any) -> st.SearchStrategy[Any]:
    def build(options: dict[str, Any], **given: Any) -> Any:
        kept = {key: value for key, value in given.items() if value is not None}
        return cls(**kept, **options)

    return st.builds(build, options, **given)


def _constant(value: Any, options: dict[str, Any]) -> Any:
    return fields.Constant(value, **options)


flags = st.booleans()
scalars = st.one_of(
    _field(fields.String, _options(texts, _FOR_TEXTS)),
    _field(fields.String, _options(texts, _FOR_TEXTS)),
    _field(fields.Email, _options(texts, _FOR_TEXTS)),
    _field(fields.Url, _options(texts), relative=flags),
    _field(fields.Integer, _options(numbers, _FOR_NUMBERS), strict=flags, as_string=flags),
    _field(fields.Integer, _options(numbers, _FOR_NUMBERS)),
    _field(fields.Float, _options(numbers, _FOR_NUMBERS), allow_nan=flags, as_string=flags),
    _field(
        fields.Decimal,
        _options(numbers, (*_FOR_NUMBERS, Digits(5, 2))),
        places=st.sampled_from((None, None, 2)),
        allow_nan=flags,
        as_string=flags,
    ),
    _field(fields.Boolean, _options(st.booleans())),
    _field(
        fields.Boolean,
        _options(st.booleans(), (validate.Equal(True),)),
        truthy=st.sampled_from((None, (), ("yes",), (0,))),
        falsy=st.sampled_from((None, ("no",))),
    ),
    _field(fields.UUID, _options(uuids)),
    _field(BinaryUUID, _options(uuids)),
    _field(fields.DateTime, _options(moments), format=st.sampled_from(_MOMENTS)),
    _field(
        fields.NaiveDateTime,
        _options(moments),
        format=st.sampled_from(_MOMENTS),
        timezone=st.sampled_from((None, dt.UTC)),
    ),
    _field(
        fields.AwareDateTime,
        _options(moments),
        format=st.sampled_from(_MOMENTS),
        default_timezone=st.sampled_from((None, dt.UTC)),
    ),
    _field(fields.Date, _options(st.dates()), format=st.sampled_from(_DATES)),
    _field(fields.Time, _options(st.times()), format=st.sampled_from((None, "iso", "%H:%M"))),
    _field(
        fields.TimeDelta,
        _options(st.timedeltas()),
        precision=st.sampled_from(("seconds", "days", "microseconds")),
    ),
    _field(fields.Raw, _options(json_values, (validate.Length(max=2),))),
    _field(fields.IP, _options(texts), exploded=flags),
    _field(fields.IPv4, _options(texts)),
    _field(fields.IPv6Interface, _options(texts)),
    _field(fields.Enum, _options(st.sampled_from(Color)), enum=st.just(Color), by_value=flags),
    _field(
        fields.Enum,
        _options(st.sampled_from(Size)),
        enum=st.just(Size),
        by_value=st.just(fields.Integer),
    ),
    _field(EnumValue, _options(st.sampled_from(Color)), enum=st.just(Color)),
    _field(Base64, _options(st.binary(max_size=3))),
    st.builds(_constant, st.sampled_from((1, "one", None)), _options(st.none())),
    _field(fields.Dict, _options(st.just(dict))),
    _field(Reference, _options(numbers), target=st.just({"id": int, "name": str})),
)


def _composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    nested = schemas(inner)
    lists = _options(st.just(list), (validate.Length(max=2),))
    return st.one_of(
        _field(fields.List, lists, cls_or_instance=inner),
        _field(fields.Tuple, lists, tuple_fields=st.lists(inner, max_size=2)),
        _field(
            fields.Dict,
            _options(st.just(dict)),
            keys=st.none() | inner,
            values=st.none() | inner,
        ),
        _field(
            fields.Nested,
            _options(st.just(dict)),
            nested=nested,
            many=st.sampled_from((None, None, True, False)),
            unknown=st.sampled_from((None, EXCLUDE, INCLUDE)),
        ),
        st.builds(_pluck, nested, _options(st.just(dict)), flags),
    )


def _pluck(schema: type[Schema], options: dict[str, Any], many: bool) -> Any:
    names = [*schema._declared_fields, "nothing"]
    return fields.Pluck(schema, names[0], many=many, **options)


@st.composite
def schemas(draw: Any, inner: st.SearchStrategy[Any]) -> type[Schema]:
    """Draw a schema class of up to four fields."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    members = {}
    for name in names:
        field = draw(inner)
        if draw(st.integers(0, 6)) == 0:
            field.data_key = draw(st.sampled_from(("key", "k-e-y", "", "a", "_schema")))
        members[name] = field
    members["Meta"] = type(
        "Meta",
        (),
        {
            "register": False,
            "unknown": draw(st.sampled_from((RAISE, RAISE, EXCLUDE, INCLUDE))),
            "index_errors": draw(st.sampled_from((True, True, False))),
        },
    )
    if draw(st.integers(0, 9)) == 0:
        members["dict_class"] = OrderedDict
    drawn = type("Drawn", (Schema,), members)
    try:
        drawn()
    except ValueError:  # marshmallow refuses keys or attributes that collide
        reject()
    return drawn


all_fields = st.recursive(scalars, _composed, max_leaves=4)
all_schemas = schemas(all_fields)


def json_for(schema: Schema) -> st.SearchStrategy[Any]:
    """Draw data that *schema* may accept, or nearly."""
    return _object(schema, schema.load_fields, "load")


def objects_for(schema: Schema) -> st.SearchStrategy[Any]:
    """Draw a record that *schema* may dump, or nearly."""
    return _object(schema, schema.dump_fields, "dump")


def _object(schema: Schema, members: Any, way: str) -> st.SearchStrategy[Any]:
    values = {}
    for name, field in members.items():
        if way == "load":
            key = field.data_key if field.data_key is not None else name
        else:
            key = (name if field.attribute is None else field.attribute).partition(".")[0]
        values[key] = value_for(field, way)
    rest = json_values if way == "load" else python_values
    near = st.fixed_dictionaries({}, optional=values)
    whole = st.fixed_dictionaries(values)
    more = st.dictionaries(st.sampled_from((*NAMES, "other")), rest, max_size=2)
    return st.one_of(
        whole, whole, near, st.builds(lambda one, two: {**two, **one}, near, more), rest
    )


_USUAL: dict[type, st.SearchStrategy[Any]] = {
    fields.String: texts,
    fields.Number: numbers | texts,
    fields.Boolean: st.booleans() | texts | st.sampled_from((0, 1, 1.0)),
}
_STORED: dict[type, st.SearchStrategy[Any]] = {
    fields.String: texts | st.sampled_from((Text("a"), Mixed.TWO, Word.ONE)),
    fields.Integer: numbers.filter(lambda n: n == int(n)).map(int) | st.booleans() | st.just(2**70),
    fields.Float: st.floats() | numbers,
    fields.Decimal: decimals,
    fields.Boolean: st.booleans(),
    fields.UUID: uuids,
    fields.DateTime: moments,
    fields.Date: st.dates() | moments,
    fields.Time: st.times(timezones=st.none() | st.just(dt.UTC)),
    fields.TimeDelta: st.timedeltas(),
    fields.Enum: st.sampled_from((*Color, *Size)),
}


def value_for(field: Any, way: str) -> st.SearchStrategy[Any]:
    """Draw a value for *field*: mostly of its kind."""
    rest = json_values if way == "load" else python_values
    usual = _USUAL if way == "load" else {**_USUAL, **_STORED}
    if isinstance(field, fields.Pluck):
        kind = rest
    elif isinstance(field, fields.Nested):
        one = json_for(field.schema) if way == "load" else objects_for(field.schema)
        many = field.schema.many or field.many
        kind = st.lists(one, max_size=2) if many else one
    elif isinstance(field, fields.List):
        kind = st.lists(value_for(field.inner, way), max_size=3)
    elif isinstance(field, fields.Tuple):
        kind = st.tuples(*(value_for(inner, way) for inner in field.tuple_fields)).map(list)
    else:
        found = [values for cls, values in usual.items() if isinstance(field, cls)]
        kind = found[-1] if found else (texts if way == "load" else rest)
    return st.one_of(kind, kind, kind, kind, st.none(), rest)


_letters = st.sampled_from(("Z", "E", "E+5", 'Z","', 'Z"}', "", "one", "ä\u2028"))
_COLUMNS: dict[type, st.SearchStrategy[Any]] = {
    fields.Integer: st.integers(-(2**63), 2**64),
    fields.String: _letters | texts,
    fields.Float: st.floats() | numbers,
    fields.Decimal: st.decimals(places=2, min_value=-9, max_value=9) | decimals,
    fields.Boolean: st.booleans(),
    fields.UUID: uuids,
    fields.DateTime: st.datetimes(timezones=st.just(dt.UTC)),
    fields.NaiveDateTime: st.datetimes(),
    fields.Date: st.dates(),
    fields.Time: st.times(),
    Reference: st.integers(0, 9),
}


def _column(cls: Any) -> st.SearchStrategy[Any]:
    options: dict[Any, dict[str, Any]] = {
        fields.Decimal: {"as_string": True},
        Reference: {"target": {"id": int}},
    }
    keys = st.sampled_from((None, None, None, "Z", "E", "é", "k-e-y", 'qu"ote'))
    return st.builds(
        lambda key, default: cls(data_key=key, **default, **options.get(cls, {})),
        keys,
        st.sampled_from(({}, {}, {"dump_default": None})),
    )


row_schemas = schemas(st.sampled_from(tuple(_COLUMNS)).flatmap(_column))


@st.composite
def rows_for(draw: Any, schema: Schema) -> Any:
    """Draw a row of *schema*, whose fields are plain columns: as a database gives it, mostly."""
    row = {}
    for name, field in schema.dump_fields.items():
        usual = _COLUMNS[type(field)]
        values = st.one_of(usual, usual, usual, st.none())
        row[name] = draw(value_for(field, "dump") if draw(st.integers(0, 19)) == 0 else values)
    if draw(st.integers(0, 19)) == 0:
        row.pop(next(iter(row)))
    return row


def shape(value: Any) -> Any:
    """Return *value* in a form that compares types, key order, NaN and negative zero."""
    if isinstance(value, dict):
        return (type(value), [(shape(key), shape(item)) for key, item in value.items()])
    if isinstance(value, (list, tuple)):
        return (type(value), [shape(item) for item in value])
    if isinstance(value, float) and math.isnan(value):
        return (float, "nan")
    # NOTE: marshmallow dumps what a dict has under a missing name: a method, address and all.
    return (type(value), _ADDRESS.sub("0x", repr(value)))
