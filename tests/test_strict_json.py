"""JSON in is strict, and JSON out is never refused for what a handler may well hold."""

import datetime as dt
import decimal
import enum
import ipaddress
import uuid

import orjson
import pytest
from asyncpg.pgproto.pgproto import UUID as PgUUID

from msframework.exceptions import MalformedJSON
from msframework.strict_json import dumps, parse


@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b"NaN", 0),
        (b"[-Infinity]", 2),
        (b"[01]", 1),
        (b'["a\x01"]', 3),
        (b'{"a":1} x', 8),
        (b"", 0),
        (b" ", 0),
        (b'{"a":1,}', 6),
        (b"\xef\xbb\xbf{}", 0),
        (b"[1e400]", 1),
        (b'"\xff"', 1),
        (b'["ok", "\xed\xa0\x80"]', 8),
        (b"18446744073709551616", 0),
        (b'{"a":[-9223372036854775809]}', 6),
        (b'{"n":123456789012345678901234567890}', 5),
        ('{"é":01}'.encode(), 6),
    ],
)
def test_what_is_no_strict_json_is_refused_with_its_position(body, position):
    with pytest.raises(MalformedJSON) as caught:
        parse(body)

    assert caught.value.position == position
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    "number", [2**64 - 1, -(2**63), 2**53 + 1, 0, 1.5, 1e22, 1.0000000000000000001]
)
def test_numbers_that_are_kept_exact_pass(number):
    body = repr(number).encode()

    assert parse(b'{"n":%b}' % body) == {"n": number}


def test_long_digits_pass_where_they_are_no_integer():
    body = b'{"iban":"123456789012345678901234567890","n":[12345678901234567890123e3]}'

    assert parse(body) == orjson.loads(body)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_is_bounded(opening):
    closing = {"[": "]", '{"a":': "}"}[opening]

    parse((opening * 5 + "1" + closing * 5).encode(), max_depth=5)
    with pytest.raises(MalformedJSON, match="nested deeper than 5") as caught:
        parse((opening * 6 + "1" + closing * 6).encode(), max_depth=5)

    assert caught.value.position == len(opening) * 5


def test_nesting_beyond_the_parsers_own_bound_is_refused_alike():
    with pytest.raises(MalformedJSON, match="nested deeper than 64") as caught:
        parse(b"[" * 5000 + b"]" * 5000)

    assert caught.value.position == 64


def test_brackets_in_strings_are_no_nesting():
    body = b'{"a":["' + b"[" * 500 + b'","\\"]"]}'

    assert parse(body, max_depth=2) == orjson.loads(body)


def test_brackets_in_strings_hide_no_nesting():
    body = b'["]",' * 6 + b"1" + b',"["]' * 6

    with pytest.raises(MalformedJSON, match="nested deeper than 5"):
        parse(body, max_depth=5)


def test_wide_is_not_deep():
    assert len(parse(b"[" + b",".join([b'{"a":[1]}'] * 500) + b"]", max_depth=3)) == 500


@pytest.mark.parametrize(
    ("escape", "text"),
    [
        ("\\ud800x", "\ud800x"),
        ("\\udc00", "\udc00"),
        ("\\ud800\\u0041", "\ud800A"),
        ("\\ud800\\ud800", "\ud800\ud800"),
        ("\\uD800\\n", "\ud800\n"),
        ("\\ud83d\\ude00", "\U0001f600"),
    ],
)
def test_a_lone_surrogate_is_left_to_the_schema(escape, text):
    assert parse(f'{{"a":"{escape}","b":1}}'.encode()) == {"a": text, "b": 1}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'["\\ud800", NaN]', "NaN is no JSON value .at byte 11"),
        (b'["\\ud800", 1e999]', "larger than a double holds .at byte 11"),
        (b'["\\ud800", 18446744073709551616]', "outside .* .at byte 11"),
        (b'["\\ud800", 01]', "at byte"),
        (b'["\\ud800"] x', "at byte 11"),
        (b'["\\q"]', "at byte"),
    ],
)
def test_a_lone_surrogate_excuses_nothing_else(body, text):
    with pytest.raises(MalformedJSON, match=text):
        parse(body)


def test_a_lone_surrogate_does_not_excuse_nesting():
    with pytest.raises(MalformedJSON, match="nested deeper than 64"):
        parse(b'["\\ud800",' + b"[" * 100 + b"]" * 100 + b"]")


def test_numbers_beside_a_lone_surrogate_are_read():
    assert parse(b'["\\ud800", 1.5, 18446744073709551615]') == ["\ud800", 1.5, 2**64 - 1]


class Color(enum.Enum):
    RED = "red"


ODD_ZONE = dt.timezone(dt.timedelta(minutes=19, seconds=32))
ZONE = dt.timezone(dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (decimal.Decimal("1E+2"), '"100"'),
        (decimal.Decimal("1.50"), '"1.50"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (PgUUID("00000000-0000-0000-0000-000000000001"), '"00000000-0000-0000-0000-000000000001"'),
        (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), '"2024-01-01T00:00:00+00:00"'),
        (dt.time(1, tzinfo=ZONE), '"01:00:00+02:00"'),
        (dt.time(1, 2, 3, 45678), '"01:02:03.045678"'),
        ({"a": [dt.time(1, 2, 3, 45678)], 1: 2}, '{"a":["01:02:03.045678"],"1":2}'),
        ([dt.time(1, 2, 3, 45678), 2**64], '["01:02:03.045678",18446744073709551616]'),
        ({dt.time(1): 2**64}, '{"01:00:00":18446744073709551616}'),
        (dt.date(2024, 1, 1), '"2024-01-01"'),
        (dt.datetime(2024, 1, 1, 0, 0, 0, 45678), '"2024-01-01T00:00:00.045678"'),
        (dt.datetime(1800, 1, 1, tzinfo=ODD_ZONE), '"1800-01-01T00:00:00+00:19:32"'),
        (dt.timedelta(minutes=1.5), "90.0"),
        (ipaddress.ip_network("10.0.0.0/8"), '"10.0.0.0/8"'),
        (Color.RED, '"red"'),
        (frozenset([1]), "[1]"),
        (float("nan"), "null"),
        ({1: "a", None: "b"}, '{"1":"a","null":"b"}'),
        (2**70, "1180591620717411303424"),
        ("\ud800", '"\\ud800"'),
        (
            {1: [2**64, "\ud800", float("inf"), 0.5], False: Color.RED, dt.date(2024, 1, 1): {}},
            '{"1":[18446744073709551616,"\\ud800",null,0.5],"false":"red","2024-01-01":{}}',
        ),
        ({decimal.Decimal("1.0"): 2**64}, '{"1.0":18446744073709551616}'),
    ],
)
def test_what_handlers_hold_is_written(value, text):
    assert dumps(value).decode() == text


def test_what_has_no_form_in_json_is_named():
    with pytest.raises(TypeError, match="object has no form in JSON"):
        dumps([object()])


def test_a_circle_is_no_json():
    circle: list = [2**70]
    circle.append(circle)

    with pytest.raises(TypeError):
        dumps(circle)
