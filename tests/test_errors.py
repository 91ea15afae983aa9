"""Refused input: the same body whether the envelope is asked for it or was asked at start-up."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from msframework import Blueprint, doc
from msframework.envelope import Bare, DefaultEnvelope, ErrorFacts, ProblemDetails
from msframework.errors import ErrorAnswers
from msframework.serving.answer import Heads
from msframework.strict_json import dumps

REFUSED = {"body": {"name": ["Missing data for required field."], "é": ["No."]}, "query": {"a": []}}


class Narrow(DefaultEnvelope):
    """Inherits what it sends."""


class Counting(DefaultEnvelope):
    """Its body depends on the path and on the errors."""

    def error(self, facts):
        return {**super().error(facts), "path": facts.path, "count": len(facts.error)}


def changed():
    """Return an envelope whose object has a method of its own."""
    envelope = DefaultEnvelope()
    envelope.error = Counting().error
    return envelope


@pytest.fixture
def operation(make_service):
    service = make_service()
    things = Blueprint("things", url_prefix="/things")

    @things.post("/")
    @doc.consumes({"name": str})
    async def post(request, body): ...

    service.blueprint(things)
    service.compile()
    return service.operations[0]


@pytest.mark.parametrize("make", [DefaultEnvelope, Bare, Narrow, Counting, changed, ProblemDetails])
@pytest.mark.parametrize("errors", [REFUSED, {"body": {"\ud800": ["Unknown field."]}}], ids=str)
def test_a_refusal_is_what_its_envelope_says(operation, make, errors):
    envelope = make()
    answers = ErrorAnswers(Heads(), DefaultEnvelope(), debug=False)
    refuse = answers.refuse(replace(operation, envelope=envelope))

    answer = refuse(SimpleNamespace(path="/things"), errors)

    facts = ErrorFacts(422, 100422, "Invalid input", errors, "/things")
    assert answer.status == 422
    assert answer.content_type == envelope.error_content_type
    assert answer.body == dumps(envelope.error(facts))
