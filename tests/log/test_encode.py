import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msframework.log.encode import clean_text, encode_json, safe_text
from tests.examples import some_examples


class Mute:
    def __str__(self):
        raise RuntimeError


class Odd(dict):
    def items(self):
        raise RuntimeError


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


CIRCLE = {}
CIRCLE["self"] = CIRCLE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, 2: None}, '{"a":1,"2":null}'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00Z"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal("1.10"), '"1.10"'),
        ({1}, '"{1}"'),
        (b"x", "\"b'x'\""),
        (Mute(), '"<Mute>"'),
        (
            {"a": 2**80, "b": True, "c": 7, "d": None},
            '{"a":"1208925819614629174706176","b":true,"c":7,"d":null}',
        ),
        ({"a": "\ud800", "b": float("nan"), "c": 1.5}, '{"a":"\\\\ud800","b":null,"c":1.5}'),
        (["\ud800", Odd(a=1), {1}, Mute()], '["\\\\ud800","<Odd>",[1],"<Mute>"]'),
        (float("inf"), "null"),
    ],
)
def test_any_value_is_json(value, text):
    assert encode_json(value) == text


@pytest.mark.parametrize("value", [CIRCLE, nested(1000), {"\ud800": {Mute(): 1}}])
def test_circles_and_depth_have_an_end(value):
    json.loads(encode_json(value))


def test_text_is_bounded():
    assert len(clean_text("x" * 100_000)) == 32_768
    assert safe_text("ü") == "ü"


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters()) | st.integers(), inner)
    ),
)


@some_examples
@given(anything)
def test_encoding_cannot_fail_and_is_one_line(value):
    text = encode_json(value)

    json.loads(text)
    assert "\n" not in text
    text.encode()
