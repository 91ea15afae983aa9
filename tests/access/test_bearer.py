"""`JWTBearer`: a right token gives its caller, any other is a 401 that says nothing of why."""

import ast
import base64
import contextlib
import json
import logging
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msframework.access import JWTBearer, JWTKey, Principal
from msframework.access.bearer import EXPIRED, INVALID
from msframework.conf.settings import Settings
from msframework.exceptions import ImproperlyConfigured, Unauthorized
from tests.access.tokens import (
    CLAIMS,
    NOW,
    OTHER,
    SECRET,
    SetClock,
    bearing,
    encode,
    forge,
    make_bearer,
    request_with,
)
from tests.test_architecture import MODULES, tree_of


async def told(bearer, token):
    """Return what the caller with *token* is told."""
    with pytest.raises(Unauthorized) as refused:
        await bearer.authenticate(bearing(token))
    return refused.value.error


async def test_a_token_gives_its_caller():
    token = forge(scope="read write", roles=["a", {"b": [1]}])

    principal = await make_bearer().authenticate(bearing(token))

    assert principal == Principal(
        "ada",
        frozenset({"read", "write"}),
        MappingProxyType(
            CLAIMS | {"scope": "read write", "roles": ("a", MappingProxyType({"b": (1,)}))}
        ),
        "token",
    )


@pytest.mark.parametrize("value", [(), ("Basic YTpi",), ("Token abc",)])
async def test_other_credentials_are_none_of_its_own(value):
    assert await make_bearer().authenticate(request_with(*value)) is None


async def test_the_scheme_is_compared_without_case():
    request = request_with(f"bEARER {forge()}")

    assert (await make_bearer().authenticate(request)).id == "ada"


def test_it_is_scheme_and_challenge():
    bearer = make_bearer()

    assert bearer.scheme == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert (bearer.challenge, bearer.refusal) == ("Bearer", 'Bearer error="invalid_token"')
    assert bearer.header == "authorization"


def test_nothing_of_a_key_is_shown():
    key = JWTKey.generate("ES256", kid="a")

    for bearer in (make_bearer(), make_bearer(keys=[key])):
        assert SECRET.decode() not in repr(bearer)
        assert repr(SECRET.hex()) not in repr(vars(bearer))
    assert repr(make_bearer(keys=[key])) == "JWTBearer('token', keys=[JWTKey('ES256', kid='a')])"


WRONG_CLAIMS = {
    **{f"no {name}": {name: ...} for name in ("aud", "exp", "iss", "sub")},
    "another audience": {"aud": "else"},
    "other audiences": {"aud": ["else", "more"]},
    "no audiences": {"aud": []},
    "an audience that is a number": {"aud": ["notes", 1]},
    "an audience that is an object": {"aud": {"notes": 1}},
    "an audience that is null": {"aud": None},
    "another issuer": {"iss": "https://issuer/"},
    "a list of issuers": {"iss": ["https://issuer"]},
    "an empty subject": {"sub": ""},
    "a number as subject": {"sub": 7},
    "a subject with a NUL": {"sub": "a\0b"},
    "a subject of two lines": {"sub": "a\nb"},
    "text as exp": {"exp": str(NOW + 60)},
    "a boolean as exp": {"exp": True},
    "null as exp": {"exp": None},
    "a list as exp": {"exp": [NOW + 60]},
    "text as nbf": {"nbf": "0"},
    "null as nbf": {"nbf": None},
    "a boolean as iat": {"iat": False},
    "nbf in the future": {"nbf": NOW + 31},
    "iat in the future": {"iat": NOW + 31},
    "a number as jti": {"jti": 1},
    "a number as scope": {"scope": 1},
    "null as scope": {"scope": None},
    "an object as scope": {"scope": {"read": True}},
    "scopes that are numbers": {"scope": ["read", 1]},
}


