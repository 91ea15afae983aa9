"""API keys: known by their hashes, rotated, ended, and refused without a word on why."""

import json
import logging
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msframework.access.api_key import MAX_KEY_LENGTH, APIKey, KeyEntry, hash_key
from msframework.exceptions import ImproperlyConfigured, Unauthorized
from msframework.principal import Principal
from tests.access.conftest import make_request

KEY = "W9Ds0kNrb3yPq2mXo1vUcLz8hTfJ5aGe"
OTHER = "Rk4Zb7sYt0QwEi3uPn6xVd9mCj2lHo8g"
THIRD = "Fq1Ax5vLz3TpMe7yKc9uRw2sNb6dJh0o"
SOON = datetime.now(UTC) + timedelta(hours=1)
PAST = datetime.now(UTC) - timedelta(hours=1)


async def ask(authenticator, *keys):
    """Return the principal that *authenticator* finds for *keys*, each in a header of its own."""
    return await authenticator.authenticate(make_request(*(("x-api-key", key) for key in keys)))


async def refused(authenticator, *keys) -> str:
    """Return the text of the refusal."""
    with pytest.raises(Unauthorized) as caught:
        await ask(authenticator, *keys)
    return caught.value.error


async def test_a_key_is_known_by_its_hash():
    keys = APIKey({"billing": hash_key(KEY), "reports": hash_key(OTHER)})

    assert await ask(keys, OTHER) == Principal("reports")


async def test_no_key_is_no_credentials():
    assert await ask(APIKey({"billing": hash_key(KEY)})) is None


async def test_a_hash_is_no_key():
    assert (
        await refused(APIKey({"billing": hash_key(KEY)}), hash_key(KEY)) == "the API key is wrong"
    )


async def test_scopes_belong_to_the_key():
    keys = APIKey({"billing": KeyEntry(hash_key(KEY), scopes=("invoices:read", "invoices:write"))})

    assert (await ask(keys, KEY)).scopes == {"invoices:read", "invoices:write"}


async def test_two_keys_of_one_caller_are_valid_while_they_are_rotated():
    old = KeyEntry(hash_key(KEY), scopes=["a", "b"], until=SOON)
    keys = APIKey({"billing": [old, KeyEntry(hash_key(OTHER), scopes=["a"])]})

    assert await ask(keys, KEY) == Principal("billing", frozenset("ab"))
    assert await ask(keys, OTHER) == Principal("billing", frozenset("a"))


async def test_a_key_ends():
    keys = APIKey({"billing": (KeyEntry(hash_key(KEY), until=PAST), hash_key(OTHER))})

    assert await refused(keys, KEY) == "the API key is wrong"
    assert (await ask(keys, OTHER)).id == "billing"


async def test_keys_come_from_json():
    text = json.dumps(
        {
            "billing": hash_key(KEY),
            "reports": [
                {"hash": hash_key(OTHER), "scopes": ["read"], "until": "2999-01-31T12:00:00Z"},
                {"hash": hash_key(THIRD).upper().replace("SHA", "sha"), "scopes": []},
            ],
        }
    )
    keys = APIKey(text)

    assert (await ask(keys, KEY)).id == "billing"
    assert await ask(keys, OTHER) == Principal("reports", frozenset(["read"]))
    assert await ask(keys, THIRD) == Principal("reports")


async def test_without_any_key_nobody_is_let_in():
    assert await refused(APIKey("{}"), KEY)


@pytest.mark.parametrize(
    "key", ["", " ", "wrong", "käse" * 9, "\udcff" * 30, f"{KEY} ", f"{KEY},{KEY}", f"{KEY}\x00"]
)
async def test_wrong_keys_are_refused_alike(key):
    assert await refused(APIKey({"billing": hash_key(KEY)}), key) == "the API key is wrong"


