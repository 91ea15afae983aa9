"""The name that was meant is found in bounded work."""

import random

import pytest

from msframework import alike
from msframework.alike import MOST_PAIRS, find_alike, find_nearest

MANY = [f"customer_address_street_{number:03}" for number in range(200)]


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("emial", ["email", "name", "age"], "email"),
        ("title__like", ["title", "title__icontains", "sort"], "title"),
        ("zzz", ["email", "name"], ""),
        ("", ["email"], ""),
        ("email", [], ""),
        ("customer_address_stret_123", MANY, "customer_address_street_123"),
        ("ustomer_address_street_007", MANY, "customer_address_street_007"),
        ("customer_adress_stret_000", MANY, "customer_address_street_000"),
        ("y" * 300, MANY, ""),
        ("a" * 300, ["a" * number for number in range(1, 200)], "a" * 100),
    ],
)
def test_the_name_that_was_meant_is_found(name, known, meant):
    assert find_alike(name, known) == meant


@pytest.mark.parametrize("known", [MANY, ["a" * number for number in range(1, 100)]])
def test_no_more_is_compared_than_is_bounded(known, monkeypatch):
    """What difflib is given, and how often two names are walked through, does not grow."""
    compared = []

    def compare(name, names, *rest):
        compared.append(len(name) * sum(map(len, names)))
        return ()

    walked = []
    likeness = alike._likeness
    monkeypatch.setattr(alike, "get_close_matches", compare)
    monkeypatch.setattr(alike, "_likeness", lambda *both: walked.append(both) or likeness(*both))
    chance = random.Random(7)
    for size in range(1, 300):
        walked.clear()
        find_alike("".join(chance.choices("a_customer", k=size)), known[: chance.randrange(200)])
        assert len(walked) <= 17

    assert max(compared) <= MOST_PAIRS


def test_a_name_that_a_declaration_chose_may_have_to_be_more_alike():
    assert find_nearest("scopes", ("scope", "query")) == "scope"
    assert find_nearest("scoops", ("scope", "query"), 0.8) == ""
    assert find_nearest("x", iter(())) == ""