@pytest.mark.parametrize("name", sorted(WRONG_CLAIMS))
async def test_wrong_claims_are_refused(name):
    assert await told(make_bearer(), forge(**WRONG_CLAIMS[name])) == INVALID


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (forge(aud=["else", "a\nb"]), r"aud is 'else' or 'a\nb', expected 'notes'"),
        (forge(aud=[]), "aud is nothing, expected 'notes'"),
        (forge(iss="https://issuer/"), "iss is 'https://issuer/', expected 'https://issuer'"),
        (forge(iss="x" * 500), f"iss is '{'x' * 199}…, expected 'https://issuer'"),
        (forge(secret=OTHER), "another key signed it, or it was changed"),
        (forge(header={"alg": "HS512", "kid": "2"}), "no key for alg 'HS512', kid '2'"),
    ],
)
async def test_the_log_says_why_a_token_is_refused(token, reason, caplog):
    caplog.set_level(logging.DEBUG, "msframework.credentials")
    bearer, at_desk = make_bearer(), make_bearer()
    at_desk.check(Settings(debug=True))

    assert await told(bearer, token) == await told(at_desk, token) == INVALID
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", f"a token was refused: {reason}"),
        ("INFO", f"a token was refused: {reason}"),
    ]


async def test_the_log_says_which_type_of_token_was_expected(caplog):
    caplog.set_level(logging.DEBUG, "msframework.credentials")

    assert await told(make_bearer(typ="at+jwt"), forge()) == INVALID
    assert caplog.messages == ["a token was refused: typ is None, expected 'at+jwt'"]


PAYLOADS = {
    "nothing": b"",
    "no object": b"[]",
    "a text": b'"ada"',
    "null": b"null",
    "no JSON": b"{",
    "trailing garbage": json.dumps(CLAIMS).encode() + b"x",
    "a BOM": b"\xef\xbb\xbf" + json.dumps(CLAIMS).encode(),
    "no UTF-8": json.dumps(CLAIMS).encode().replace(b"ada", b"\xff\xfe"),
    "UTF-16": json.dumps(CLAIMS).encode("utf-16"),
    "a member that stands twice": b'{"sub":"root",' + json.dumps(CLAIMS).encode()[1:],
    "an inner member that stands twice": json.dumps(CLAIMS | {"a": 1})
    .encode()
    .replace(b'"a": 1', b'"a": {"b": 1, "b": 2}'),
    "a lone surrogate": json.dumps(CLAIMS | {"sub": "a\ud800"}).encode(),
    "a lone surrogate in a name": json.dumps(CLAIMS | {"a\udfff": 1}).encode(),
    "a bomb of lists": b'{"a":' + b"[" * 2500 + b"]" * 2500 + b"}",
    "a bomb of objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "seventeen levels": json.dumps(CLAIMS).encode()[:-1] + b',"a":%b}' % (b"[" * 16 + b"]" * 16),
}
NUMBERS = [
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "9" * 400,
    "1" + "0" * 30,
    "0x10",
    "01",
    "+1",
    "1.",
]


@pytest.mark.parametrize("name", sorted(PAYLOADS))
async def test_payloads_that_are_no_strict_object_are_refused(name):
    assert await told(make_bearer(), forge(PAYLOADS[name])) == INVALID


@pytest.mark.parametrize("digits", NUMBERS)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
async def test_impossible_numbers_are_refused(name, digits):
    text = json.dumps(CLAIMS | {name: "digits"}).replace('"digits"', digits)

    assert await told(make_bearer(), forge(text.encode())) == INVALID


HEADERS = {
    "no alg": {},
    "none": {"alg": "none"},
    "None": {"alg": "None"},
    "another alg": {"alg": "HS512"},
    "a public one": {"alg": "RS256"},
    "the alg in small letters": {"alg": "hs256"},
    "a list as alg": {"alg": ["HS256"]},
    "null as alg": {"alg": None},
    "crit": {"alg": "HS256", "crit": ["exp"]},
    "an empty crit": {"alg": "HS256", "crit": []},
    "b64": {"alg": "HS256", "b64": False},
    "b64 with crit": {"alg": "HS256", "b64": False, "crit": ["b64"]},
    "null as b64": {"alg": "HS256", "b64": None},
    "an encrypted one": {"alg": "HS256", "enc": "A128GCM"},
    "a compressed one": {"alg": "HS256", "zip": "DEF"},
    "a nested one": {"alg": "HS256", "cty": "JWT"},
    "a nested one by media type": {"alg": "HS256", "cty": "application/jwt"},
    "a number as kid": {"alg": "HS256", "kid": 1},
    "a number as typ": {"alg": "HS256", "typ": 1},
    "a list": ["HS256"],
    "a text": "HS256",
    "a member that stands twice": b'{"alg":"HS256","alg":"HS256"}',
    "no JSON": b"{alg:HS256}",
    "NaN": b'{"alg":"HS256","x":NaN}',
    "nothing": b"",
}