async def test_a_key_that_is_sent_twice_is_refused_even_if_it_is_right():
    keys = APIKey({"billing": hash_key(KEY)})

    assert await refused(keys, KEY, KEY) == "the API key was sent more than once"
    assert await refused(keys, KEY, OTHER) == "the API key was sent more than once"


async def test_other_headers_may_stand_twice():
    request = make_request(("accept", "a"), ("accept", "b"), ("x-api-key", KEY))

    assert (await APIKey({"billing": hash_key(KEY)}).authenticate(request)).id == "billing"


async def test_too_long_a_key_is_not_even_hashed(monkeypatch):
    keys = APIKey({"billing": hash_key("k" * MAX_KEY_LENGTH)})
    assert (await ask(keys, "k" * MAX_KEY_LENGTH)).id == "billing"

    monkeypatch.setattr("msframework.access.api_key.sha256", None)

    assert await refused(keys, "k" * (MAX_KEY_LENGTH + 1))


async def test_a_key_that_can_be_guessed_is_refused_and_the_log_says_whose(caplog):
    keys = APIKey({"billing": f"sha256:{sha256(b'hunter2').hexdigest()}"})

    with caplog.at_level(logging.WARNING):
        assert await refused(keys, "hunter2") == "the API key is wrong"

    assert "the API key of 'billing' has less than 22 characters" in caplog.text
    assert "hunter2" not in caplog.text


async def test_keys_are_compared_in_constant_time(monkeypatch):
    compared = []

    def compare(one, other):
        compared.append((one, other))
        return False

    monkeypatch.setattr("msframework.access.api_key.hmac.compare_digest", compare)

    assert await refused(APIKey({"billing": hash_key(KEY)}), KEY)
    assert compared == [(hash_key(KEY), hash_key(KEY))]


async def test_the_header_has_the_name_that_is_asked_for():
    keys = APIKey({"billing": hash_key(KEY)}, header="X-Billing-Key", realm="billing")

    assert (await keys.authenticate(make_request(("X-Billing-Key", KEY)))).id == "billing"
    assert keys.header == "x-billing-key"
    assert keys.scheme == {"type": "apiKey", "in": "header", "name": "X-Billing-Key"}
    assert keys.challenge == 'ApiKey realm="billing", header="X-Billing-Key"'


async def test_a_lookup_is_asked_with_the_digest():
    asked = []

    async def lookup(digest):
        asked.append(digest)
        return Principal("billing") if digest == hash_key(KEY) else None

    keys = APIKey(lookup=lookup)

    assert await ask(keys, KEY) == Principal("billing")
    assert await refused(keys, OTHER) == "the API key is wrong"
    assert asked == [hash_key(KEY), hash_key(OTHER)]


async def test_a_lookup_is_not_asked_for_what_can_be_no_key():
    async def lookup(digest):
        pytest.fail("it was asked")

    keys = APIKey({"billing": hash_key(KEY)}, lookup=lookup)

    assert await ask(keys) is None
    assert (await ask(keys, KEY)).id == "billing"
    for key in ("", "hunter2", "ü" * 30, "k" * 600):
        assert await refused(keys, key)


KEPT = APIKey({"billing": hash_key(KEY), "reports": KeyEntry(hash_key(OTHER), until=PAST)})
ANY_TEXT = st.one_of(
    st.text(),
    st.binary().map(lambda data: data.decode(errors="surrogateescape")),
    st.sampled_from([KEY, OTHER, hash_key(KEY)]),
)


