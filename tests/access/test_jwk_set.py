"""JWK Sets: whatever an address gives, keys that verify, or a refusal."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from msframework.access.jwk_set import read_keys
from msframework.exceptions import MalformedJSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["keys", "kty", "kid", "alg", "x"]), inner)
    ),
    max_leaves=8,
)
JWK = st.fixed_dictionaries(
    {"kty": st.sampled_from(["EC", "RSA", "OKP", "oct"]) | JSON},
    optional={
        **dict.fromkeys(("n", "e", "x", "y"), st.from_regex(r"\A[A-Za-z0-9_-]{0,45}\Z") | JSON),
        "alg": st.sampled_from(["ES256", "RS256", "EdDSA"]) | JSON,
        "crv": st.sampled_from(["P-256", "Ed25519"]) | JSON,
        **dict.fromkeys(("kid", "use", "key_ops"), JSON),
    },
)


@given(document=JSON | st.fixed_dictionaries({"keys": st.lists(JWK, max_size=3)}))
@settings(max_examples=50, deadline=None, database=None)
def test_whatever_the_set_is_it_gives_keys_or_is_refused(document):
    try:
        found = read_keys(json.dumps(document).encode(), {})
    except MalformedJSON:
        return
    assert all(not key.can_sign for key in found.values())
