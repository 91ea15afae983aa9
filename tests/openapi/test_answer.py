"""What a document says that an operation answers."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from marshmallow import Schema, fields
from openapi_schema_validator import OAS30Validator, OAS31Validator

from msframework.envelope import Bare, DefaultEnvelope, ErrorFacts, ProblemDetails
from msframework.exceptions import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    ServiceException,
    ServiceUnavailable,
    UnprocessableEntity,
)
from msframework.operation import Answer, Failure, Input, Source
from msframework.pagination import Pages


class ThingSchema(Schema):
    name = fields.String(required=True)


class AllOptional(Schema):
    name = fields.String(data_key="theName")


class NoFields(Schema):
    """Reads nothing, and refuses all keys."""


class EmailTaken(Conflict):
    code = 12003
    message = "This e-mail address is taken"


class NameTaken(Conflict):
    code = "name-taken"


class Odd(ServiceException):
    status_code = 499
    message = "Odd"


def responses_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the responses of the one operation, shared ones in their place."""
    ((_, item),) = document["paths"].items()
    ((_, operation),) = item.items()
    return {status: resolve(document, answer) for status, answer in operation["responses"].items()}


def resolve(document: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in answer:
        return answer
    return document["components"]["responses"][answer["$ref"].rpartition("/")[2]]


def media_of(answer: dict[str, Any]) -> dict[str, Any]:
    (media,) = answer["content"].values()
    return media


def is_valid(document: dict[str, Any], schema: dict[str, Any], value: Any) -> bool:
    kind = OAS31Validator if document["openapi"].startswith("3.1") else OAS30Validator
    return kind({**schema, "components": document["components"]}).is_valid(value)


@pytest.mark.parametrize("envelope", [DefaultEnvelope(), Bare(), ProblemDetails(), None])
@pytest.mark.parametrize("version", ["3.1", "3.0"])
def test_what_is_sent_is_what_is_described(operation, document, envelope, version):
    shown = envelope or DefaultEnvelope()
    one = operation(answers=(Answer(200, ThingSchema()),), envelope=envelope)
    found = document(one, version=version)
    schema = media_of(responses_of(found)["200"])["schema"]
    before, after = shown.around_data()

    sent = before + b'{"name":"x"}' + after

    assert is_valid(found, schema, json.loads(sent))
    assert not is_valid(found, schema, {"code": 0, "data": {"name": 1}})


@pytest.mark.parametrize("envelope", [DefaultEnvelope(), Bare(), ProblemDetails()])
@pytest.mark.parametrize("total", [True, False])
def test_a_page_is_described_with_its_numbers(operation, document, envelope, total):
    one = operation(
        answers=(Answer(200, ThingSchema(many=True)), Answer(202, ThingSchema())),
        page=Pages(total=total),
        envelope=envelope,
    )
    found = document(one)
    schema = media_of(responses_of(found)["200"])["schema"]
    numbers = {"page": 1, "per_page": 20} | ({"total": 0, "pages": 0} if total else {})
    body = {"code": 0, "data": [{"name": "x"}], "pagination": numbers}

    assert is_valid(found, schema, body)
    assert not is_valid(found, schema, body | {"pagination": {"page": 1}})
    assert not is_valid(found, schema, body | {"data": {"name": "x"}})
    assert "pagination" not in str(media_of(responses_of(found)["202"])["schema"])


def test_a_page_of_whatever_is_a_list_all_the_same(operation, document):
    schema = media_of(responses_of(document(operation(page=Pages())))["200"])["schema"]

    assert schema["properties"]["data"] == {"type": "array", "items": {}}


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_has_no_content(operation, document, status):
    found = responses_of(document(operation(answers=(Answer(status),))))

    assert "content" not in found[str(status)]


def test_an_answer_that_nothing_is_said_of_may_hold_anything(operation, document):
    schema = media_of(responses_of(document(operation()))["200"])["schema"]

    assert schema["properties"]["data"] == {}


def test_several_answers_stand_by_their_status(operation, document):
    answers = (Answer(201, ThingSchema(), "It is made."), Answer(202), Answer(299))

    found = responses_of(document(operation("POST", answers=answers)))

    assert {status: found[status]["description"] for status in ("201", "202", "299")} == {
        "201": "It is made.",
        "202": "Accepted",
        "299": "Status 299",
    }


@pytest.mark.parametrize(
    ("facts", "statuses"),
    [
        ({}, set()),
        ({"path": "/things/<id:int>"}, {"404"}),
        ({"path": "/things/<name>"}, {"404", "422"}),
        ({"page": Pages()}, {"422"}),
        ({"inputs": (Input(Source.QUERY, ThingSchema()),)}, {"422"}),
        (
            {"method": "POST", "inputs": (Input(Source.BODY, ThingSchema()),)},
            {"408", "413", "415", "422"},
        ),
        (
            {"method": "POST", "inputs": (Input(Source.FORM, ThingSchema()),)},
            {"408", "413", "415", "422"},
        ),
        ({"failures": (Failure(EmailTaken), Failure(Odd))}, {"409", "499"}),
    ],
)
def test_every_status_is_described(operation, document, facts, statuses):
    found = responses_of(document(operation(**facts)))

    every = {"400", "500", "503"}
    assert set(found) - {"200"} == every | statuses
    assert list(found)[1:] == sorted(every | statuses)


def test_what_needs_credentials_may_refuse_them(operation, document):
    one = operation(security=({"key": ()},))

    found = document(one, security_schemes={"key": {"type": "apiKey", "in": "header", "name": "K"}})

    assert {"401", "403"} <= set(responses_of(found))


def test_failures_of_one_status_share_it_each_with_its_code(operation, document):
    failures = (
        Failure(EmailTaken, "users_email", "The address belongs to somebody else"),
        Failure(NameTaken),
        Failure(EmailTaken, "users_other"),
    )

    found = responses_of(document(operation(failures=failures)))["409"]

    assert found["description"] == (
        "The address belongs to somebody else. Conflict. This e-mail address is taken."
    )
    assert {name: shown["value"] for name, shown in media_of(found)["examples"].items()} == {
        "EmailTaken": {"code": 12003, "message": "This e-mail address is taken"},
        "NameTaken": {"code": "name-taken", "message": "Conflict"},
    }


def test_failures_of_one_name_are_told_apart_by_their_codes(operation, document):
    own = type("Forbidden", (Forbidden,), {"code": 12007, "message": "Not on Sundays"})
    one = operation(failures=(Failure(own), Failure(Forbidden)))

    examples = media_of(responses_of(document(one))["403"])["examples"]

    assert {name: shown["value"]["code"] for name, shown in examples.items()} == {
        "Forbidden": 12007,
        "Forbidden_100403": 100403,
    }


@pytest.mark.parametrize("version", ["3.1", "3.0", "2.0"])
def test_no_name_of_a_failure_is_numbered(operation, document, version):
    key = {"key": {"type": "apiKey", "in": "header", "name": "K"}}
    said = ("", "Only the owner may.", "Only admins may.")
    operations = [
        operation(
            path=f"/things/{number}/<id:int>",
            failures=(Failure(Forbidden, description=said[number % 3]), Failure(NotFound)),
            security=({"key": ()},),
            id=f"read_{number}",
        )
        for number in range(6)
    ]

    found = document(*operations, security_schemes=key, version=version)

    components = found["responses"] if version == "2.0" else found["components"]["responses"]
    assert "Forbidden" in components
    assert not [name for name in components if name[-1].isdigit()]


def test_a_service_says_integer_where_all_of_its_codes_are(operation, document):
    whole = operation(failures=(Failure(EmailTaken),))
    named = operation("POST", failures=(Failure(NameTaken),))

    def code_of(*operations):
        return document(*operations)["components"]["schemas"]["Error"]["properties"]["code"]

    assert code_of(whole) == {"type": "integer"}
    assert code_of(whole, named) == {"anyOf": [{"type": "integer"}, {"type": "string"}]}


def test_failures_name_the_headers_that_they_come_with(operation, document):
    class Slow(ServiceException):
        status_code = 429
        headers: ClassVar = {"X-Limit": "5"}

    key = {"key": {"type": "apiKey", "in": "header", "name": "K"}}
    one = operation(failures=(Failure(Slow),), security=({"key": ()},))

    found = document(one, security_schemes=key)

    answers = responses_of(found)
    assert {"Retry-After", "X-Limit"} <= set(answers["429"]["headers"])
    assert "WWW-Authenticate" in answers["401"]["headers"]
    assert "Retry-After" in answers["503"]["headers"]
    assert set(answers["200"]["headers"]) == {"X-Request-ID", "X-Trace-ID"}
    assert {"X-Request-ID", "X-Trace-ID", "Retry-After"} <= set(found["components"]["headers"])


def test_an_answer_has_the_headers_that_were_declared(operation, document):
    headers = (("Location", ""), ("ETag", "Its version."))
    one = operation("POST", answers=(Answer(201, headers=headers),))

    found = document(one)
    older = document(one, version="2.0")

    shown = responses_of(found)["201"]["headers"]
    assert shown["Location"] == {"$ref": "#/components/headers/Location"}
    assert shown["ETag"] == {"description": "Its version.", "schema": {"type": "string"}}
    assert older["paths"]["/things"]["post"]["responses"]["201"]["headers"]["Location"] == {
        "description": "Where the new resource is.",
        "type": "string",
        "format": "uri-reference",
    }


def test_a_failure_declared_twice_is_shown_once(operation, document):
    found = responses_of(document(operation(failures=(Failure(EmailTaken), Failure(EmailTaken)))))

    assert list(media_of(found["409"])["examples"]) == ["EmailTaken"]


def test_a_declared_failure_takes_the_place_of_the_general_one(operation, document):
    one = operation(path="/things/<id:int>", failures=(Failure(NotFound, description="No user."),))

    found = responses_of(document(one))["404"]

    assert found["description"] == "No user."
    assert list(media_of(found)["examples"]) == ["NotFound"]


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        (
            {"inputs": (Input(Source.QUERY, ThingSchema()),)},
            {"query": {"name": ["Missing data for required field."]}},
        ),
        (
            {"inputs": (Input(Source.QUERY, AllOptional()),)},
            {"query": {"theName": ["Field may not be null."]}},
        ),
        (
            {"inputs": (Input(Source.FORM, ThingSchema(), partial=True),), "method": "PATCH"},
            {"form": {"name": ["Field may not be null."]}},
        ),
        (
            {"inputs": (Input(Source.BODY, NoFields()),), "method": "POST"},
            {"body": {"name": ["Unknown field."]}},
        ),
        ({"page": Pages()}, {"query": {"page": ["Not a valid integer."]}}),
        ({"path": "/<name>"}, {"path": {"name": ["Null characters are not allowed."]}}),
    ],
)
def test_invalid_input_is_shown_where_it_is(operation, document, facts, error):
    media = media_of(responses_of(document(operation(**facts)))["422"])

    assert media["examples"]["InvalidInput"]["value"] == {
        "code": 100422,
        "message": "Invalid input",
        "error": error,
    }
    assert media["schema"] == {"$ref": "#/components/schemas/InvalidInput"}


