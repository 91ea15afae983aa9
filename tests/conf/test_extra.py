"""`EXTRA_SCHEMA`: settings of a service's own, checked as the framework's are."""

import pytest

from msframework.exceptions import ImproperlyConfigured

SETTINGS = """
class Issuer: ...

EXTRA_SCHEMA = {
    "days": int, "rate": float, "loud": bool, "name": str | None, "scopes": tuple, "more": dict,
    "issuer": Issuer,
}
EXTRA = {
    "days": 14, "rate": 1, "loud": False, "scopes": ["a"], "more": {"b": 1}, "issuer": Issuer(),
}
"""


def test_values_have_their_types(load):
    extra = dict(load(SETTINGS).extra)

    assert type(extra.pop("issuer")).__name__ == "Issuer"
    assert extra == {
        "days": 14,
        "rate": 1.0,
        "loud": False,
        "name": None,
        "scopes": ("a",),
        "more": {"b": 1},
    }
    assert type(extra["rate"]) is float


def test_a_variable_overrides_one_of_them(load, tmp_path):
    (tmp_path / "name").write_text("Ada\n")
    extra = load(
        SETTINGS,
        EXTRA_DAYS="30",
        EXTRA_LOUD="yes",
        EXTRA_SCOPES="a, b",
        EXTRA_NAME_FILE=str(tmp_path / "name"),
        EXTRA_OTHER="1",
    ).extra

    assert (extra["days"], extra["loud"], extra["scopes"]) == (30, True, ("a", "b"))
    assert (extra["name"], extra["rate"]) == ("Ada", 1.0)
    with pytest.raises(TypeError):
        extra["days"] = 1


def test_without_a_schema_nothing_is_checked(load):
    assert load("EXTRA = {'days': 'x'}", EXTRA_DAYS="30").extra == {"days": "x"}


def test_all_mistakes_are_told_and_no_value(load):
    source = """
EXTRA_SCHEMA = {
    "days": int, "name": str, "issuer": Exception, "late": int, "file": str, "odd": "int",
    "both": int | str | None,
}
EXTRA = {"days": "s3cret", "dayz": 1, "issuer": "s3cret"}
"""
    with pytest.raises(ImproperlyConfigured) as caught:
        load(source, EXTRA_LATE="s3cret")

    said = str(caught.value)
    for text in (
        "EXTRA['dayz'] is unknown; expected a name of EXTRA_SCHEMA. Did you mean days?",
        "EXTRA['days'] is a value that is not shown (type str); expected a whole number.",
        "EXTRA['name'] is not set; expected a text. Set it in EXTRA, or by EXTRA_NAME.",
        "EXTRA['issuer'] is a value that is not shown (type str); expected an instance",
        "environment: EXTRA_LATE is a value that is not shown; expected a whole number.",
        "EXTRA_SCHEMA['file'] is <class 'str'>; expected a type",
        "EXTRA_SCHEMA['odd'] is 'int'; expected a type",
        "EXTRA_SCHEMA['both'] is int | str | None; expected a type",
    ):
        assert text in said
    assert "s3cret" not in said
