"""Validators as JSON Schema keywords."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from marshmallow import fields
from marshmallow.validate import URL as WebAddress
from marshmallow.validate import (
    And,
    ContainsNoneOf,
    ContainsOnly,
    Email,
    Equal,
    Length,
    NoneOf,
    OneOf,
    Range,
    Regexp,
)

from msframework.openapi.constraint import ecma_pattern, read_constraints

NUMBER = {"type": "integer"}
TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("validators", "keywords"),
    [
        ([Range(1, 5)], {"minimum": 1, "maximum": 5}),
        ([Range(min=1, min_inclusive=False)], {"exclusiveMinimum": 1}),
        ([Range(max=5, max_inclusive=False)], {"exclusiveMaximum": 5}),
        ([Range(1, 9), Range(2, 8)], {"minimum": 2, "maximum": 8}),
        ([Range(min=2), Range(min=2, min_inclusive=False)], {"exclusiveMinimum": 2}),
        ([Range(max=2), Range(max=2, max_inclusive=False)], {"exclusiveMaximum": 2}),
        ([And(Range(min=1), And(Range(max=3)))], {"minimum": 1, "maximum": 3}),
        ([Range(min=Decimal("1.5"), max=Decimal(4))], {"minimum": 1.5, "maximum": 4}),
        ([OneOf([1, 2]), OneOf([2, 3])], {"enum": [2]}),
        ([Equal(7)], {"enum": [7]}),
        ([NoneOf([0])], {"not": {"enum": [0]}}),
        ([ContainsNoneOf([0])], {}),
        ([lambda value: None], {}),
    ],
)
def test_a_number_is_bound_as_its_validators_say(validators, keywords):
    assert read_constraints(fields.Integer(validate=validators), NUMBER) == keywords


@pytest.mark.parametrize(
    ("validators", "keywords"),
    [
        ([Length(1, 5)], {"minLength": 1, "maxLength": 5}),
        ([Length(equal=3)], {"minLength": 3, "maxLength": 3}),
        (
            [Length(min=1), Length(min=2), Length(max=9), Length(max=8)],
            {"minLength": 2, "maxLength": 8},
        ),
        ([Range("a", "f")], {"x-minimum": "a", "x-maximum": "f"}),
        ([Regexp("[a-z]+")], {"pattern": "^(?:[a-z]+)"}),
        ([Regexp("^a$"), Regexp("b")], {"pattern": "^a$", "allOf": [{"pattern": "^(?:b)"}]}),
        ([Regexp("a", re.IGNORECASE)], {"x-pattern": "a"}),
        ([Regexp("a", re.IGNORECASE), Regexp("(?i:b)")], {"x-pattern": ["a", "(?i:b)"]}),
        ([Email()], {"format": "email"}),
        ([WebAddress()], {"format": "uri"}),
    ],
)
def test_a_text_is_bound_as_its_validators_say(validators, keywords):
    assert read_constraints(fields.String(validate=validators), TEXT) == keywords


def test_a_bound_that_json_has_no_word_for_is_left_out():
    field = fields.Raw(validate=Range(min=object()))

    assert read_constraints(field, {}) == {}


def test_choices_stand_as_they_are_on_the_wire():
    field = fields.Decimal(as_string=True, validate=OneOf([Decimal("1.50"), "2"]))

    assert read_constraints(field, TEXT) == {"enum": ["1.50", "2"]}


def test_choices_that_the_field_cannot_dump_are_quoted_as_they_are():
    field = fields.Date(validate=OneOf(["soon", 4]))

    assert read_constraints(field, TEXT) == {"enum": ["soon", 4]}


def test_the_allowed_members_of_a_list_bind_its_items():
    field = fields.List(fields.String(), validate=[ContainsOnly(["a", "b"]), Length(max=2)])

    found = read_constraints(field, {"type": "array", "items": {"type": "string"}})

    assert found == {"maxItems": 2, "items": {"type": "string", "enum": ["a", "b"]}}


def test_the_length_of_a_mapping_counts_its_properties():
    assert read_constraints(fields.Dict(validate=Length(max=2)), {"type": "object"}) == {
        "maxProperties": 2
    }


@pytest.mark.parametrize(
    ("python", "ecma"),
    [
        (r"\Aab\Z", "^(?:ab$)"),
        (r"^ab$", "^ab$"),
        (r"^a|b$", "^(?:^a|b$)"),
        (r"(?P<year>\d{4})", r"^(?:(?<year>\d{4}))"),
        (r"(?=a)(?!b)(?<=c)(?:d)", r"^(?:(?=a)(?!b)(?<=c)(?:d))"),
        (r"(?>a)", None),
        (r"a++", None),
        (r"(?P<a>x)(?P=a)", None),
    ],
)
def test_a_python_pattern_is_said_in_ecma_262_or_not_at_all(python, ecma):
    assert ecma_pattern(re.compile(python)) == ecma