@pytest.mark.parametrize("name", sorted(HEADERS))
async def test_headers_that_ask_for_something_else_are_refused(name):
    assert await told(make_bearer(), forge(header=HEADERS[name])) == INVALID


async def test_keys_that_a_token_brings_are_not_looked_at():
    own = {"kty": "oct", "k": encode(OTHER)}
    for header in ({"jwk": own}, {"jku": "http://127.0.0.1:9/"}, {"x5u": "http://127.0.0.1:9/"}):
        token = forge(header={"alg": "HS256", **header}, secret=OTHER)
        assert await told(make_bearer(), token) == INVALID


def mangled():
    """Return tokens that were right before something was done to them."""
    token = forge()
    head, body, signature = token.split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last character stands for two bits more than 32 bytes have.
    unused = signature[:-1] + last[last.index(signature[-1]) + 1]
    return {
        "another signature": f"{head}.{body}.{encode(OTHER)}",
        "a short signature": f"{head}.{body}.{signature[:-4]}",
        "no signature": f"{head}.{body}.",
        "no last point": f"{head}.{body}",
        "a part more": f"{token}.{signature}",
        "five parts": f"{head}.{body}.{signature}.{body}.{signature}",
        "only points": "..",
        "padding": f"{token}=",
        "unused bits": f"{head}.{body}.{unused}",
        "an impossible length": f"{head}.{body}.{signature[:-2]}",
        "the alphabet of base64": f"{head}.{body}.{signature[:-4]}+/+/",
        "a space": f"{head}. {body}.{signature}",
        "a comma": f"{token},{token}",
        "JSON": json.dumps({"payload": body, "protected": head, "signature": signature}),
        "the wrong secret": forge(secret=OTHER),
        "the end of a line": f"{head}\t.{body}.{signature}",
        "the longest": f"{head}.{'A' * 8000}.{signature}",
    }


@pytest.mark.parametrize("name", sorted(mangled()))
async def test_mangled_tokens_are_refused(name):
    assert await told(make_bearer(), mangled()[name]) == INVALID


@pytest.mark.parametrize(
    ("claims", "id", "scopes"),
    [
        ({"scope": ""}, "ada", set()),
        ({"scope": " a  b "}, "ada", {"a", "b"}),
        ({"scope": ["a", "b c"]}, "ada", {"a", "b c"}),
        ({"aud": ["else", "notes"]}, "ada", set()),
        ({"exp": NOW + 0.5, "nbf": NOW - 0.5, "iat": NOW}, "ada", set()),
        ({"exp": 2**63}, "ada", set()),
        ({"exp": 1e300}, "ada", set()),
        ({"sub": "é 名"}, "é 名", set()),
        ({"a": [[[[[[[]]]]]]]}, "ada", set()),
    ],
)
async def test_right_claims_in_other_forms(claims, id, scopes):
    principal = await make_bearer().authenticate(bearing(forge(**claims)))

    assert (principal.id, principal.scopes) == (id, scopes)


async def test_options_say_what_is_asked_of_claims():
    bearer = make_bearer(
        audience=None, issuer=("a", "b"), require_exp=False, subject="client_id", scopes="scp"
    )
    token = forge({"iss": "b", "client_id": "robot", "scp": ["read"]})

    principal = await bearer.authenticate(bearing(token))

    assert (principal.id, principal.scopes) == ("robot", {"read"})
    assert await told(bearer, forge({"iss": "c", "client_id": "robot"})) == INVALID
    assert await told(bearer, forge({"iss": "b", "client_id": "robot", "aud": 1})) == INVALID


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
async def test_the_type_is_compared_as_a_media_type(typ):
    bearer = make_bearer(typ="at+jwt")

    assert await bearer.authenticate(bearing(forge(header={"alg": "HS256", "typ": typ})))
    assert await told(bearer, forge(header={"alg": "HS256", "typ": "JWT"})) == INVALID
    assert await told(bearer, forge(header={"alg": "HS256"})) == INVALID


async def test_a_principal_of_ones_own():
    class Owner(JWTBearer):
        def make_principal(self, id, scopes, claims):
            return Principal(f"{claims['tenant']}/{id}", scopes, claims, self.name)

    bearer = Owner(SECRET, "HS256", audience="notes", issuer="https://issuer", clock=SetClock())

    assert (await bearer.authenticate(bearing(forge(tenant="t1")))).id == "t1/ada"


