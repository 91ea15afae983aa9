"""What requests load with: bounded errors, exact numbers, strict JSON, and numbers in text."""

import datetime as dt
import enum
from decimal import Decimal

import pytest
from marshmallow import ValidationError, pre_load, validates_schema

from msframework import doc
from msframework.codec import compile_schema
from msframework.codec.bounds import count_messages
from msframework.codec.errors import Rejected
from msframework.exceptions import MalformedJSON
from msframework.schemas import Schema, as_schema, fields
from msframework.strict_json import dumps

INTEGER = ["Not a valid integer."]
NUMBER = ["Not a valid number."]
BOOLEAN = ["Not a valid boolean."]
MORE = "There are more errors; these are the first 100."


class Size(enum.Enum):
    """An enum whose values are numbers."""

    SMALL = 1
    LARGE = 2


class NumbersApi:
    """One field of each kind that reads numbers."""

    whole = doc.Integer()
    real = doc.Float()
    exact = doc.Decimal()
    sure = doc.Boolean()


DESCRIPTION = {
    "whole": int,
    "real": float,
    "exact": Decimal,
    "sure": bool,
    "wait": dt.timedelta,
    "size": Size,
    "anything": dict,
    "list": [Decimal],
    "inner": {"exact": Decimal, "whole": int},
    "inners": [{"exact": Decimal}],
}


def make_optional(schema):
    """Let every member of *schema* and of the schemas in it be left out."""
    pending, seen = list(schema.fields.values()), {schema.__class__}
    while pending:
        field = pending.pop()
        field.required = False
        if isinstance(field, fields.Nested) and field.schema.__class__ not in seen:
            seen.add(field.schema.__class__)
            pending += field.schema.fields.values()
        elif isinstance(field, fields.List):
            pending.append(field.inner)
    return schema


def reader(thing=DESCRIPTION, **options):
    schema = as_schema(thing, where="here", for_load=True)
    return compile_schema(make_optional(schema), **options)


def read(body, thing=DESCRIPTION, **options):
    found = reader(thing, **options).read_json(body)
    return found.messages if isinstance(found, Rejected) else found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"5", 5),
        (b"5.0", 5),
        (b"1e2", 100),
        (b"-0", 0),
        (b"-0.0", 0),
        (b"9007199254740992.0", 2**53),
        (b"18446744073709551615", 2**64 - 1),
    ],
)
def test_a_derived_integer_takes_what_json_schema_calls_one(text, value):
    found = read(b'{"whole":%b}' % text)["whole"]

    assert found == value
    assert type(found) is int
    assert read(b'{"inner":{"whole":%b}}' % text) == {"inner": {"whole": value}}
    assert read(b'{"whole":%b}' % text, NumbersApi) == {"whole": value}


@pytest.mark.parametrize(
    "text",
    [b"1.9", b'"5"', b"true", b"0.99999999999999999999", b"4503599627370496.3", b"[5]"],
)
def test_a_derived_integer_takes_nothing_else(text):
    assert read(b'{"whole":%b}' % text) == {"whole": INTEGER}
    assert read(b'{"inner":{"whole":%b}}' % text) == {"inner": {"whole": INTEGER}}
    assert read(b'{"whole":%b}' % text, NumbersApi) == {"whole": INTEGER}


def test_an_integer_beyond_64_bits_is_too_large():
    assert read(b'{"whole":1e300}') == {"whole": ["Number too large."]}
    assert read(b'{"whole":123456789012345678901}') == {"whole": ["Number too large."]}


@pytest.mark.parametrize("text", [b"1", b"0", b'"yes"', b'"true"', b"1.0", b'"on"'])
def test_a_derived_boolean_takes_true_and_false_only(text):
    assert read(b'{"sure":%b}' % text) == {"sure": BOOLEAN}


@pytest.mark.parametrize("text", [b'"1.5"', b"true", b"{}"])
def test_a_derived_float_takes_numbers_only(text):
    assert read(b'{"real":%b}' % text) == {"real": NUMBER}
    assert read(b'{"real":2}') == {"real": 2.0}


@pytest.mark.parametrize("text", [b'"60"', b"true"])
def test_a_derived_interval_takes_seconds_only(text):
    assert read(b'{"wait":%b}' % text) == {"wait": ["Not a valid period of time."]}
    assert read(b'{"wait":1.5}') == {"wait": dt.timedelta(seconds=1.5)}


def test_an_enum_of_numbers_does_not_take_true():
    assert read(b'{"size":1}') == {"size": Size.SMALL}
    assert read(b'{"size":true}') == {"size": ["Must be one of: 1, 2."]}
    assert read(b'{"size":"1"}') == {"size": ["Must be one of: 1, 2."]}


