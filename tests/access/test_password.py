"""Passwords: hashed with Argon2id, verified in the same time for all, closed for what is broken."""

import ast
import asyncio
import logging
import sys
import threading
import unicodedata
from pathlib import Path

import argon2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msframework.access import password as module
from msframework.access.password import (
    MAX_PASSWORD_BYTES,
    PasswordCheck,
    PasswordHasher,
    hash_password,
    verify_password,
)
from msframework.exceptions import ImproperlyConfigured, ServiceUnavailable, UnprocessableEntity

CHEAP = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}
HASHER = PasswordHasher(**CHEAP)
STORED = argon2.PasswordHasher(**CHEAP).hash("correct horse", salt=b"a salt of 16 by.")
OLD = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=16)


@pytest.fixture
def calls(monkeypatch):
    """Return what argon2-cffi is asked to verify and to hash, with the cost of each."""
    noted = []
    verify, hash_ = argon2.PasswordHasher.verify, argon2.PasswordHasher.hash

    def note_verify(self, stored, secret):
        cost = argon2.extract_parameters(stored)
        noted.append(("verify", cost.time_cost, cost.memory_cost, cost.parallelism))
        return verify(self, stored, secret)

    def note_hash(self, secret):
        noted.append(("hash", self.time_cost, self.memory_cost, self.parallelism))
        return hash_(self, secret)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", note_verify)
    monkeypatch.setattr(argon2.PasswordHasher, "hash", note_hash)
    return noted


async def test_the_default_is_the_low_memory_profile_of_rfc_9106():
    cost = argon2.extract_parameters(await hash_password("correct horse"))

    assert cost == argon2.profiles.RFC_9106_LOW_MEMORY


async def test_a_password_is_verified(cheap_passwords):
    stored = await hash_password("correct horse")

    assert await verify_password("correct horse", stored) == PasswordCheck(True)
    assert await verify_password("Correct horse", stored) == PasswordCheck(False)
    assert stored != await hash_password("correct horse")
    assert stored.startswith("$argon2id$v=19$m=8,t=1,p=1$")


async def test_a_check_is_true_where_the_password_is_right():
    assert await HASHER.verify("correct horse", STORED)
    assert not await HASHER.verify("wrong", STORED)


async def test_what_argon2_cffi_hashed_is_verified():
    stored = argon2.PasswordHasher(**CHEAP).hash("correct horse")

    assert await HASHER.verify("correct horse", stored) == PasswordCheck(True)


# The same time for all: as many computations, at the same cost.


@pytest.mark.parametrize("stored", [None, "", "scrypt$16384$8$1$x$y", STORED[:-11], "x" * 9999, 7])
async def test_no_user_and_no_hash_take_as_long_as_a_wrong_password(stored, calls):
    assert await HASHER.verify("wrong", STORED) == PasswordCheck(False)
    assert await HASHER.verify("correct horse", stored) == PasswordCheck(False)

    assert calls == [("verify", 1, 8, 1)] * 2


async def test_the_dummy_has_the_cost_of_new_hashes(calls):
    await PasswordHasher(time_cost=2, memory_cost=16, parallelism=2).verify("x", None)

    assert calls == [("verify", 2, 16, 2)]


async def test_a_right_password_is_computed_once(calls):
    assert await HASHER.verify("correct horse", STORED)

    assert calls == [("verify", 1, 8, 1)]


@pytest.mark.parametrize("password", ["", "\ud800", "x" * 1025, "ü" * 513, "\ufdfa" * 60])
async def test_what_nobody_can_have_is_wrong_for_all_alike(password, calls):
    assert await HASHER.verify(password, STORED) == PasswordCheck(False)
    assert await HASHER.verify(password, None) == PasswordCheck(False)

    assert calls == []


@pytest.mark.parametrize("stored", [STORED.replace("m=8", "m=7"), STORED[:-9]])
async def test_a_hash_that_argon2_itself_refuses_takes_as_long_too(stored, calls):
    assert not await HASHER.verify("correct horse", stored)

    assert calls[1:] == [("verify", 1, 8, 1)]  # the first computed nothing


# The cost changes.


@pytest.mark.parametrize(
    "old",
    [
        {"time_cost": 2, "memory_cost": 8, "parallelism": 1},
        {"time_cost": 1, "memory_cost": 64, "parallelism": 1},
        {"time_cost": 1, "memory_cost": 16, "parallelism": 2},
        {**CHEAP, "hash_len": 16},
        {**CHEAP, "salt_len": 8},
        {**CHEAP, "type": argon2.Type.I},
    ],
)
async def test_a_hash_of_another_cost_is_right_and_comes_back_at_todays(old):
    stored = argon2.PasswordHasher(**old).hash("correct horse")

    check = await HASHER.verify("correct horse", stored)

    assert check
    assert check.rehashed != stored
    assert await HASHER.verify("correct horse", check.rehashed) == PasswordCheck(True)
    assert await HASHER.verify("wrong", stored) == PasswordCheck(False)


async def test_a_hash_is_left_as_it_is_where_nobody_can_store_another(calls):
    stored = OLD.hash("correct horse")
    calls.clear()

    assert await HASHER.verify("correct horse", stored, rehash=False) == PasswordCheck(True)
    assert calls == [("verify", 1, 8, 1)]


def test_neither_hash_is_in_a_repr():
    assert repr(PasswordCheck(True, STORED)) == "PasswordCheck(matches=True)"


# Any text.


