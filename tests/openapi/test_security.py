"""Security in the three versions: schemes, requirements, and what an older one cannot say."""

from __future__ import annotations

from typing import ClassVar

import pytest

from msframework.access import AnyScope, Authenticated, AuthenticatedBy, Authenticator, Scopes
from msframework.access.policy import build_access
from tests.access.document_table import DocumentedAccess, read_document

BEARER = {"type": "http", "scheme": "bearer"}
CERTIFICATE = {"type": "mutualTLS"}
LOGIN = {"type": "openIdConnect", "openIdConnectUrl": "https://example.org/openid"}


def access_of(document, path="/things", method="get"):
    found = document["paths"][path][method]
    return {word: found[word] for word in ("security", "x-security") if word in found}


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_all_of_an_alternative_and_any_of_several(operation, document, version):
    schemes = {
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "login": {"type": "http", "scheme": "basic"},
    }
    needs = ({"key": (), "login": ()}, {"login": ()}, {})

    found = document(operation(security=needs), security_schemes=schemes, version=version)

    assert access_of(found) == {"security": [{"key": [], "login": []}, {"login": []}, {}]}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("3.1", {"security": [{"token": ["a", "b"]}, {"token": ["c"]}]}),
        ("3.0", {"security": [{"token": []}]}),
        ("2.0", {"security": [{"token": []}]}),
    ],
)
def test_scopes_of_what_is_no_oauth_are_told_aside_before_3_1(
    operation, document, version, expected
):
    one = operation(security=({"token": ("a", "b")}, {"token": ("c",)}))

    found = document(one, security_schemes={"token": BEARER}, version=version)

    aside = [{"token": ["a", "b"]}, {"token": ["c"]}]
    assert access_of(found) == (expected if version == "3.1" else {**expected, "x-security": aside})


@pytest.mark.parametrize(("version", "scoped"), [("3.1", ["a"]), ("3.0", ["a"]), ("2.0", [])])
def test_scopes_of_openid_connect(operation, document, version, scoped):
    one = operation(security=({"login": ("a",)},))

    found = document(one, security_schemes={"login": LOGIN}, version=version)

    assert access_of(found)["security"] == [{"login": scoped}]
    assert access_of(found).get("x-security", [{"login": ["a"]}]) == [{"login": ["a"]}]


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
@pytest.mark.parametrize(
    "needs",
    [
        ({"certificate": ()},),
        ({"certificate": (), "token": ()},),
        ({"certificate": ()}, {"token": ()}),
    ],
    ids=["alone", "and", "or"],
)
def test_a_scheme_that_a_version_has_no_word_for_keeps_its_place(
    operation, document, version, needs
):
    schemes = {"certificate": CERTIFICATE, "token": BEARER}

    found = document(operation(security=needs), security_schemes=schemes, version=version)

    assert access_of(found) == {"security": [{name: [] for name in need} for need in needs]}