async def test_keys_by_name():
    keys = {"a": JWTKey.generate("ES256"), "b": JWTKey.generate("EdDSA")}
    bearer = make_bearer(keys=keys)

    def signed(key, **header):
        text = f"{encode({'alg': key.algorithm, **header})}.{encode(CLAIMS)}"
        return f"{text}.{encode(key.sign(text.encode()))}"

    for kid, key in keys.items():
        assert await bearer.authenticate(bearing(signed(key, kid=kid)))
        assert await bearer.authenticate(bearing(signed(key)))  # one key has this algorithm
        assert await told(bearer, signed(key, kid="c")) == INVALID
    assert await told(bearer, signed(keys["a"], kid="b")) == INVALID
    assert await told(bearer, signed(JWTKey.generate("ES256"), kid="a")) == INVALID


async def test_without_a_name_nothing_is_tried_out():
    bearer = make_bearer(keys={"a": JWTKey(SECRET, "HS256"), "b": JWTKey(OTHER, "HS256")})

    assert await bearer.authenticate(bearing(forge(header={"alg": "HS256", "kid": "a"})))
    assert await told(bearer, forge()) == INVALID
    assert await told(bearer, forge(header={"alg": "HS256", "kid": "b"})) == INVALID


async def test_a_public_key_is_no_secret_for_its_tokens():
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = JWTKey.generate("RS256")
    bearer = make_bearer(keys=[private])
    public = private._verifying
    for form in (Encoding.PEM, Encoding.DER):
        secret = public.public_bytes(form, PublicFormat.SubjectPublicKeyInfo)
        assert await told(bearer, forge(secret=secret)) == INVALID
        with pytest.raises(ImproperlyConfigured, match="anybody could sign"):
            JWTKey(secret, "HS256")


@pytest.mark.parametrize("leeway", [0, 30, 0.25])
async def test_a_hit_gives_what_a_full_verification_gives(leeway):
    """The cached and the uncached authenticator agree at every moment around the limits."""
    clock = SetClock()
    cached = make_bearer(clock=clock, leeway=leeway)
    tokens = [
        forge(),
        forge(exp=NOW + 0.5),
        forge(nbf=NOW + 10, iat=NOW - 10),
        forge(iat=NOW + 10.5, exp=NOW + 11),
        forge(exp=NOW - 5),
        forge(exp=2**64 - 1, nbf=-1e18),
    ]
    limits = [NOW - 5, NOW, NOW + 0.5, NOW + 10, NOW + 10.5, NOW + 11, NOW + 60]
    moments = [limit + shift for limit in limits for shift in (-1e-6, 0, 1e-6)]
    moments += [moment + sign * leeway for moment in moments for sign in (1, -1)]

    for now in [*moments, *reversed(moments)]:
        clock.now = now
        full = make_bearer(clock=clock, leeway=leeway, cache=0)
        for token in tokens:
            assert await answer(cached, token) == await answer(full, token), (now, token)


async def answer(bearer, token):
    """Return what *token* brings its caller."""
    try:
        return await bearer.authenticate(bearing(token))
    except Unauthorized as exc:
        return exc.error


async def test_an_expired_token_may_be_told():
    clock = SetClock()
    bearer = make_bearer(clock=clock)
    token = forge()
    assert await bearer.authenticate(bearing(token))

    clock.now = NOW + 90

    assert await told(bearer, token) == EXPIRED
    assert await told(bearer, forge(aud="else")) == INVALID
    assert await told(bearer, forge(secret=OTHER)) == INVALID


async def test_verified_tokens_are_kept_by_digest_and_bounded():
    bearer = make_bearer(cache=2)
    tokens = [forge(jti=str(number)) for number in range(4)]
    first = [await bearer.authenticate(bearing(token)) for token in tokens]

    again = [await bearer.authenticate(bearing(token)) for token in reversed(tokens)]

    assert [one is other for one, other in zip(first[2:], reversed(again[:2]), strict=True)] == [
        True,
        True,
    ]
    assert len(bearer._verified) == 2
    assert all(len(digest) == 32 for digest in bearer._verified)
    assert not any(token in repr(bearer._verified) for token in tokens)