async def test_the_same_letters_are_the_same_password():
    composed = "Å\u00fc\ufb01"  # with a ligature
    decomposed = unicodedata.normalize("NFD", "Åü") + "fi"

    assert composed != decomposed
    assert await HASHER.verify(decomposed, await HASHER.hash(composed))


async def test_a_nul_ends_no_password():
    stored = await HASHER.hash("correct\0horse")

    assert await HASHER.verify("correct\0horse", stored)
    assert not await HASHER.verify("correct", stored)
    assert not await HASHER.verify("correct\0battery", stored)


async def test_the_longest_password_counts_to_its_end():
    longest = "x" * MAX_PASSWORD_BYTES
    stored = await HASHER.hash(longest)

    assert await HASHER.verify(longest, stored)
    assert not await HASHER.verify(longest[:-1] + "y", stored)


@pytest.mark.parametrize("password", ["", "\ud800", "x" * 1025, "ü" * 513, "\ufdfa" * 60])
async def test_what_cannot_be_a_password_is_a_422(password):
    with pytest.raises(UnprocessableEntity, match="a password has 1 to 1024 bytes") as caught:
        await HASHER.hash(password)

    assert not password or password not in caught.value.error


@settings(max_examples=50)
@given(st.text(), st.text())
async def test_any_two_texts(one, other):
    same = unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other)
    try:
        stored = await HASHER.hash(one)
    except UnprocessableEntity:
        stored = None

    assert bool(await HASHER.verify(other, stored)) is (same and stored is not None)


# Stored hashes that are none, or that would take the service down.

HUGE = [
    ("m=8,t=1,p=1", "m=2097152,t=1,p=1"),
    ("m=8,t=1,p=1", "m=999999999,t=1,p=1"),
    ("m=8,t=1,p=1", "m=8,t=17,p=1"),
    ("m=8,t=1,p=1", "m=136,t=1,p=17"),
]


@pytest.mark.parametrize(("cost", "huge"), HUGE)
async def test_a_hash_that_costs_too_much_is_not_computed(cost, huge, calls, caplog):
    with caplog.at_level(logging.ERROR):
        check = await HASHER.verify("correct horse", STORED.replace(cost, huge))

    assert check == PasswordCheck(False)
    assert calls == [("verify", 1, 8, 1)]  # the dummy
    assert f"it costs too much ({huge.replace(',', ', ')})" in caplog.text


async def test_four_times_the_cost_of_new_hashes_is_not_too_much():
    dear = PasswordHasher(time_cost=5, memory_cost=8, parallelism=1)
    stored = argon2.PasswordHasher(time_cost=20, memory_cost=8, parallelism=1).hash("correct horse")

    assert await dear.verify("correct horse", stored)
    assert not await HASHER.verify("correct horse", stored)


BROKEN = [
    "",
    "correct horse",
    "scrypt$16384$8$1$c2FsdA==$aGFzaA==",
    STORED.replace("argon2id", "argon2"),
    STORED.replace("argon2id", "argon2x"),
    STORED.replace("v=19", "v=99"),
    STORED.replace("v=19", "v=x"),
    STORED.replace("m=8", "m=7"),
    STORED.replace("m=8", "m=-8"),
    STORED.replace("t=1", "t=0"),
    STORED.replace("p=1", "p=0"),
    STORED + "\n",
    STORED + "\0",
    " " + STORED,
    STORED + "=",
    STORED[:-1] + "ü",
    STORED.encode(),
]


@pytest.mark.parametrize("stored", BROKEN)
async def test_a_broken_hash_lets_nobody_in_and_the_log_says_so_without_it(stored, caplog):
    with caplog.at_level(logging.ERROR, "msframework.credentials"):
        assert await HASHER.verify("correct horse", stored) == PasswordCheck(False)

    assert "a stored hash of a password is refused" in caplog.text
    assert "horse" not in caplog.text
    assert STORED[40:60] not in caplog.text


@settings(max_examples=100)
@given(
    st.one_of(st.text(), st.text(alphabet="argon2id$v=19m=8,t=1,p=1AZaz+/").map("$argon2".__add__))
)
async def test_any_text_in_the_column_lets_nobody_in(stored):
    assert not await HASHER.verify("correct horse", stored)


# The threads.


async def test_beyond_the_bound_is_a_503(monkeypatch):
    hasher, gate = PasswordHasher(**CHEAP, threads=1, waiting=1), threading.Event()
    monkeypatch.setattr(hasher, "_hash", lambda secret: gate.wait(60))
    work = [asyncio.ensure_future(hasher.hash("x")) for _ in range(5)]
    asyncio.get_running_loop().call_soon(gate.set)  # after all five have begun

    done = await asyncio.gather(*work, return_exceptions=True)

    refused = [each for each in done if isinstance(each, ServiceUnavailable)]
    assert done == [True, True, *refused]
    assert [each.headers for each in refused] == [{"Retry-After": "1"}] * 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_cost": 0},
        {"memory_cost": 31},
        {"memory_cost": 2**32},
        {"parallelism": 0},
        {"parallelism": 1.5},
        {"threads": 0},
        {"waiting": -1},
    ],
)
def test_a_cost_that_cannot_be_is_refused(wrong):
    (name,) = wrong

    with pytest.raises(ImproperlyConfigured, match=f"PasswordHasher: {name} is"):
        PasswordHasher(**wrong)


async def test_without_argon2_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "argon2", None)

    with pytest.raises(ImproperlyConfigured, match=r"pip install 'msframework\[access\]'"):
        await HASHER.hash("correct horse")


def test_argon2_is_not_imported_with_the_module():
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]

    assert "argon2" not in "".join(map(ast.unparse, imported))
