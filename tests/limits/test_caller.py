"""Keys of callers: of one length, and one for each who counts as one caller."""

import pytest

from msframework.limits.caller import key_of_address, key_of_principal, key_of_value

SAME = [
    ("192.0.2.1", "192.0.2.1:4711"),
    ("192.0.2.1", "::ffff:192.0.2.1"),
    ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
    ("2001:db8:1:2::1", "[2001:db8:1:2::9]"),
    ("2001:db8:1:2::1", "[2001:db8:1:2::9]:443"),
    ("fe80::1%eth0", "fe80::2"),
]
DIFFERENT = [
    ("192.0.2.1", "192.0.2.2"),
    ("2001:db8:1:2::1", "2001:db8:1:3::1"),
    ("_hidden", "_other"),
    ("", "192.0.2.1"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_addresses_of_one_subscriber_have_one_key(one, other):
    assert key_of_address(one) == key_of_address(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_others_have_another(one, other):
    assert key_of_address(one) != key_of_address(other)


def test_all_without_an_address_have_one_key():
    assert key_of_address("") == key_of_address("")


def test_an_id_is_one_of_its_authenticator():
    keys = {
        key_of_principal("bearer", "1"),
        key_of_principal("key", "1"),
        key_of_principal("key1", ""),
        key_of_value("1"),
        key_of_value(1),
        key_of_value(2),
        key_of_address("1"),
    }

    assert len(keys) == 7


@pytest.mark.parametrize("text", ["x" * 100_000, "\ud800", "\0", "ünïcode"], ids=len)
def test_a_key_is_short_and_hides_what_it_is_made_of(text):
    for key in (key_of_principal("bearer", text), key_of_value(text), key_of_address(text)):
        assert len(key) == 16
        assert text.encode("utf-8", "replace") not in key