@pytest.mark.parametrize(
    "text",
    [
        "12345678901234567.89",
        "0.1",
        "1.10",
        "-1.50",
        "123456789012345678901234567890",
        "0.000000000000000000000000000001",
        "1e2",
        "7",
    ],
)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"exact":', "}"),
        ('{"list":[', ',"2.50"]}'),
        ('{"inner":{"exact":', ',"whole":1}}'),
        ('{"inners":[{"exact":1},{"exact":', "}]}"),
    ],
)
def test_a_decimal_gets_every_digit_that_was_sent(before, text, after):
    found = read(f"{before}{text}{after}".encode())

    while isinstance(found, (dict, list)):
        found = (
            found[-1 if len(found) > 1 and "2.50" not in after else 0]
            if isinstance(found, list)
            else next(iter(found.values()))
        )
    assert found.as_tuple() == Decimal(text).as_tuple()


def test_marshmallows_own_decimal_gets_every_digit_too():
    class Own(Schema):
        d = fields.Decimal()
        m = fields.Dict(fields.String(), fields.Decimal())
        t = fields.Tuple((fields.Decimal(), fields.Float()))

    found = read(b'{"d":1.10,"m":{"a":12345678901234567.89},"t":[1.50,0.1]}', Own)

    assert str(found) == str(
        {
            "d": Decimal("1.10"),
            "m": {"a": Decimal("12345678901234567.89")},
            "t": (Decimal("1.50"), 0.1),
        }
    )


def test_only_decimals_get_digits_that_a_double_does_not_hold():
    found = read(b'{"exact":1.10,"real":0.1,"anything":{"a":1.5}}')

    assert found == {"exact": Decimal("1.10"), "real": 0.1, "anything": {"a": 1.5}}
    assert type(found["anything"]["a"]) is float
    large = b"123456789012345678901234567890"
    for body in (b'{"real":%b}', b'{"anything":{"a":%b}}', b'{"exact":1.5,"real":%b}'):
        with pytest.raises(MalformedJSON, match="outside"):
            read(body % large)
    with pytest.raises(MalformedJSON, match=r"outside .*\(at byte 47\)"):
        read(b'{"exact":%b,"real":%b}' % (large, large))


def test_digits_survive_hooks_and_lists_of_objects():
    class Hooked(Schema):
        d = fields.Decimal()

        @pre_load
        def unwrap(self, data, **kwargs):
            return data.get("wrapped", data)

    assert str(read(b'{"d":1.10}', Hooked)["d"]) == "1.10"
    assert read(b'{"wrapped":{"d":1.25}}', Hooked) == {"d": Decimal("1.25")}
    assert [str(row["d"]) for row in read(b'[{"d":1.10},{"d":2}]', [{"d": Decimal}])] == [
        "1.10",
        "2",
    ]


def test_a_schema_within_itself_gets_exact_numbers_too():
    class Tree(Schema):
        weight = fields.Decimal()
        children = fields.List(fields.Nested(lambda: Tree()))

    found = read(b'{"children":[{"children":[{"weight":1.10}]}]}', Tree)

    assert str(found["children"][0]["children"][0]["weight"]) == "1.10"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1e999999", "Must have an exponent of at most 1000."),
        ("1e-999999", "Must have an exponent of at most 1000."),
        ("0e999999999", "Must have an exponent of at most 1000."),
        ("1_0", "Not a valid number."),
        (" 1", "Not a valid number."),
        ("٥", "Not a valid number."),
        ("+1", "Not a valid number."),
        (".5", "Not a valid number."),
        ("NaN", "Special numeric values (nan or infinity) are not permitted."),
        ("-Infinity", "Special numeric values (nan or infinity) are not permitted."),
    ],
)
def test_the_text_of_a_derived_decimal_is_written_as_json_writes_numbers(text, message):
    assert read(dumps({"exact": text})) == {"exact": [message]}
    assert read(dumps({"list": ["1.0", text]})) == {"list": {1: [message]}}


def test_an_exponent_that_no_double_holds_is_no_number():
    with pytest.raises(MalformedJSON):
        read(b'{"exact":1e400}')
    assert read(b'{"exact":1e-99999999999999999999,"whole":1.0}') == {
        "exact": ["Must have an exponent of at most 1000."]
    }


def test_text_reads_numbers_from_text():
    found = reader().read_text(
        {"whole": "-5", "real": "1.5", "exact": "1.10", "sure": "no", "wait": "3", "list": ["2"]}
    )

    assert found == {
        "whole": -5,
        "real": 1.5,
        "exact": Decimal("1.10"),
        "sure": False,
        "wait": dt.timedelta(seconds=3),
        "list": [Decimal(2)],
    }
    assert reader().read_text({"size": "2"}) == {"size": Size.LARGE}


