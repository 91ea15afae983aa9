"""Cookies are read as Sanic reads them, at a cost that grows with their length."""

import random
import time

import pytest
from sanic.cookies.request import parse_cookie

from msframework.inputs.cookies import parse_cookies


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        (";; ;", {}),
        ("a=1; b=2;a=3", {"a": ["1", "3"], "b": ["2"]}),
        ("a=", {"a": [""]}),
        ("a=b=c", {"a": ["b=c"]}),
        ("nameless", {"": ["nameless"]}),
        ('a="b c"; b="\\"\\\\\\101\\342"', {"a": ["b c"], "b": ['"\\Aâ']}),
        ('a=""', {"a": [""]}),
        ('a="', {"a": ['"']}),
        ("a b=1; c@=2; é=3; d=4", {"d": ["4"]}),
    ],
)
def test_cookies_are_read(text, found):
    assert parse_cookies(text) == found


def test_what_is_found_is_what_sanic_finds():
    chance = random.Random(6265)
    pieces = ["a", "b", "=", ";", "; ", '"', "\\", "\\101", "\\777", "é", " ", "@", "1", "\t"]
    for _ in range(3000):
        text = "".join(chance.choice(pieces) for _ in range(chance.randint(0, 14)))
        expected = parse_cookie(text)

        # An empty quoted value is the empty value for us.
        plain = {name: ["" if v == '""' else v for v in vs] for name, vs in expected.items()}
        assert parse_cookies(text) == plain, text


def test_the_cost_grows_with_the_length():
    def cost(count):
        text = 'a="' + "\\1" * count + '"'
        started = time.process_time()
        parse_cookies(text)
        return time.process_time() - started

    assert min(cost(64_000) for _ in range(3)) < 32 * max(min(cost(8000) for _ in range(3)), 1e-4)
