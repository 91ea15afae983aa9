"""Declarations of inputs that no request could fill."""

import pytest
from marshmallow import Schema as MarshmallowSchema

from msframework import ImproperlyConfigured, Schema, doc
from msframework.schemas import fields


class Part(MarshmallowSchema):
    """What is nested."""

    name = fields.String()


class Delimited(fields.List):
    """As webargs has it."""

    delimiter = ","


class OwnText(fields.String):
    """A text that knows what to do with a file."""

    def _deserialize(self, value, attr, data, **kwargs):
        return value


UNREADABLE = {
    "nested": (fields.Nested(Part), "an object"),
    "many nested": (fields.Nested(Part, many=True), "an object"),
    "a list of nested": (fields.List(fields.Nested(Part)), "an object"),
    "many plucked": (fields.Pluck(Part, "name", many=True), "an object"),
    "a dict": (fields.Dict(), "an object"),
    "a tuple with a dict": (fields.Tuple((fields.String(), fields.Dict())), "an object"),
    "a list of lists": (fields.List(fields.List(fields.String())), "a list within a list"),
    "a delimited list": (Delimited(fields.String()), "several values in one text"),
}


def declare(make_service, source, field):
    """Return a service with one endpoint that reads *field* from *source*."""
    service = make_service()
    given = Schema.from_dict({"part": field})
    note = getattr(doc, source)(given)

    async def handler(request, **inputs): ...

    service.add_route(note(handler), "/x", methods=["POST"])
    return service


@pytest.mark.parametrize("source", ["query", "form", "headers", "cookies", "files"])
@pytest.mark.parametrize("case", UNREADABLE)
def test_what_no_request_can_say_is_refused_at_start_up(make_service, source, case):
    field, what = UNREADABLE[case]

    with pytest.raises(ImproperlyConfigured) as caught:
        declare(make_service, source, field).compile()

    told = f"the field 'part' takes {what}"
    (problem,) = (one for one in caught.value.problems if told in one)
    assert f"{source} cannot be read through" in problem
    assert "test_request.py" in problem


@pytest.mark.parametrize("source", ["query", "form", "headers", "cookies"])
@pytest.mark.parametrize(
    "field",
    [
        fields.String(),
        fields.List(fields.Integer()),
        fields.Tuple((fields.String(), fields.Date())),
        fields.Pluck(Part, "name"),
        fields.Raw(),
        fields.Nested(Part, dump_only=True),
    ],
)
def test_what_is_made_of_texts_is_taken(make_service, source, field):
    declare(make_service, source, field).compile()


@pytest.mark.parametrize(
    "field",
    [fields.String(), fields.List(fields.Integer()), fields.UUID(), fields.Boolean()],
)
def test_a_file_is_no_text(make_service, field):
    with pytest.raises(ImproperlyConfigured, match="takes a text, not a file"):
        declare(make_service, "files", field).compile()


@pytest.mark.parametrize("field", [fields.Raw(), fields.List(fields.Raw()), OwnText()])
def test_what_takes_files_is_taken(make_service, field):
    declare(make_service, "files", field).compile()


def test_a_json_body_may_hold_anything(make_service):
    service = make_service()

    @service.post("/x")
    @doc.consumes(Schema.from_dict({"part": fields.Nested(Part), "more": fields.Dict()}))
    async def handler(request, body): ...

    service.compile()