@pytest.mark.parametrize("text", ["5.0", " 5", "+5", "5_0", "٥", "", "0x5", "5e0"])
def test_text_is_no_integer_unless_it_is_digits(text):
    assert reader().read_text({"whole": text}).messages == {"whole": INTEGER}


def test_text_of_many_digits_is_too_large_an_integer():
    assert reader().read_text({"whole": "9" * 5000}).messages == {"whole": ["Number too large."]}


def test_marshmallows_own_fields_keep_marshmallows_meaning():
    class Own(Schema):
        whole = fields.Integer()
        sure = fields.Boolean()

    assert read(b'{"whole":1.9,"sure":"yes"}', Own) == {"whole": 1, "sure": True}


class Rows(Schema):
    """What can be wrong in many places."""

    numbers = fields.List(fields.Integer())
    deep = fields.List(fields.List(fields.List(fields.Integer())))
    map = fields.Dict(fields.String(), fields.Integer())
    keys = fields.Dict(fields.Integer(), fields.Raw())
    rows = fields.List(fields.Nested(Schema.from_dict({"a": fields.Integer()})))
    many = fields.Nested(Schema.from_dict({"a": fields.Integer()}), many=True)


class Checked(Rows):
    """The same with code of the user's, which marshmallow calls."""

    @validates_schema(skip_on_field_errors=False)
    def refuse(self, data, **kwargs):
        raise ValidationError([f"wrong {number}" for number in range(1000)])


class Overriding(Rows):
    """A schema that marshmallow loads by itself."""

    def load(self, *args, **kwargs):
        return super().load(*args, **kwargs)


HOSTILE = {
    "items": {"numbers": ["x"] * 5000},
    "deep items": {"deep": [[["x"] * 20] * 20] * 20},
    "values": {"map": {f"k{number}": "x" for number in range(5000)}},
    "keys": {"keys": {f"k{number}": 1 for number in range(5000)}},
    "objects": {"rows": [{"a": "x"}] * 5000},
    "nested many": {"many": [{"a": "x"}] * 5000},
    "unknown in objects": {"rows": [{"b": 1, "c": 2}] * 5000},
    "unknown": {f"k{number}": 1 for number in range(5000)},
}


@pytest.mark.parametrize("schema", [Rows, Checked, Overriding])
@pytest.mark.parametrize("name", HOSTILE)
def test_at_most_a_hundred_errors_are_told(schema, name):
    messages = read(dumps(HOSTILE[name]), schema)

    assert count_messages(messages, 5000) == 101
    assert messages["_schema"][-1] == MORE
    assert len(dumps(messages)) < 10_000


def test_a_list_of_wrong_objects_is_bounded_too():
    messages = read(dumps([{"a": "x"}] * 5000), [{"a": int}])

    assert count_messages(messages, 5000) == 101
    assert messages["_schema"] == [MORE]
    assert messages[99] == {"a": INTEGER}


@pytest.mark.parametrize("wrong", [99, 100, 101])
def test_the_last_message_stands_only_where_there_are_more(wrong):
    messages = read(dumps({"numbers": ["x"] * wrong}), Rows)

    assert messages.get("_schema", []) == ([MORE] if wrong > 100 else [])
    assert len(messages["numbers"]) == min(wrong, 100)


def test_the_bound_is_a_setting():
    messages = read(dumps({"numbers": ["x"] * 9}), Rows, max_errors=3)

    assert messages == {
        "numbers": dict.fromkeys(range(3), INTEGER),
        "_schema": ["There are more errors; these are the first 3."],
    }


def test_schema_load_still_tells_all():
    with pytest.raises(ValidationError) as caught:
        compile_schema(Rows()).load(HOSTILE["items"])

    assert len(caught.value.messages["numbers"]) == 5000


def test_long_keys_and_long_messages_are_cut():
    class Telling(Schema):
        a = fields.Integer(error_messages={"invalid": "no: {input}"})

    found = read(dumps({"k" * 100_000: 1, "a": "x" * 100_000}), Telling)

    assert found == {"k" * 99 + "…": ["Unknown field."], "a": ["no: " + "x" * 995 + "…"]}


def test_text_is_bounded_too():
    found = compile_schema(Rows()).read_text({f"k{number}": "x" for number in range(5000)})

    assert count_messages(found.messages, 5000) == 101


REPEATED = [
    (b'{"whole":1,"whole":2}', 11),
    (b'{"whole" :1,"real":1.5, "whole"\t:2}', 24),
    (b'{"whole":1,"wh\\u006fle":2}', 11),
    (b'{"whole":1,"anything":{"a":{"b":1,"b":1}}}', 34),
    (b'{"anything":{"a":"x:y:z","a":"u"}}', 25),
    (b'{"anything":{"a":"\\u003a","b":1,"b":2}}', 32),
    (b'{"anything":{"a":"\\u003A","b":1,"b":2}}', 32),
    (b'{"anything":{"\xc3\xa9":1,"\\u00e9":2}}', 20),
    (b'{"anything":{"a":"\\ud800","b":1,"b":2}}', 32),
    (b'{"inners":[{"exact":"1","exact":"2"}]}', 24),
    (b'{"inner":{"exact":1.10,"exact":1.20}}', 23),
    (b'{"stranger":1,"stranger":2}', 14),
    (b'{"whole":"x","whole":2}', 13),
    (b'{"":1,"":2}', 6),
]