@pytest.mark.parametrize("envelope", [DefaultEnvelope(), Bare(), ProblemDetails()])
@pytest.mark.parametrize("version", ["3.1", "3.0"])
def test_examples_are_valid_by_their_own_schema(operation, document, envelope, version):
    one = operation(
        "POST",
        "/things/<id:int>",
        inputs=(Input(Source.BODY, ThingSchema()),),
        failures=(Failure(EmailTaken), Failure(NameTaken), Failure(UnprocessableEntity)),
        envelope=envelope,
    )

    found = document(one, version=version)

    for status, answer in responses_of(found).items():
        assert status == "200" or list(answer["content"]) == [envelope.error_content_type]
        media = media_of(answer)
        for shown in media.get("examples", {}).values():
            assert is_valid(found, media["schema"], shown["value"])


def test_the_errors_of_invalid_input_are_described_by_location(operation, document):
    one = operation(inputs=(Input(Source.QUERY, ThingSchema()),))
    found = document(one)
    schema = media_of(responses_of(found)["422"])["schema"]

    def body(error: Any) -> dict[str, Any]:
        return DefaultEnvelope().error(ErrorFacts(422, 100422, "Invalid input", error))

    assert is_valid(found, schema, body({"body": {"a": ["m"], "b": {"0": {"c": ["m"]}}}}))
    assert not is_valid(found, schema, body({"nowhere": {"a": ["m"]}}))
    assert not is_valid(found, schema, body({"body": {"a": 1}}))


