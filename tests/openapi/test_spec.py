"""The document as a whole."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import ClassVar

import pytest
from marshmallow import Schema, fields
from openapi_spec_validator import validate

from msframework.access import Authenticator
from msframework.conf.settings import OpenAPISettings, Settings
from msframework.envelope import Bare
from msframework.exceptions import Conflict, ImproperlyConfigured
from msframework.openapi.spec import build_document
from msframework.operation import Answer, Failure, Input, Source
from msframework.pagination import Pages

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "openapi.md"
EXAMPLE_STATUSES = ("201", "400", "401", "403", "408", "409", "413", "415", "422", "500", "503")
INFO = {
    "version": "2.1.0",
    "title": "Users",
    "description": "All users.",
    "termsOfService": "https://example.org/terms",
    "contact_email": "team@example.org",
}


class UserSchema(Schema):
    id = fields.Integer(dump_only=True)
    name = fields.String(required=True)
    boss = fields.Nested(lambda: UserSchema(), allow_none=True)


@pytest.fixture
def everything(operation):
    """The operations of a service that uses all there is."""
    body = Input(Source.BODY, UserSchema())
    return [
        operation(answers=(Answer(200, UserSchema(many=True)),), page=Pages(), id="list"),
        operation("POST", inputs=(body,), answers=(Answer(201, UserSchema()),), id="create"),
        operation(
            "PATCH",
            "/things/<id:int>",
            id="change",
            inputs=(
                Input(Source.BODY, UserSchema(), partial=True),
                Input(Source.HEADERS, UserSchema(only=("name",))),
                Input(Source.COOKIES, UserSchema(only=("name",))),
            ),
            failures=(Failure(Conflict),),
            security=({"key": ()}, {"login": ("users:write",)}),
            deprecated=True,
        ),
        operation("DELETE", "/things/<id:int>", answers=(Answer(204),), id="remove"),
        operation("HEAD", id="head"),
        operation("OPTIONS", id="options"),
    ]


SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "login": {
        "type": "oauth2",
        "flows": {
            "authorizationCode": {
                "authorizationUrl": "https://login.example.org/authorize",
                "tokenUrl": "https://login.example.org/token",
                "scopes": {"users:write": "Change users"},
            }
        },
    },
}


@pytest.mark.parametrize(
    ("version", "word", "number"),
    [("3.1", "openapi", "3.1.0"), ("3.0", "openapi", "3.0.3"), ("2.0", "swagger", "2.0")],
)
def test_each_version_is_valid_by_its_own_rules(everything, document, version, word, number):
    found = document(*everything, version=version, security_schemes=SCHEMES, info=INFO)

    assert found[word] == number
    assert next(iter(found)) == word
    assert json.loads(json.dumps(found)) == found


def test_the_newest_version_is_the_default(operation, document):
    assert document(operation())["openapi"] == "3.1.0"


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_settings_tell_of_the_service(operation, document, version):
    assert document(operation(), version=version, info=INFO)["info"] == {
        "version": "2.1.0",
        "title": "Users",
        "description": "All users.",
        "termsOfService": "https://example.org/terms",
        "contact": {"email": "team@example.org"},
    }


def test_without_settings_the_service_has_its_name_and_a_version(operation, document):
    assert document(operation())["info"] == {"title": "things", "version": "1.0.0"}


def test_head_and_options_are_left_out(everything, document):
    found = document(*everything, security_schemes=SCHEMES)

    assert {path: list(item) for path, item in found["paths"].items()} == {
        "/things": ["get", "post"],
        "/things/{id}": ["patch", "delete"],
    }


def test_the_methods_of_a_path_come_in_one_order(operation, document):
    operations = [
        operation("DELETE", "/z"),
        operation("POST", "/a"),
        operation("GET", "/z"),
        operation("PUT", "/z", answers=(Answer(200),)),
    ]

    found = document(*operations)

    assert [(path, list(item)) for path, item in found["paths"].items()] == [
        ("/z", ["get", "put", "delete"]),
        ("/a", ["post"]),
    ]


def test_an_envelope_that_cannot_be_documented_is_refused(operation):
    class Odd:
        def document_data(self, data):
            return data or {}

    with pytest.raises(ImproperlyConfigured, match="it has no document_page, document_error"):
        build_document([operation(envelope=Odd())], Settings())


def test_an_operation_says_of_itself_what_was_noted(operation, document):
    one = operation(
        id="list_things",
        summary="List things",
        description="List things.\n\nAll of them.",
        tags=("things", "lists"),
        deprecated=True,
    )

    found = document(one)

    said = {key: v for key, v in found["paths"]["/things"]["get"].items() if key != "responses"}
    assert said == {
        "operationId": "list_things",
        "tags": ["things", "lists"],
        "summary": "List things",
        "description": "All of them.",
        "deprecated": True,
    }
    assert found["tags"] == [{"name": "things"}, {"name": "lists"}]


def test_the_blueprint_is_the_tag_of_an_operation_without_one(operation, document):
    found = document(operation(blueprint="users"), operation("POST", blueprint=""))

    assert found["paths"]["/things"]["get"]["tags"] == ["users"]
    assert "tags" not in found["paths"]["/things"]["post"]
    assert found["tags"] == [{"name": "users"}]


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_tags_are_described_by_their_blueprint_or_by_settings(operation, document, version):
    operations = [
        operation(blueprint="users", blueprint_description="Who they are."),
        operation("POST", blueprint="roles", blueprint_description="What they are."),
        operation("PUT", tags=("more",)),
    ]
    more = {"description": "Else.", "externalDocs": {"url": "https://example.org/more"}}
    info = {"tags": {"roles": "What they may do.", "more": more, "unused": "-"}}

    found = document(*operations, info=info, version=version)

    assert {tag.pop("name"): tag for tag in found["tags"]} == {
        "users": {"description": "Who they are."},
        "roles": {"description": "What they may do."},
        "more": more,
    }


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_settings_tell_of_licence_contact_and_further_documents(operation, document, version):
    info = {
        "contact": {"name": "The team", "url": "https://example.org/team"},
        "contact_email": "team@example.org",
        "license": {"name": "MIT", "url": "https://example.org/mit"},
        "externalDocs": {"url": "https://example.org/docs", "description": "The handbook."},
    }

    found = document(operation(), info=info, version=version)

    assert found["info"]["contact"] == {**info["contact"], "email": "team@example.org"}
    assert found["info"]["license"] == info["license"]
    assert found["externalDocs"] == info["externalDocs"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://a.example", "https://a.example/api"),
        ("https://a.example/", "https://a.example/api"),
        ("https://a.example/api", "https://a.example/api"),
        ("https://a.example/behind", "https://a.example/behind/api"),
        ("/", "/api"),
    ],
)
def test_servers_of_the_settings_have_the_path_prefix(operation, document, given, shown):
    info = {"servers": [{"url": given, "description": "Here."}]}

    found = document(operation(path="/api/things"), prefix="/api", info=info)

    assert found["servers"] == [{"url": shown, "description": "Here."}]


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"contact": "team"}, "SWAGGER: contact is 'team'; expected a dict with name, url, email."),
        ({"license": {"url": "https://a"}}, "SWAGGER: license has no name. Add it."),
        (
            {"license": {"name": "MIT", "url": "https://a", "identifier": "MIT"}},
            "SWAGGER: license has both identifier and url; OpenAPI takes one. Drop one of them.",
        ),
        ({"externalDocs": {}}, "SWAGGER: externalDocs has no url. Add it."),
        ({"servers": "https://a"}, "SWAGGER: servers is 'https://a'; expected a list such as"),
        ({"servers": [{"uri": "/"}]}, "SWAGGER: servers[0] has no url. Add it."),
        ({"tags": ["users"]}, "SWAGGER: tags is ['users']; expected a dict such as"),
        ({"tags": {"users": {"x": 1}}}, "SWAGGER: tags['users'] has the unknown key 'x'."),
        ({"title": 3}, "SWAGGER: title is 3; expected a text."),
    ],
)
def test_what_is_wrong_with_swagger_is_said(operation, info, said):
    with pytest.raises(ImproperlyConfigured) as refused:
        build_document([operation()], Settings(openapi=OpenAPISettings(info=info)))

    assert any(problem.startswith(said) for problem in refused.value.problems)


def test_a_description_of_its_own_stays_whole(operation, document):
    found = document(operation(summary="List things", description="Every thing there is."))

    assert found["paths"]["/things"]["get"]["description"] == "Every thing there is."


@pytest.mark.parametrize(
    ("id", "summary"),
    [
        ("users_roles_create", "Create roles"),
        ("users_delete", "Delete users"),
        ("users_list_by_name", "List by name"),
        ("others_log_in", "Others log in"),
    ],
    ids=["nouns", "tag", "other", "foreign"],
)
def test_an_operation_without_a_text_has_a_summary_from_its_id(operation, document, id, summary):
    made = document(operation(id=id, blueprint="users"))

    assert made["paths"]["/things"]["get"]["summary"] == summary


def test_what_an_envelope_leaves_out_is_no_component(operation, document):
    class Curt(Bare):
        def document_error(self, error):
            return {"type": "object"}

    body = Input(Source.BODY, UserSchema())
    made = document(operation("POST", inputs=(body,), envelope=Curt()))

    schemas = made["components"]["schemas"]
    assert [name for name in schemas if f'/{name}"' not in json.dumps(made)] == []
    assert "Messages" not in schemas


def test_security_is_described_and_asked_for(everything, document):
    found = document(*everything, security_schemes=SCHEMES)

    assert found["components"]["securitySchemes"] == SCHEMES
    assert found["paths"]["/things/{id}"]["patch"]["security"] == [
        {"key": []},
        {"login": ["users:write"]},
    ]
    assert found["paths"]["/things"]["get"]["security"] == []
    assert "security" not in found


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_a_service_without_credentials_says_that_it_is_open(operation, document, version):
    found = document(operation(), version=version)

    assert found["security"] == []
    assert "security" not in found["paths"]["/things"]["get"]


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_public_operations_of_a_service_with_credentials_say_so(operation, document, version):
    operations = [operation(security=({"key": ()},)), operation("POST")]

    found = document(*operations, security_schemes=SCHEMES, version=version)["paths"]["/things"]

    assert (found["get"]["security"], found["post"]["security"]) == ([{"key": []}], [])


@pytest.mark.parametrize(
    ("path", "shown", "servers"),
    [
        ("/api/things", "/things", [{"url": "/api"}]),
        ("/apis", "/apis", [{"url": "/"}]),
        ("/api/", "/", [{"url": "/api"}]),
    ],
)
def test_a_path_prefix_is_the_address_of_the_server(operation, document, path, shown, servers):
    found = document(operation(path=path), prefix="/api")

    assert list(found["paths"]) == [shown]
    assert found.get("servers") == servers


def test_a_prefix_is_the_base_path_of_swagger_2(operation, document):
    found = document(operation(path="/api/things"), prefix="/api/", version="2.0")

    assert found["basePath"] == "/api"
    assert list(found["paths"]) == ["/things"]


def test_all_mistakes_are_told_together(operation):
    settings = Settings(openapi=OpenAPISettings(version="4.0", info={"name": "x"}))
    one = operation(security=({"key": ()}, {"key": ()}))

    with pytest.raises(ImproperlyConfigured) as refused:
        build_document([one, operation()], settings)

    version, info, scheme = refused.value.problems
    assert version == "OPENAPI_VERSION is '4.0'. Set it to one of 3.1, 3.0, 2.0."
    assert info.startswith("SWAGGER has the unknown key 'name'. It may hold version, title,")
    assert scheme.startswith("apps/things.py:7 get_7: @doc.security names the scheme 'key', which")


def test_the_document_is_the_same_every_time(everything, document):
    first = document(*everything, security_schemes=SCHEMES)
    second = document(*everything, security_schemes=SCHEMES)

    assert json.dumps(first) == json.dumps(second)


def test_a_service_without_operations_has_a_document(document):
    assert document()["paths"] == {}


def test_a_scheme_that_json_cannot_hold_is_left_out(operation):
    settings = Settings(openapi=OpenAPISettings(security_schemes={"odd": {"type": object()}}))

    found = build_document([operation()], settings)

    validate(found)
    assert "securitySchemes" not in found["components"]


class Token(Authenticator):
    scheme: ClassVar = {"type": "http", "scheme": "bearer"}

    async def authenticate(self, request): ...


def test_the_example_of_the_docs_is_described_as_they_say(make_service):
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    service = make_service()
    service.authenticate("token", Token())
    service.blueprint(names["ships"])

    found = build_document(service.operations, service.settings)

    validate(found)
    (item,) = found["paths"].values()
    assert set(item["post"]["responses"]) == set(EXAMPLE_STATUSES)
    assert {"Ship", "ShipIn", "Error", "InvalidInput"} <= set(found["components"]["schemas"])
