"""`CORS`: which origins some browser sends, and the right form of those that none does."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from msframework import CORS, Blueprint
from msframework.conf.catalogue import declarations
from msframework.conf.rules import broken_rules
from msframework.conf.settings import Settings
from msframework.cors import compile_pattern, find_fault

SENT = [
    "*",
    "https://app.example.com",
    "http://localhost:3000",
    "http://127.0.0.1:8000",
    "http://[::1]:3000",
    "https://a.example:8443",
    "https://xn--mnchen-3ya.example",
    "https://under_score.example",
    "https://*.example.com",
    "https://*.example.com:8443",
    "https://*.localhost",
    "https://pr-*.example.com",
    "https://*-preview.example.com",
    "chrome-extension://abcdefghijklmnop",
    "capacitor://localhost",
]
# What is found, and what is to be written instead.
NEVER_SENT = {
    "https://app.example.com/": ("a slash at its end", "'https://app.example.com'"),
    "https://app.example.com/x?y": ("a path", "'https://app.example.com'"),
    "https://app.example.com#f": ("a path", "'https://app.example.com'"),
    "HTTPS://App.Example.com": ("capital letters", "'https://app.example.com'"),
    "https://App.example.com": ("capital letters", "'https://app.example.com'"),
    "app.example.com": ("without a scheme", "'https://app.example.com'"),
    "//app.example.com": ("without a scheme", "'https://app.example.com'"),
    "localhost:3000": ("without a scheme", "'http://localhost:3000'"),
    "*.example.com": ("without a scheme", "'https://*.example.com'"),
    "*.example": ("without a scheme", "'https://*.example'"),
    "https://*": ("for any host", "'https://*.example.com'"),
    "https://*.com": ("names of everybody", "'https://*.example.com'"),
    "https://a*": ("names of everybody", "'https://*.example.com'"),
    "https://a.*.com": ("'*' elsewhere", "'https://*.example.com'"),
    "https://**.example.com": ("'*' elsewhere", "'https://*.example.com'"),
    "http://localhost:*": ("host or port", "'https://*.example.com'"),
    "https://a.example:443": ("its scheme's own port", "'https://a.example'"),
    "http://a.example:80": ("its scheme's own port", "'http://a.example'"),
    "https://a.example:99999": ("host or port", "'https://app.example.com'"),
    "https://a.example:": ("host or port", "'https://a.example'"),
    "https://a.example.": ("host or port", "'https://a.example'"),
    "https://a..example": ("host or port", "'https://app.example.com'"),
    "https://": ("host or port", "'https://app.example.com'"),
    "file://": ("host or port", "'https://app.example.com'"),
    "wss://a.example/feed": ("of a websocket", "'https://a.example'"),
    "https://münchen.example": ("as punycode", "'https://xn--mnchen-3ya.example'"),
    "https://*.faß.example": ("as punycode", "'https://*.xn--fa-hia.example'"),
    "http://[0:0::1]:80": ("its scheme's own port", "'http://[::1]'"),
    "http://[0:0::1]": ("write shorter", "'http://[::1]'"),
    "http://[::g]": ("host or port", "'https://app.example.com'"),
    "http://[1:2]": ("cannot be read", "'https://app.example.com'"),
    "http://127.1": ("cannot be read", "'https://app.example.com'"),
    " https://a.example": ("white space", "'https://a.example'"),
    "https://a\n.example": ("control character", "'https://a.example'"),
    "": ("an empty text", "Leave it out."),
    "null": ("'null'", "Serve the page from an origin of its own"),
    "https://a.example,https://b.example": (
        "several in one text",
        "Write ('https://a.example', 'https://b.example').",
    ),
    5: ("a value of type int", "'https://app.example.com'"),
}

PIECES = ["https", "http", "ws", "://", ":", "/", "//", "a", "example", "com", ".", "*", "-", "_"]
PIECES += ["[", "]", "::1", "443", "80", "99999", "@", "é", "ß", "İ", "\udce9", "\0", " ", "?", "#"]
PIECES += ["\\", "%2e", "xn--", "null", ",", "A", "127.0.0.1", "1", "。", "\u200d", "٣"]


@pytest.mark.parametrize("origin", SENT)
def test_an_origin_that_a_browser_sends_is_taken(origin):
    assert find_fault(origin) is None


@pytest.mark.parametrize("origin", NEVER_SENT, ids=repr)
def test_any_other_is_refused_with_the_right_form(origin):
    found, _, advice = find_fault(origin)
    said, right = NEVER_SENT[origin]

    assert said in found
    assert right in advice


def test_no_password_is_shown():
    assert not any("secret" in text for text in find_fault("https://me:secret@a.example"))
    assert "Write 'https://a.example'." in find_fault("https://me:secret@a.example")


def test_whatever_is_written_the_form_that_is_advised_is_right():
    chance, taken = random.Random(17), 0
    for _ in range(4000):
        text = "".join(chance.choice(PIECES) for _ in range(chance.randint(0, 8)))
        for origin in (text, f"https://{text}"):
            fault = find_fault(origin)
            taken += fault is None
            advised = fault and re.fullmatch(r"Write '(.*)'\.", fault[2])
            assert not advised or find_fault(advised[1]) is None, origin

    assert taken > 50


@pytest.mark.parametrize(
    ("pattern", "origin", "matches"),
    [
        ("https://*.example.com", "https://a.example.com", True),
        ("https://*.example.com", "https://a.b-c.example.com", True),
        ("https://*.example.com", "https://example.com", False),
        ("https://*.example.com", "https://.example.com", False),
        ("https://*.example.com", "https://a..example.com", False),
        ("https://*.example.com", "http://a.example.com", False),
        ("https://*.example.com", "https://a.example.com:8443", False),
        ("https://*.example.com", "https://a.exampleXcom", False),
        ("https://*.example.com", "https://evil.com/.example.com", False),
        ("https://*.example.com", "https://evil.com#.example.com", False),
        ("https://*.example.com", "https://a@b.example.com", False),
        ("https://*.example.com", "https://a.example.com.evil.com", False),
        ("https://*.example.com", "https://a.example.com\n", False),
        ("https://*.example.com", "https://A.example.com", False),
        ("https://*.example.com:8443", "https://a.example.com:8443", True),
        ("https://pr-*.example.com", "https://pr-12.example.com", True),
        ("https://pr-*.example.com", "https://pr-1.b.example.com", False),
        ("https://pr-*.example.com", "https://pr-.example.com", False),
        ("https://*-x.example.com", "https://a.b-x.example.com", False),
    ],
)
def test_a_pattern_matches_from_end_to_end(pattern, origin, matches):
    assert (compile_pattern(pattern).fullmatch(origin) is not None) is matches


def names_of(**given):
    return [fault.name for fault in CORS(**given).faults()]


def test_what_is_right_has_no_fault():
    assert names_of(origins="https://a.example", headers="X-A, X-B", methods=("GET",)) == []
    assert names_of(origins=("https://a.example", "https://*.b.example"), credentials=True) == []
    assert names_of(origins="*", max_age=0) == names_of() == []


def test_lists_are_read_from_one_text_or_several():
    cors = CORS("https://a.example", headers="X-A, X-B,X-A", expose=("X-C, X-D", "X-E"))

    assert cors.origins == ("https://a.example",)
    assert (cors.headers, cors.expose) == (("X-A", "X-B"), ("X-C", "X-D", "X-E"))


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"origins": ("*", "https://a.example")}, ["origins"]),
        ({"origins": "*", "credentials": True}, ["origins"]),
        ({"origins": ("null", "https://a.example/")}, ["origins", "origins"]),
        ({"headers": ("X A",), "expose": "é", "methods": "get"}, ["headers", "methods", "expose"]),
        ({"headers": "*", "credentials": True}, ["headers"]),
        ({"expose": "*", "credentials": True}, ["expose"]),
        ({"methods": "*"}, ["methods"]),
        ({"max_age": -1}, ["max_age"]),
        ({"max_age": True}, ["max_age"]),
    ],
)
def test_what_no_browser_understands_is_a_fault(given, names):
    assert sorted(names_of(**given)) == sorted(names)


def test_the_mistakes_of_a_blueprint_are_collected():
    blueprint = Blueprint("things", cors=CORS(("https://a.example/", "null")))

    first, second = blueprint.problems
    assert "tests/test_cors.py:" in first
    assert "origins of its CORS holds 'https://a.example/' with a slash at its end" in first
    assert first.advice == "Write 'https://a.example'."
    assert "'null'" in second


def test_a_blueprint_takes_a_cors_and_nothing_else():
    (problem,) = Blueprint("things", cors="https://a.example").problems

    assert "blueprint 'things': its cors is str; expected a CORS." in problem


def test_what_the_documentation_writes_is_right():
    page = Path(__file__).parents[1] / "docs" / "concepts" / "browsers.md"
    blocks = page.read_text(encoding="utf-8").split("```python\n")[1:]
    written = {}
    for block in blocks:
        exec(block.partition("```")[0], written)

    given = {
        declared.attribute: written[name]
        for name, declared in declarations().items()
        if name in written
    }
    settings = Settings(debug=True)
    assert broken_rules(replace(settings, server=replace(settings.server, **given))) == []
    assert len(given) == 3
    assert written["partners"].problems == written["internal"].problems == []
