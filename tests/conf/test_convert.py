"""One value: what is taken, and what is refused, from Python and from text."""

import pytest

from msframework.conf.catalogue import declarations
from msframework.conf.convert import expected, from_python, from_text
from msframework.conf.findings import Findings
from msframework.types import UNSET


def read(name, value, reader=from_python):
    """Return what *value* becomes for the setting *name*, and the complaints."""
    findings = Findings()
    typed = reader(declarations()[name], value, "here", findings)
    return typed, findings.problems


@pytest.mark.parametrize(
    ("name", "value", "typed"),
    [
        ("DEBUG", True, True),
        ("PORT", 0, 0),
        ("REQUEST_TIMEOUT", 3, 3.0),
        ("REQUEST_TIMEOUT", 0.5, 0.5),
        ("HOST", "::1", "::1"),
        ("INSTALLED_APPS", ["a", "b"], ("a", "b")),
        ("TRACE_SAMPLE_ROUTES", {"GET /": 1}, {"GET /": 1.0}),
        ("SECURITY_SCHEMES", {"key": {"type": "apiKey"}}, {"key": {"type": "apiKey"}}),
        ("PROXIES_COUNT", None, None),
        ("ACCESS_CONTROL_ALLOW_ORIGIN", "", ()),
        ("ACCESS_CONTROL_ALLOW_ORIGIN", None, ()),
        ("ACCESS_CONTROL_ALLOW_ORIGIN", "https://a.example", ("https://a.example",)),
        ("ACCESS_CONTROL_ALLOW_ORIGIN", "https://a,https://b", ("https://a,https://b",)),
        ("ACCESS_CONTROL_ALLOW_HEADERS", "X-A, X-B", ("X-A, X-B",)),
        ("TRUST_PEERS", (), ()),
    ],
)
def test_python_values_are_taken(name, value, typed):
    result, problems = read(name, value)

    assert (result, problems) == (typed, [])
    assert type(result) is type(typed) or isinstance(typed, dict)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", 1),
        ("DEBUG", "true"),
        ("DEBUG", None),
        ("PORT", True),
        ("PORT", "8000"),
        ("PORT", 8000.0),
        ("PORT", 65536),
        ("PORT", -1),
        ("REQUEST_TIMEOUT", float("nan")),
        ("REQUEST_TIMEOUT", float("inf")),
        ("REQUEST_TIMEOUT", False),
        ("REQUEST_TIMEOUT", -1),
        ("TRACE_SAMPLE_RATE", 1.5),
        ("HOST", b"::1"),
        ("INSTALLED_APPS", "apps.users"),
        ("INSTALLED_APPS", ("apps.users", 5)),
        ("EXTRA", [("a", 1)]),
        ("EXTRA", {1: "a"}),
        ("TRACE_SAMPLE_ROUTES", {"GET /": "often"}),
        ("OPENAPI_VERSION", "3.2"),
        ("TRACE_PROPAGATION", ("b3", "jaeger")),
    ],
)
def test_python_values_are_refused(name, value):
    result, problems = read(name, value)

    assert result is UNSET
    assert problems[0].startswith(f"here: {name} is ")
    assert "; expected " in problems[0]


@pytest.mark.parametrize("text", ["1", "true", "True", "YES", " on "])
def test_words_for_true(text):
    assert read("DEBUG", text, from_text) == (True, [])


@pytest.mark.parametrize("text", ["0", "false", "No", "off"])
def test_words_for_false(text):
    assert read("DEBUG", text, from_text) == (False, [])


