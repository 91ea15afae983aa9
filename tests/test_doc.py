"""What the decorators note, where they may stand, and what they refuse at once."""

import pytest
from sanic import Blueprint as SanicBlueprint

from msframework import (
    Blueprint,
    Conflict,
    Forbidden,
    Gone,
    ImproperlyConfigured,
    NotFound,
    Resource,
    Schema,
    doc,
)
from msframework.models import Model


class Taken(Conflict):
    """What a method raises for a constraint."""


class TakenElsewhere(Conflict):
    """What a class raises for the same."""


def failures_of(service):
    return {
        operation.name: [
            (failure.exception, failure.constraint)
            for failure in operation.failures
            if not failure.is_general
        ]
        for operation in service.operations
    }


def test_raises_takes_several_on_methods_classes_and_blueprints(make_service):
    service = make_service()
    things = Blueprint("things")
    things.raises(Forbidden, Gone)
    things.raises(TakenElsewhere, constraint="things_name")

    @doc.raises(NotFound, Gone, description="It is not there.")
    @doc.raises(TakenElsewhere, constraint="things_name")
    @things.resource("/")
    class Things(Resource):
        @doc.raises(Conflict, NotFound)
        @doc.raises(Taken, constraint="things_name")
        async def post(self, request): ...

        async def get(self, request): ...

    @things.get("/function")
    async def function(request): ...

    service.blueprint(things)

    assert failures_of(service) == {
        "Things.post": [
            (Conflict, None),
            (NotFound, None),
            (Taken, "things_name"),
            (NotFound, None),
            (Gone, None),
            (Forbidden, None),
        ],
        "Things.get": [
            (NotFound, None),
            (Gone, None),
            (TakenElsewhere, "things_name"),
            (Forbidden, None),
        ],
        "function": [(Forbidden, None), (Gone, None), (TakenElsewhere, "things_name")],
    }


def test_other_notes_on_a_blueprint_are_those_of_its_operations(make_service):
    gateways = {"type": "http", "scheme": "basic", "x-enforced-by": "gateway"}
    service = make_service(openapi={"security_schemes": {"outer": gateways}})
    things = Blueprint("things")
    doc.tag("of the blueprint")(things)
    doc.deprecated(things)
    doc.security("outer")(things)

    @things.get("/a")
    @doc.tag("own")
    @doc.security()
    async def own(request): ...

    @things.get("/b")
    async def bare(request): ...

    service.blueprint(things)
    service.blueprint(things.copy("copies", url_prefix="/copies", with_registration=False))

    found = {
        operation.path: (operation.text.tags, operation.text.deprecated, operation.security)
        for operation in service.operations
    }
    outer = (("of the blueprint",), True, ({"outer": ()},))
    assert found["/a"] == (("own",), True, ())
    assert found["/b"] == found["/copies/b"] == outer


def test_deprecated_may_have_parentheses(make_service):
    service = make_service()

    @service.get("/a")
    @doc.deprecated()
    async def a(request): ...

    @service.get("/b")
    @doc.deprecated
    async def b(request): ...

    assert [operation.text.deprecated for operation in service.operations] == [True, True]


def test_nothing_can_be_noted_on_a_plain_blueprint():
    with pytest.raises(TypeError, match=r"or a msframework\.Blueprint"):
        doc.raises(NotFound)(SanicBlueprint("plain"))


@pytest.mark.parametrize(
    "name",
    [
        "summary",
        "description",
        "tag",
        "operation_id",
        "security",
        "consumes",
        "query",
        "headers",
        "cookies",
        "form",
        "files",
        "produces",
        "paginate",
        "raises",
    ],
)
def test_a_decorator_without_parentheses_is_refused_where_it_stands(name):
    decorator = getattr(doc, name)

    async def handler(request): ...

    class Thing(Resource):
        async def get(self, request): ...

    with pytest.raises(ImproperlyConfigured) as caught:
        decorator(handler)

    line = handler.__code__.co_firstlineno
    assert f"test_doc.py:{line} " in str(caught.value)
    assert f"@doc.{name} is written without a call" in str(caught.value)
    assert f"Write @doc.{name}(…)" in str(caught.value)
    with pytest.raises(ImproperlyConfigured, match=rf"test_doc.py:\d+ .*Thing: @doc\.{name}"):
        decorator(Thing)


def test_classes_that_describe_data_are_taken():
    class Rows(Schema):
        pass

    class Row(Model):
        pass

    for thing in (Rows, Row, Rows(many=True), {"id": int}, [Rows]):
        doc.produces(thing)


def test_paginate_takes_names_only():
    with pytest.raises(TypeError, match="sizes by name, or one of Pages"):
        doc.paginate(20)


@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        (doc.raises(), "names no exception"),
        (doc.raises(Taken, Gone, constraint="x"), "several exceptions for the constraint 'x'"),
        (doc.raises(Taken, KeyError), "which is no exception of a service"),
    ],
)
@pytest.mark.parametrize("place", ["method", "class", "blueprint"])
def test_mistakes_are_told_wherever_they_stand(make_service, decorator, said, place):
    service = make_service()
    things = Blueprint("things")

    class Things(Resource):
        async def get(self, request): ...

    decorator({"method": Things.get, "class": Things, "blueprint": things}[place])
    things.resource("/")(Things)
    service.blueprint(things)

    with pytest.raises(ImproperlyConfigured, match=said):
        service.compile()