@pytest.mark.parametrize(("body", "position"), REPEATED)
def test_a_key_that_stands_twice_is_malformed(body, position):
    with pytest.raises(MalformedJSON) as caught:
        read(body)

    assert caught.value.error == f"the key stands twice in an object (at byte {position})"
    with pytest.raises(MalformedJSON):
        read(b"[%b]" % body, [DESCRIPTION])


@pytest.mark.parametrize(
    "body",
    [
        b'{"anything":{"a":"x:y","b":{"a":1}}}',
        b'{"anything":{"a":":","b":"\\u003a","c":"\\":"}}',
        b'{"anything":{"a":"\\ud83d\\ude00:"}}',
        b'{"inners":[{"exact":"1"},{"exact":"2"}]}',
        b'{"anything":{"a\\"":1,"a\\\\":2,":":3}}',
    ],
)
def test_no_other_key_is_taken_for_one_that_stands_twice(body):
    assert not {"_schema"} & read(body).keys()


class Money(fields.Decimal):
    """A decimal of the user's own."""


class Own(Schema):
    price = Money()
    other = fields.Raw()


class Around(Schema):
    prices = fields.List(fields.Nested(Own))
    by_name = fields.Dict(values=Money())


class Loading(Schema):
    price = fields.Decimal()

    def load(self, data, **options):
        return super().load(data, **options)


class Unwrapping(Schema):
    price = fields.Decimal()
    real = fields.Float()
    other = fields.Raw()
    whole = fields.Integer()

    @pre_load
    def unwrap(self, data, **options):
        return data["wrapped"]


@pytest.mark.parametrize("digits", ["12345678901234567.89", "0.12345678901234567890123"])
def test_decimals_keep_their_digits_where_the_users_code_reads_them(digits):
    number = digits.encode()
    price = {"price": Decimal(digits)}

    assert read(b'{"price":%b}' % number, Own) == price
    assert read(b'{"price":%b}' % number, Loading) == price
    assert read(b'{"wrapped":{"price":%b}}' % number, Unwrapping) == price
    assert read(b'{"prices":[{"price":%b}],"by_name":{"a":%b}}' % (number, number), Around) == {
        "prices": [price],
        "by_name": {"a": Decimal(digits)},
    }


@pytest.mark.parametrize("schema", [Own, Loading])
def test_large_decimals_need_no_point_where_the_users_code_reads_them(schema):
    assert read(b'{"price":123456789012345678901}', schema) == {
        "price": Decimal("123456789012345678901")
    }


def test_an_integer_beyond_64_bits_in_a_place_that_nobody_knows_is_malformed():
    with pytest.raises(MalformedJSON, match=r"lies outside"):
        read(b'{"wrapped":{"whole":123456789012345678901}}', Unwrapping)


def test_doubles_stay_doubles_where_the_users_code_reads_them():
    found = read(b'{"wrapped":{"real":0.12345678901234567890,"other":0.1}}', Unwrapping)
    assert {name: type(value) for name, value in found.items()} == {"real": float, "other": float}

    found = read(b'{"price":1.5,"other":[0.12345678901234567890, 0.1]}', Own)
    assert found["other"] == [0.12345678901234568, 0.1]
    assert dumps(found["other"]) == b"[0.12345678901234568,0.1]"


def test_errors_are_bounded_where_the_users_code_reads_numbers():
    body = b'{"prices":[%b]}' % b",".join([b'{"price":"x","z":1.5}'] * 500)
    assert count_messages(read(body, Around), 1000) <= 101


def test_integers_are_decimals_where_these_are_declared():
    found = read(b'{"list":[1,-5,0,18446744073709551615],"exact":7}')

    assert found == {"list": [1, -5, 0, 2**64 - 1], "exact": 7}
    assert {type(number) for number in (*found["list"], found["exact"])} == {Decimal}


def test_a_long_list_of_integers_with_points_is_read_exactly():
    found = read(b'{"whole":[1.0,2e0,9007199254740993.0,1.00000000000000000001]}', {"whole": [int]})
    assert found == {"whole": {3: INTEGER}}

    found = read(b'{"whole":[1.0,-2e0,9007199254740993.0]}', {"whole": [int]})
    assert found == {"whole": [1, -2, 9007199254740993]}
    assert {type(number) for number in found["whole"]} == {int}
