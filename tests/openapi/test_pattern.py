"""Patterns of texts: what they match is taken, and every tool reads them."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest
from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Regexp

from msframework.openapi.pattern import NO_NUL, excludes_nul, kind_pattern, with_patterns
from msframework.schemas.columns import Base64, Digits

LOCAL = "2024-02-29T23:59"
# Each: the field, texts that match and load, texts that do not match.
KINDS = {
    "decimal": (fields.Decimal(), ["0", "-12", "1.50"], ["", "1e5", ".", "NaN", "1,5", "٣"]),
    "special": (fields.Decimal(allow_nan=True), ["1.5", "NaN", "-Infinity"], ["nan(1)"]),
    "digits": (
        fields.Decimal(validate=Digits(5, 2)),
        ["999.99", "-0.1", "007.10", "1.5000"],
        ["1000", "1.001", "999.999"],
    ),
    "no places": (fields.Decimal(validate=Digits(3, 0)), ["999", "1.00"], ["1000", "1.5"]),
    "places only": (fields.Decimal(validate=Digits(2, 2)), ["0.25", "00.2"], ["1", "1.25"]),
    "time": (fields.Time(), ["00:00", "23:59:59", "12:00:00.000001"], ["24:00", "1:00", "12:60"]),
    "local": (
        fields.NaiveDateTime(),
        [LOCAL, "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"],
        ["0000-01-01T00:00", "2024-04-31T00:00", "2024-13-01T00:00", "2024-02-30T00:00"],
    ),
    "base64": (Base64(), ["", "AA==", "AAA=", "AAAA"], ["A", "AA", "A===", "====", "A-A="]),
    "url": (fields.URL(), ["https://a.example/?q"], ["mailto:a@b.example", "https://a b.example"]),
    "ftp": (fields.URL(schemes={"ftp"}), ["ftp://a.example/"], ["https://a.example/"]),
}


@pytest.mark.parametrize(("field", "taken", "other"), KINDS.values(), ids=KINDS)
def test_what_matches_is_taken(field, taken, other):
    pattern = kind_pattern(field)

    for text in taken:
        assert re.search(pattern, text), text
        field.deserialize(text)
    for text in other:
        assert not re.search(pattern, text), text


@pytest.mark.parametrize("digits", [Digits(8, 2), Digits(3, 0), Digits(4, 4)])
@pytest.mark.parametrize("text", ["12345678", "1234567.5", "0.12345", "-0.1234", "99.99", "100"])
def test_a_plain_number_matches_if_and_only_if_its_column_holds_it(digits, text):
    field = fields.Decimal(validate=digits)
    matches = re.search(kind_pattern(field), text) is not None

    try:
        field.deserialize(text)
    except ValidationError:
        assert not matches
    else:
        assert matches


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (fields.Decimal(as_string=True), Decimal("-1E+3")),
        (fields.Decimal(as_string=True), Decimal("0.00000001")),
        (fields.Time(), dt.time(1, 2, 3, 4)),
        (fields.NaiveDateTime(), dt.datetime(1, 1, 1)),
        (Base64(), b"\x00\xff"),
    ],
)
def test_what_is_answered_matches(field, value):
    schema = Schema.from_dict({"value": field})()

    assert re.search(kind_pattern(field), schema.dump({"value": value})["value"])


@pytest.mark.parametrize(
    "field", [fields.String(), fields.Date(), fields.Time(format="%H"), fields.URL(relative=True)]
)
def test_other_fields_need_none(field):
    assert kind_pattern(field) is None


@pytest.mark.parametrize(
    ("pattern", "excluded"),
    [
        (NO_NUL, True),
        ("^[a-z]+$", True),
        (r"^a\.b$", True),
        ("^(?:a|b(?:c|d))[.]$", True),
        (r"^[^\s\x00]+$", True),
        ("^[^a]+$", False),
        ("^a|b$", False),
        ("^a.b$", False),
        ("^(?:a.)b$", False),
        (r"^\W$", False),
        (r"^\x00$", False),
        ("^\x00$", False),
        ("^a", False),
        ("a$", False),
        (r"^a\$", False),
    ],
)
def test_a_pattern_excludes_nul_where_that_is_plain(pattern, excluded):
    assert excludes_nul(pattern) is excluded
    assert not (excluded and re.search(pattern, "\0"))


def test_patterns_are_asked_for_together():
    assert with_patterns([]) == {}
    assert with_patterns([NO_NUL]) == {"pattern": NO_NUL}
    assert with_patterns(["^[a-z]+$", NO_NUL, "^[a-z]+$"]) == {"pattern": "^[a-z]+$"}
    assert with_patterns(["^x", NO_NUL]) == {"pattern": "^x", "allOf": [{"pattern": NO_NUL}]}


def test_text_that_a_model_holds_has_no_nul(operation, document):
    from apps.roles.schemas import RoleSchema
    from msframework.operation import Input, Source

    class Role(RoleSchema):
        class Meta(RoleSchema.Meta):
            register = False

        name = fields.String(required=True, validate=Regexp("^[a-z]"))

    found = document(operation("POST", inputs=(Input(Source.BODY, Role()),)))

    shown = found["components"]["schemas"]["RoleIn"]["properties"]
    assert shown["name"] == {
        "type": "string",
        "pattern": "^[a-z]",
        "allOf": [{"pattern": NO_NUL}],
    }
    assert shown["description"]["pattern"] == NO_NUL
