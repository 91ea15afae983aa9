"""Declarations of inputs: several of one source, and those that no request could fill."""

import re
from pathlib import Path

import pytest
from marshmallow import Schema as MarshmallowSchema

from msframework import ImproperlyConfigured, Schema, doc
from msframework.operation import Source
from msframework.schemas import CommaList, JSONText, fields

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "endpoints.md"


class Part(MarshmallowSchema):
    """What is nested."""

    name = fields.String()


class Deep(MarshmallowSchema):
    """An object with a list, for which `deepObject` has no form."""

    names = fields.List(fields.String())


class Delimited(fields.List):
    """A list that leaves it to others to part a text."""

    delimiter = ","


class OwnText(fields.String):
    """A text that knows what to do with a file."""

    def _deserialize(self, value, attr, data, **kwargs):
        return value


UNREADABLE = {
    "nested": (fields.Nested(Deep), "an object"),
    "many nested": (fields.Nested(Part, many=True), "an object"),
    "a list of nested": (fields.List(fields.Nested(Part)), "an object"),
    "many plucked": (fields.Pluck(Part, "name", many=True), "an object"),
    "a dict": (fields.Dict(), "an object"),
    "a tuple with a dict": (fields.Tuple((fields.String(), fields.Dict())), "an object"),
    "a list of lists": (fields.List(fields.List(fields.String())), "a list within a list"),
    "a delimited list": (Delimited(fields.String()), "several values in one text"),
    "a list of another delimiter": (
        CommaList(fields.String(), delimiter=";"),
        "several values in one text",
    ),
    "a list of JSON": (fields.List(JSONText()), "JSON values within a list"),
    "commas in commas": (CommaList(CommaList(fields.String())), "a list within a list"),
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
    assert "test_inputs.py" in problem


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
        CommaList(fields.Integer()),
        JSONText(fields.Nested(Deep)),
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


def read(make_service, *notes, path="/x"):
    """Return the operation of a function with *notes*, the last one nearest to it."""
    service = make_service()

    async def handler(request, **inputs): ...

    for note in reversed(notes):
        handler = note(handler)
    service.add_route(handler, path, methods=["POST"])
    (operation,) = service.operations
    return operation


@pytest.mark.parametrize("source", ["query", "headers", "cookies", "form", "files"])
def test_a_source_has_several_inputs_each_with_its_argument(make_service, source):
    note = getattr(doc, source)

    operation = read(
        make_service, note({"a": fields.Raw()}), note({"b": fields.Raw()}, name="other")
    )

    given = {item.name: (item.source, set(item.schema.fields)) for item in operation.inputs}
    assert given == {source: (Source(source), {"a"}), "other": (Source(source), {"b"})}


def test_an_argument_is_of_the_source_of_its_input(make_service):
    service = make_service()

    @service.get("/")
    @doc.query({"a": int}, name="filter")
    @doc.headers({"b": int}, name="more")
    async def handler(request, more, filter): ...

    (operation,) = service.operations
    assert [(each.name, each.source) for each in operation.arguments[1:]] == [
        ("more", Source.HEADERS),
        ("filter", Source.QUERY),
    ]
    assert "method(request, more=given_more, filter=given_filter)" in service.sources["handler"]


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        ([doc.query({"a": int}), doc.query({"b": int})], "its query is declared twice"),
        (
            [doc.form({"a": int}, name="b"), doc.form({"b": int}, name="b")],
            "its b is declared twice. Keep one of the decorators, or give one of them another "
            "argument: name=….",
        ),
        (
            [doc.consumes({"a": int}), doc.consumes({"b": int})],
            "its body is declared twice, but a request has one JSON body. Keep one of the "
            "decorators, with one schema for the whole body.",
        ),
        (
            [doc.query({"a": int}, name="x"), doc.headers({"b": int}, name="x")],
            "@doc.query gives the argument 'x', as does @doc.headers; expected a name for each. "
            "Rename one of them.",
        ),
        (
            [doc.query({"a": int}, name="body"), doc.consumes({"a": int})],
            "@doc.query gives the argument 'body', as does @doc.consumes",
        ),
        (
            [doc.query({"a": int}, name="page"), doc.paginate()],
            "@doc.query gives the argument 'page', as does @doc.paginate",
        ),
        (
            [doc.cookies({"a": int}, name="key")],
            "@doc.cookies gives the argument 'key', as does <key> of the path",
        ),
        ([doc.query({"a": int}, name="my filter")], "@doc.query got the name 'my filter'"),
        ([doc.query({"a": int}, name="class")], "@doc.query got the name 'class'"),
        (
            [doc.query({"a": int, "q": int}), doc.query({"q": str}, name="other")],
            "@doc.query reads 'q' for its argument 'other' and for 'query'; expected each key in "
            "one of them. Drop it from one, or rename the field.",
        ),
        (
            [
                doc.headers({"x_token": int}),
                doc.headers({"t": fields.String(data_key="X-Token")}, name="other"),
            ],
            "@doc.headers reads 'x-token' for its argument 'other' and for 'headers'",
        ),
        (
            [doc.query({"a": int}), doc.query({"per_page": int}, name="other"), doc.paginate()],
            "@doc.paginate reads 'per_page' of the query, as does @doc.query",
        ),
    ],
)
def test_inputs_that_collide_are_refused(make_service, notes, told):
    with pytest.raises(ImproperlyConfigured) as caught:
        read(make_service, *notes, path="/<key>")

    (problem,) = caught.value.problems
    assert told in problem
    assert "test_inputs.py" in problem


def test_what_is_provided_under_the_name_of_an_input_is_refused(make_service):
    service = make_service()
    service.provide("filter", lambda request: None)

    @service.get("/")
    @doc.query({"a": int}, name="filter")
    async def handler(request, filter): ...

    with pytest.raises(ImproperlyConfigured, match="'filter' is the query of the request"):
        service.compile()


def test_the_first_parameter_is_not_an_input(make_service):
    service = make_service()

    @service.get("/")
    @doc.query({"a": int}, name="filter")
    async def handler(filter): ...

    with pytest.raises(ImproperlyConfigured, match="its first parameter 'filter' receives"):
        service.compile()


def test_the_page_about_endpoints_shows_what_compiles(make_service):
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    service = make_service()
    service.blueprint(names["things"])
    service.blueprint(names["listing"])

    found = {operation.name: operation for operation in service.operations}

    assert [item.name for item in found["search"].inputs] == ["order", "query", "page"]
    assert found["Thing.get"].path == "/things/<id:int>"