@pytest.mark.parametrize(
    ("name", "text", "typed"),
    [
        ("PORT", "8000", 8000),
        ("PROXIES_COUNT", "", None),
        ("PROXIES_COUNT", "2", 2),
        ("REQUEST_TIMEOUT", "2.5", 2.5),
        ("HOST", "0.0.0.0", "0.0.0.0"),
        ("HOST", "[not json", "[not json"),
        ("INSTALLED_APPS", "", ()),
        ("INSTALLED_APPS", "a, b,", ("a", "b")),
        ("INSTALLED_APPS", '["a", "b"]', ("a", "b")),
        ("TRACE_SAMPLE_ROUTES", '{"GET /": 0.5}', {"GET /": 0.5}),
        ("ACCESS_CONTROL_ALLOW_ORIGIN", "https://a, https://b", ("https://a", "https://b")),
    ],
)
def test_texts_are_taken(name, text, typed):
    assert read(name, text, from_text) == (typed, [])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DEBUG", "maybe"),
        ("DEBUG", ""),
        ("PORT", "80x"),
        ("PORT", "99999"),
        ("REQUEST_TIMEOUT", "nan"),
        ("INSTALLED_APPS", "[1"),
        ("INSTALLED_APPS", "[1]"),
        ("EXTRA", "{"),
        ("EXTRA", "[]"),
        ("DB_POOL", "heavy"),
    ],
)
def test_texts_are_refused(name, text):
    result, problems = read(name, text, from_text)

    assert result is UNSET
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("name", "python", "text"),
    [
        ("DEBUG", "True or False", "true, false, 1, 0, yes or no"),
        ("PORT", "a whole number from 0 to 65535", "a whole number from 0 to 65535"),
        ("PROXIES_COUNT", "a whole number, 0 or more, or None", None),
        ("DB_POOL", "one of 'light', 'asyncpg'", "one of 'light', 'asyncpg'"),
        ("TRACE_PROPAGATION", "some of 'b3', 'b3multi', 'traceparent'", None),
        ("DOCS_URL", "a text, or None", "a text, or nothing"),
    ],
)
def test_what_is_expected_is_said_for_each_source(name, python, text):
    declared = declarations()[name]

    assert expected(declared) == python
    assert text is None or expected(declared, as_text=True) == text


def test_a_long_value_is_cut_in_the_message():
    _, (problem,) = read("PORT", "x" * 500)

    assert len(problem) < 300


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SERVICES", '{"x": {"url": "http://x", "headers": {"Authorization": "s3cr3t"}}'),
        ("SERVICES", '["http://x?token=s3cr3t"]'),
        ("SERVICES", '{"x": ["http://u:s3cr3t@x"]}'),
        ("SERVICES", '{"x": "u:s3cr3t@x"}'),
        ("SERVICES", "s3cr3t"),
        ("SWAGGER", '{"password": "s3cr3t"'),
        ("SWAGGER", '"s3cr3t"'),
        ("SECURITY_SCHEMES", "{s3cr3t}"),
        ("TRACE_SAMPLE_ROUTES", '{"GET /": "s3cr3t"}'),
        ("INSTALLED_APPS", '["a", {"token": "s3cr3t"}]'),
        ("INSTALLED_APPS", '["a", "s3cr3t"'),
        ("EXTRA", '{"token": "s3cr3t"'),
        ("DB_REPLICAS", '["postgresql://u:s3cr3t@db/x"'),
        ("PORT", "postgresql://u:s3cr3t@db/x"),
        ("DEBUG", "u:s3cr3t@db"),
    ],
)
def test_no_value_that_may_hold_a_secret_is_shown(name, text):
    findings = Findings()

    assert from_text(declarations()[name], text, "environment", findings) is UNSET

    (problem,) = findings.problems
    assert SECRET not in problem


def test_where_json_breaks_off_is_told():
    findings = Findings()

    from_text(declarations()["SERVICES"], '{"x": ', "environment", findings)

    assert "SERVICES is no JSON (Expecting value at character 7)" in findings.problems[0]


@pytest.mark.parametrize("value", [["s3cr3t"], {"a": "s3cr3t"}, "http://u:s3cr3t@x", b"s3cr3t"])
def test_no_value_of_a_module_that_may_hold_a_secret_is_shown(value):
    findings = Findings()

    for name in ("PORT", "TRACE_SAMPLE_ROUTES"):
        assert from_python(declarations()[name], value, "m", findings) is UNSET

    assert SECRET not in "".join(findings.problems)
