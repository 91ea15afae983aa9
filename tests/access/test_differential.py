"""Tokens through `JWTBearer` and through PyJWT's own decoding: what one refuses, the other does."""

import contextlib
import time

import jwt
from hypothesis import given, settings
from hypothesis import strategies as st

from msframework.access.jws import TokenRefused
from tests.access.tokens import OTHER, SECRET, forge, make_bearer

NOW = int(time.time())
# Far enough from now that no test is slow enough for another answer; the leeway is 30 s.
MOMENTS = st.sampled_from([NOW - 3600, NOW - 40, NOW - 10, NOW + 300, NOW + 3600, NOW + 3600.5])
ODD = st.sampled_from([None, True, [], {}, "", "1", 0, -1, 1.5, 2**63, ["notes"], {"a": []}])
CLAIMS = st.fixed_dictionaries(
    {"exp": MOMENTS, "aud": st.sampled_from(["notes", ["notes", "tags"]]), "sub": st.just("ada")},
    optional={
        "iss": st.sampled_from(["https://issuer", "https://other"]) | ODD,
        "nbf": MOMENTS | ODD,
        "iat": MOMENTS | ODD,
        "jti": st.sampled_from(["a"]) | ODD,
        "scope": st.sampled_from(["read write", ["read"]]) | ODD,
    },
)
CHANGES = st.dictionaries(st.sampled_from(["exp", "aud", "sub", "iss"]), ODD, max_size=1)
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["HS256"] * 4 + ["HS384", "none", "hs256"])},
    optional={"typ": st.just("JWT"), "kid": st.just("a"), "crit": st.just(["exp"]), "b64": ODD},
)


def read_theirs(token):
    """Return the claims that PyJWT finds; `None` where it refuses *token*."""
    with contextlib.suppress(jwt.InvalidTokenError):
        return jwt.decode(
            token,
            SECRET,
            algorithms=["HS256"],
            audience="notes",
            issuer="https://issuer",
            leeway=30,
            options={"require": ["exp", "aud", "iss", "sub"]},
        )
    return None


def read_ours(token):
    """Return the claims that we find; `None` where we refuse *token*."""
    call = make_bearer(clock=time.time)._verify(token, time.time())
    try:
        call.send(None)
    except StopIteration as done:
        return done.value.claims
    except TokenRefused:
        return None
    raise AssertionError("it waits")


@given(CLAIMS, CHANGES, HEADERS, st.sampled_from([SECRET] * 5 + [OTHER]))
@settings(max_examples=150, deadline=None, database=None)
def test_what_pyjwt_refuses_is_refused(claims, changes, header, secret):
    token = forge(claims | changes, header, secret=secret)

    ours, theirs = read_ours(token), read_theirs(token)

    assert ours is None or theirs is not None
    if ours is not None:
        assert ours.keys() == theirs.keys()
        assert all(ours[name] == theirs[name] for name in ("sub", "exp", "iss"))


USUAL = st.fixed_dictionaries(
    {
        "exp": MOMENTS,
        "aud": st.sampled_from(["notes", ["notes", "tags"], "tags", []]),
        "iss": st.sampled_from(["https://issuer", "https://other"]),
        "sub": st.just("ada"),
    },
    optional={"nbf": MOMENTS, "iat": MOMENTS, "jti": st.text(), "scope": st.text()},
)


@given(USUAL)
@settings(max_examples=100, deadline=None, database=None)
def test_of_usual_tokens_both_take_the_same(claims):
    token = forge(claims)

    assert (read_ours(token) is None) is (read_theirs(token) is None)
