"""HTTP Basic: the credentials of RFC 7617 and nothing else, checked by a function or a mapping."""

from base64 import b64encode

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msframework.access.basic import HTTPBasic, read_credentials
from msframework.access.password import PasswordHasher
from msframework.exceptions import ImproperlyConfigured, Unauthorized
from msframework.principal import Principal
from tests.access.conftest import make_request

HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
STORED = argon2.PasswordHasher(1, 8, 1).hash("correct horse", salt=b"a salt of 16 by.")


def encode(text) -> str:
    """Return the credentials of *text*: `name:password`."""
    return b64encode(text if isinstance(text, bytes) else text.encode()).decode()


async def ask(authenticator, value, *others):
    """Return the principal of the `Authorization` header *value*."""
    pairs = (("authorization", each) for each in (value, *others))
    return await authenticator.authenticate(make_request(*pairs))


def check(username, password):
    """Know Ada, and the example of RFC 7617."""
    known = {"ada": "correct horse", "test": "123£", "Aladdin": "open sesame", "": ""}
    return Principal(username) if known.get(username) == password else None


async def check_later(username, password):
    return check(username, password)


@pytest.mark.parametrize("function", [check, check_later])
async def test_a_function_or_coroutine_function_checks(function):
    basic = HTTPBasic(function)

    found = await ask(basic, f"Basic {encode('ada:correct horse')}")

    assert found == Principal("ada")
    with pytest.raises(Unauthorized, match="the user name or the password is wrong"):
        await ask(basic, f"Basic {encode('ada:wrong')}")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin"),  # RFC 7617, 2
        ("Basic dGVzdDoxMjPCow==", "test"),  # RFC 7617, 2.1
        ("bAsIc   QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin"),
        ("Basic Og==", ""),
    ],
)
async def test_the_examples_of_the_standard(value, name):
    assert (await ask(HTTPBasic(check), value)).id == name


async def test_a_password_may_hold_colons():
    assert read_credentials(encode("ada:a:b:")) == ("ada", "a:b:")


@pytest.mark.parametrize("value", ["Bearer abc", "Digest username=a", "ApiKey x"])
async def test_other_schemes_are_not_its_own(value):
    assert await ask(HTTPBasic(check), value) is None


async def test_no_header_is_no_credentials(no_request):
    assert await HTTPBasic(check).authenticate(no_request) is None


@pytest.mark.parametrize(
    "value",
    [
        encode("ada"),
        encode("ada:correct\0horse"),
        encode("a\rda:correct horse"),
        encode("ada:correct horse\x7f"),
        encode(b"ada:\xff"),
        encode("ada:ü".encode("latin-1")),
        encode("ada:\ud800".encode(errors="surrogatepass")),
        encode("ada:1").rstrip("="),
        encode("ada:1") + "=",
        encode("ada:1\u00bf\u00bf").replace("/", "_"),
        "YWRhOjF=",  # bits behind the last byte
        "Zm9vOmJhcg" + "=" * 6,
        "Og=\t=",
        "O g==",
        "====",
        "ada:correct horse",
        'realm="x"',
        "%3A",
    ],
)
async def test_malformed_credentials_are_refused(value):
    with pytest.raises(Unauthorized, match="malformed") as caught:
        await ask(HTTPBasic(check), f"Basic {value}")

    assert value not in caught.value.error
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("value", ["", "Basic", "Basic ", "Basic\u00a0Og==", "\udcff"])
async def test_a_malformed_header_is_refused(value):
    with pytest.raises(Unauthorized):
        await ask(HTTPBasic(check), value)


async def test_two_headers_are_refused():
    right = f"Basic {encode('ada:correct horse')}"

    with pytest.raises(Unauthorized):
        await ask(HTTPBasic(check), right, right)


async def test_a_result_that_is_no_principal_is_a_mistake_of_the_service():
    with pytest.raises(TypeError, match="HTTPBasic: the function returned an object of bool"):
        await ask(HTTPBasic(lambda username, password: True), f"Basic {encode('a:b')}")


def test_challenge_and_scheme():
    basic = HTTPBasic(check, realm="back office")

    assert basic.challenge == 'Basic realm="back office", charset="UTF-8"'
    assert basic.scheme == {"type": "http", "scheme": "basic"}
    assert basic.header == "authorization"


# A mapping from names to hashes.


async def test_a_mapping_of_hashes_is_enough():
    basic = HTTPBasic({"ada": STORED}, hasher=HASHER)

    assert await ask(basic, f"Basic {encode('ada:correct horse')}") == Principal("ada")
    for text in ("ada:wrong", "bob:correct horse", ":", f"ada:{'x' * 2000}"):
        with pytest.raises(Unauthorized, match="the user name or the password is wrong"):
            await ask(basic, f"Basic {encode(text)}")


async def test_the_hashes_of_a_mapping_may_be_older_than_todays_cost(cheap_passwords):
    old = argon2.PasswordHasher(2, 16, 2).hash("correct horse")

    found = await ask(HTTPBasic({"ada": old}), f"Basic {encode('ada:correct horse')}")

    assert found.id == "ada"


def test_without_argon2_a_mapping_is_refused_at_start_up(monkeypatch):
    monkeypatch.setattr("msframework.access.basic.exists", lambda module: module != "argon2")

    with pytest.raises(ImproperlyConfigured, match=r"pip install 'msframework\[access\]'"):
        HTTPBasic({"ada": STORED})


async def test_an_unknown_user_takes_as_long_as_a_wrong_password(monkeypatch):
    verified = []
    verify = argon2.PasswordHasher.verify

    def note(self, stored, secret):
        verified.append(argon2.extract_parameters(stored))
        return verify(self, stored, secret)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", note)
    basic = HTTPBasic({"ada": STORED}, hasher=HASHER)
    for text in ("ada:wrong", "bob:wrong"):
        with pytest.raises(Unauthorized):
            await ask(basic, f"Basic {encode(text)}")

    assert len(verified) == 2
    assert verified[0] == verified[1]


@pytest.mark.parametrize(
    "users",
    [
        {"ada": "correct horse"},
        {STORED: "ada"},
        {"a:b": STORED},
        {"a\n": STORED},
        {"": STORED},
        {7: STORED},
        {"ada": None},
    ],
)
def test_a_mistake_in_a_mapping_is_said_and_not_shown(users):
    with pytest.raises(ImproperlyConfigured, match="HTTPBasic: entry 1") as caught:
        HTTPBasic(users)

    assert "correct horse" not in str(caught.value)
    assert STORED not in str(caught.value)


def test_what_cannot_check_is_refused():
    with pytest.raises(ImproperlyConfigured, match="HTTPBasic: an object of str was given"):
        HTTPBasic("correct horse")


KNOWN = HTTPBasic(check)
ANY_VALUE = st.one_of(
    st.text(),
    st.text().map("Basic ".__add__),
    st.binary().map(lambda data: f"Basic {encode(data)}"),
    st.text().map(lambda text: f"Basic {encode(text.encode(errors='surrogatepass'))}"),
    st.binary().map(lambda data: data.decode(errors="surrogateescape")),
    st.just(f"Basic {encode('ada:correct horse')}"),
)


@given(st.lists(ANY_VALUE, min_size=1, max_size=2))
async def test_any_header_is_a_principal_a_refusal_or_nothing(values):
    try:
        found = await ask(KNOWN, *values)
    except Unauthorized:
        return
    assert found is None or found.id in ("ada", "")