def test_another_422_than_invalid_input_may_hold_any_error(operation, document):
    one = operation(
        inputs=(Input(Source.QUERY, ThingSchema()),), failures=(Failure(UnprocessableEntity),)
    )

    media = media_of(responses_of(document(one))["422"])

    assert media["schema"]["anyOf"] == [
        {"$ref": "#/components/schemas/Error"},
        {"$ref": "#/components/schemas/InvalidInput"},
    ]


def test_invalid_input_may_be_declared_too(operation, document):
    one = operation(failures=(Failure(InvalidInput),))

    assert "422" in responses_of(document(one))


def test_two_envelopes_in_one_service_have_an_error_each(operation, document):
    operations = [
        operation(path="/a", envelope=DefaultEnvelope()),
        operation(path="/bb", envelope=ProblemDetails()),
    ]

    found = document(*operations)

    assert {"Error", "ProblemDetailsError"} <= set(found["components"]["schemas"])
    statuses = [item["get"]["responses"]["503"] for item in found["paths"].values()]
    kinds = [list(resolve(found, answer)["content"]) for answer in statuses]
    assert kinds == [["application/json"], ["application/problem+json"]]


def test_failures_that_operations_share_are_written_once(operation, document):
    operations = [
        operation(path="/a", failures=(Failure(ServiceUnavailable, description="Own."),)),
        operation(path="/bb"),
        operation(path="/ccc"),
        operation(path="/dddd", envelope=ProblemDetails()),
    ]

    found = document(*operations)

    shared = found["components"]["responses"]
    assert list(shared) == ["BadRequest", "ServerError", "ServiceUnavailable"]
    assert found["paths"]["/bb"]["get"]["responses"]["503"] == {
        "$ref": "#/components/responses/ServiceUnavailable"
    }
    assert found["paths"]["/a"]["get"]["responses"]["503"]["description"].startswith("Own.")