def test_a_certificate_in_3_0_is_a_scheme_that_no_tool_has(operation, document):
    found = document(operation(), security_schemes={"one": CERTIFICATE}, version="3.0")

    (scheme,) = found["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "mutualTLS")
    assert scheme["x-type"] == "mutualTLS"
    assert "no header" in scheme["description"]


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_who_enforces_a_scheme_is_said_in_each_version(operation, document, version):
    scheme = {**BEARER, "x-enforced-by": "gateway"}

    found = document(operation(), security_schemes={"one": scheme}, version=version)

    schemes = found.get("securityDefinitions") or found["components"]["securitySchemes"]
    assert schemes["one"]["x-enforced-by"] == "gateway"


class Token(Authenticator):
    scheme: ClassVar = BEARER
    challenge = 'Bearer realm="api"'


class Key(Authenticator):
    scheme: ClassVar = {"type": "apiKey", "in": "header", "name": "X-Key"}
    challenge = 'ApiKey realm="api"'


@pytest.fixture
def guarded(operation):
    """Make an operation from its guards, in a service with two authenticators and an idle one."""
    told = {"token": Token(), "key": Key(), "idle": Key()}
    for name, authenticator in told.items():
        authenticator.name = name

    def make(*guards, method="GET", path="/things", **facts):
        if guards:
            guards = (*guards, AuthenticatedBy("token", "key"))
        access = build_access(guards, method, told, **facts)
        name = f"{method}_{path.strip('/')}".lower()
        return operation(method, path, id=name, access=access, security=access.requirements)

    return make


def test_authenticators_that_are_asked_for_are_the_schemes(guarded, operation, document):
    found = document(guarded(Authenticated()), operation("POST"))

    assert found["components"]["securitySchemes"] == {"token": BEARER, "key": Key.scheme}
    assert access_of(found) == {"security": [{"token": []}, {"key": []}]}
    assert access_of(found, method="post") == {"security": []}


def test_a_gateways_scheme_stands_beside_them(guarded, document):
    gateway = {**BEARER, "x-enforced-by": "gateway"}

    found = document(guarded(Authenticated()), security_schemes={"gateway": gateway})

    assert list(found["components"]["securitySchemes"]) == ["token", "key", "gateway"]


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_a_401_shows_every_challenge(guarded, document, version):
    found = document(guarded(Authenticated()), version=version)

    header = found["paths"]["/things"]["get"]["responses"]["401"]["headers"]["WWW-Authenticate"]
    shown = header["x-example" if version == "2.0" else "example"]
    assert shown == 'Bearer realm="api", ApiKey realm="api"'


def test_a_403_shows_the_scopes_that_a_token_needs(guarded, document):
    found = document(guarded(Scopes("a", "b")), guarded(Authenticated() & ~Scopes("c"), path="/no"))

    answers = found["paths"]["/things"]["get"]["responses"]
    header = resolve(found, answers["403"])["headers"]["WWW-Authenticate"]
    assert header["description"] == "The scopes that a token needs, where it lacks some."
    assert header["example"] == 'Bearer realm="api", error="insufficient_scope", scope="a b"'
    other = resolve(found, found["paths"]["/no"]["get"]["responses"]["403"])
    assert "WWW-Authenticate" not in other["headers"]


def resolve(found, answer):
    """Return *answer*, or the component that it refers to."""
    if "$ref" not in answer:
        return answer
    return found["components"]["responses"][answer["$ref"].rpartition("/")[2]]


def test_operations_that_are_asked_alike_share_one_answer(guarded, document):
    one, other = guarded(Authenticated()), guarded(Scopes("a"), method="POST")
    third = guarded(AuthenticatedBy("key"), method="PUT")

    found = document(one, other, third)

    item = found["paths"]["/things"]
    assert item["get"]["responses"]["401"] == {"$ref": "#/components/responses/Unauthorized"}
    assert item["post"]["responses"]["401"] == item["get"]["responses"]["401"]
    assert item["put"]["responses"]["401"]["headers"]["WWW-Authenticate"]["example"] == (
        'ApiKey realm="api"'
    )


OF_BOTH = ({"token": ()}, {"key": ()})
TABLE = {
    "/known": ((Authenticated(),), {}, OF_BOTH, {401}),
    "/scoped": ((Scopes("a", "b"),), {}, ({"token": ("a", "b")}, {"key": ("a", "b")}), {401, 403}),
    "/any": (
        (AnyScope("a", "b") & AuthenticatedBy("token"),),
        {},
        ({"token": ("a",)}, {"token": ("b",)}),
        {401, 403},
    ),
    "/public": ((), {"is_public": True}, (), {401}),
    "/optional": (
        (),
        {"is_public": True, "takes_principal": True},
        (*OF_BOTH, {"idle": ()}, {}),
        {401},
    ),
    "/open": ((), {}, (), set()),
}


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_each_version_tells_the_same_of_access(guarded, document, version):
    operations = [
        guarded(*guards, path=path, **facts) for path, (guards, facts, *_) in TABLE.items()
    ]

    found = read_document(document(*operations, version=version))

    assert found == {
        ("GET", path): DocumentedAccess(needs, frozenset(promised))
        for path, (_, _, needs, promised) in TABLE.items()
    }
    assert [row.needs_credentials for row in found.values()] == [True] * 3 + [False] * 3
    assert found["GET", "/any"].scopes == {frozenset("a"), frozenset("b")}
    assert found["GET", "/known"].schemes == {"token", "key"}
