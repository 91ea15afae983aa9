"""Security in the three versions: schemes, requirements, and what an older one cannot say."""

from __future__ import annotations

import pytest

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