async def test_a_known_token_that_comes_twice_is_refused():
    bearer = make_bearer()
    value = f"Bearer {forge()}"
    assert await bearer.authenticate(request_with(value))

    with pytest.raises(Unauthorized, match="more than one"):
        await bearer.authenticate(request_with(value, value))
    with pytest.raises(Unauthorized, match="more than one"):
        await bearer.authenticate(request_with(value, "Basic YTpi"))


async def test_no_wrong_token_is_kept():
    bearer = make_bearer()

    for token in (forge(secret=OTHER), forge(exp=0), forge(aud="else")):
        await told(bearer, token)

    assert bearer._verified == {}


async def test_what_is_kept_cannot_be_changed():
    principal = await make_bearer().authenticate(bearing(forge(roles=["a"], address={"city": "x"})))

    for change in (
        lambda: principal.claims.update(sub="root"),
        lambda: principal.claims["address"].update(city="y"),
        lambda: principal.claims["roles"].append("admin"),
    ):
        with pytest.raises(AttributeError):
            change()


def answer_at_once(bearer, request):
    """Return what *request* gets; `...` where that is neither a caller, nor none, nor a 401."""
    with contextlib.closing(bearer.authenticate(request)) as called:
        try:
            called.send(None)
        except StopIteration as done:
            found = done.value
        except Unauthorized as exc:
            return exc.error
        else:
            return ...  # it waits
    return found if found is None or isinstance(found, Principal) else ...


PARTS = st.one_of(
    st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
    st.text(max_size=40),
    st.sampled_from(forge().split(".")),
)
VALUES = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")),
    st.lists(PARTS, max_size=6).map(lambda parts: f"Bearer {'.'.join(parts)}"),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
        lambda inner: st.one_of(
            st.lists(inner), st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "scope"]), inner)
        ),
        max_leaves=8,
    ).map(lambda value: f"Bearer {forge(json.dumps(value).encode())}"),
)


@given(values=st.lists(VALUES, min_size=1, max_size=2))
@settings(max_examples=150, database=None)
def test_whatever_stands_in_the_header_is_a_caller_none_or_a_401(values):
    bearer = make_bearer()

    assert answer_at_once(bearer, request_with(*values)) is not ...


WRONG_OPTIONS = {
    "no key": ({"key": None, "algorithm": None}, "got no key; expected one of key="),
    "two keys": ({"jwks": "https://a/", "key": SECRET}, "got key and jwks"),
    "no audience": ({"audience": "..."}, "audience is not said"),
    "an empty audience": ({"audience": ()}, r"audience=\(\); expected"),
    "an empty issuer": ({"issuer": ""}, "issuer=''; expected"),
    "a leeway below 0": ({"leeway": -1}, "leeway=-1; expected"),
    "an endless leeway": ({"leeway": float("inf")}, "leeway=inf; expected"),
    "a cache below 0": ({"cache": -1}, "cache=-1; expected"),
    "no keys": ({"keys": ()}, "keys= has no JWTKey"),
    "a key in the place of keys": ({"keys": [SECRET]}, "keys= has no JWTKey"),
    "keys of two sorts": (
        {"keys": {"a": JWTKey(SECRET, "HS256"), "b": JWTKey.generate("ES256")}},
        "mixes secrets and public keys",
    ),
    "keys without names": (
        {"keys": [JWTKey(SECRET, "HS256"), JWTKey(OTHER, "HS256")]},
        "several keys of one kid, or several without; expected a kid for each",
    ),
    "a weak key": ({"key": b"short"}, "the secret has 5 bytes; expected 32 or more"),
}


@pytest.mark.parametrize("name", sorted(WRONG_OPTIONS))
def test_options_without_a_meaning_are_refused_at_once(name):
    options, problem = WRONG_OPTIONS[name]
    options = {"key": SECRET, "algorithm": "HS256", "audience": "a", "issuer": "b"} | options
    if "keys" in options:
        del options["key"]
    if options["audience"] == "...":
        del options["audience"]

    with pytest.raises(ImproperlyConfigured, match=problem):
        JWTBearer(**options)


LIBRARIES = {"jwt", "cryptography", "argon2"}


@pytest.mark.parametrize("name", sorted(name for name in MODULES if "access" in name))
def test_importing_access_imports_no_cryptography(name):
    imports = [node for node in tree_of(name).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names}
    names |= {node.module for node in imports if isinstance(node, ast.ImportFrom)}

    assert not {str(each).partition(".")[0] for each in names} & LIBRARIES