@given(st.lists(ANY_TEXT, max_size=3))
async def test_any_header_is_a_principal_a_refusal_or_nothing(values):
    if values in ([], [KEY]):
        assert await ask(KEPT, *values) == (Principal("billing") if values else None)
    else:
        error = await refused(KEPT, *values)
        assert not any(value in error for value in values if len(value) > 20)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"billing": KEY}, "entry 1 of keys: it holds no hash of a key"),
        ({KEY: "billing"}, "entry 1 of keys: it holds no hash of a key"),
        ({"a": hash_key(OTHER), "b": [KEY]}, "entry 2 of keys: it holds no hash of a key"),
        ({"billing": hash_key(KEY)[:-1]}, "entry 1 of keys: it holds no hash of a key"),
        ({"billing": hash_key(KEY)[7:]}, "entry 1 of keys: it holds no hash of a key"),
        ({"billing": KeyEntry(KEY)}, "entry 1 of keys: it holds no hash of a key"),
        ({"billing": {"hash": KEY}}, "entry 1 of keys: it holds no hash of a key"),
        ({"billing": {"key": KEY}}, "entry 1 of keys: the key of a caller is no text"),
        ({"billing": {"hash": hash_key(KEY), "scope": "a"}}, "is no text and no KeyEntry"),
        ({"billing": KEY.encode()}, "entry 1 of keys: the key of a caller is no text"),
        ({"billing": None}, "entry 1 of keys: the key of a caller is no text"),
        ({"": hash_key(KEY)}, "entry 1 of keys: the caller has no name"),
        ({"a": hash_key(KEY), "b": hash_key(KEY)}, "keys['b']: a hash stands here a second time"),
        ({"a": KeyEntry(hash_key(KEY), scopes="read")}, "keys['a']: scopes is 'read'"),
        ({"a": KeyEntry(hash_key(KEY), scopes=["a b"])}, "keys['a']: scopes is ['a b']"),
        ({"a": KeyEntry(hash_key(KEY), scopes=[1])}, "keys['a']: scopes is [1]"),
        ({"a": KeyEntry(hash_key(KEY), until="tomorrow")}, "keys['a']: until is 'tomorrow'"),
        ({"a": KeyEntry(hash_key(KEY), until="2030-01-01")}, "expected a moment with its zone"),
        ({"a": KeyEntry(hash_key(KEY), until=1)}, "keys['a']: until is 1"),
        (f'{{"billing": "{KEY}"}}', "entry 1 of keys: it holds no hash of a key"),
        (KEY, "keys is a text that is no JSON"),
        ('{"a": "sha256:…", "a": "sha256:…"}', "keys is a text that is no JSON"),
        (f'["{KEY}"]', "keys is an object of list"),
        ([hash_key(KEY)], "keys is an object of list"),
        (None, "there is nothing to know a key by"),
    ],
)
def test_a_mistake_in_the_keys_is_said_and_no_key_is_shown(keys, found):
    with pytest.raises(ImproperlyConfigured) as caught:
        APIKey(keys)

    text = f"{caught.value!r} {caught.value}"
    assert found in str(caught.value)
    assert KEY not in text
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_every_mistake_is_found_at_once():
    with pytest.raises(ImproperlyConfigured) as caught:
        APIKey({"a": KEY, "b": KeyEntry(hash_key(KEY), scopes="x", until="y")})

    assert len(caught.value.problems) == 3
    assert "manage.py makekey" in str(caught.value)


@pytest.mark.parametrize("header", ["Authorization", "cookie", "X API Key", "", "Schlüssel", None])
def test_a_header_that_is_none_of_its_own_is_refused(header):
    with pytest.raises(ImproperlyConfigured, match="APIKey: header is"):
        APIKey({"billing": hash_key(KEY)}, header=header)


@pytest.mark.parametrize("key", ["", "hunter2", "k" * 21, "k" * 513, "ü" * 30, "k" * 30 + " "])
def test_what_should_be_no_key_has_no_hash(key):
    with pytest.raises(ValueError, match="22 to 512 visible ASCII characters") as caught:
        hash_key(key)

    assert not key or key not in str(caught.value)


def test_neither_keys_nor_hashes_are_in_a_repr():
    entry = KeyEntry(hash_key(KEY), scopes=("read",))

    assert repr(entry) == "KeyEntry(scopes=('read',), until=None)"
    assert hash_key(KEY)[7:] not in repr(APIKey({"billing": entry}))
