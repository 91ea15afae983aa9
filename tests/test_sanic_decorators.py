"""Mistakes at the decorators of a blueprint or a service are told at start-up."""

import pytest

from msframework import Blueprint, ModelResource, Resource
from msframework.exceptions import ImproperlyConfigured
from tests.collection.shop import NoteSchema
from tests.conftest import new_service


class Notes(ModelResource):
    """The notes."""

    schema = NoteSchema


class Plain(Resource):
    async def get(self, request):
        return {}


class NoRequest(Resource):
    async def get(self):
        return {}


class NoSelf(Resource):
    async def get():
        return {}


class Demanding(Resource):
    def __init__(self, more):
        pass

    async def get(self, request):
        return {}


class DemandingNotes(Notes):
    def __init__(self, more):
        pass


async def answer(request):
    return {}


async def answer_nobody():
    return {}


async def answer_by_name(*, request):
    return {}


THIS = "tests/test_sanic_decorators.py:"
REQUEST = "its first parameter must be the request; it has none"
# The decorator, its arguments and options, what it decorates, and the mistakes.
MISTAKES = {
    "no request": ("resource", ("/x",), {}, NoRequest, (f"NoRequest.get: {REQUEST}",)),
    "no self": ("resource", ("/x",), {}, NoSelf, ("NoSelf.get: it takes no self",)),
    "arguments": (
        "resource",
        ("/x",),
        {},
        Demanding,
        ("Demanding: its __init__ cannot be",),
    ),
    "arguments of a collection": (
        *("collection", ("/x",), {}, DemandingNotes),
        ("DemandingNotes: its __init__ cannot be called",),
    ),
    "an option": (
        *("resource", ("/x",), {"strict": True}, Plain),
        ("@blueprint.resource('/x') has no option 'strict'", "Did you mean 'strict_slashes'?"),
    ),
    "an option of a collection": (
        *("collection", ("/x",), {"itm": "/x/<id:int>"}, Notes),
        ("@blueprint.collection('/x') has no option 'itm'; expected one of bulk, ", "'item'?"),
    ),
    "methods": (
        *("resource", ("/x",), {"methods": ["GET"]}, Plain),
        ("has no option 'methods'; expected one of error_format, ",),
    ),
    "no path": ("resource", (7,), {}, Plain, ("@blueprint.resource(…) got the path 7",)),
    "no path of a row": ("collection", ("/x",), {"item": 7}, Notes, ("got the path 7",)),
    "no request of a function": (
        *("get", ("/x",), {}, answer_nobody),
        (f"answer_nobody: {REQUEST}", "Write (request, …)."),
    ),
    "a request by name": ("get", ("/x",), {}, answer_by_name, (f"answer_by_name: {REQUEST}",)),
    "an option of a function": (
        *("post", ("/x",), {"nmae": "q"}, answer),
        ("@blueprint.post('/x') has no option 'nmae'; expected one of error_format, ", "'name'?"),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_says_where_it_is_what_was_found_and_what_there_is(name):
    decorator, args, options, decorated, texts = MISTAKES[name]
    blueprint, service = Blueprint("mistaken"), new_service()

    with pytest.raises(ImproperlyConfigured) as caught:
        getattr(blueprint, decorator)(*args, **options)(decorated)
        service.blueprint(blueprint)
        service.compile()

    said = str(caught.value)
    assert said.startswith(THIS)
    for text in texts:
        assert text in said


def test_a_service_says_it_too():
    service = new_service()
    service.put("/x", nmae="q")(answer)
    service.get("/y")(answer_nobody)

    with pytest.raises(ImproperlyConfigured, match="2 problems were found") as caught:
        service.compile()

    assert "@service.put('/x') has no option 'nmae'" in str(caught.value)


def test_mistakes_of_a_blueprint_are_told_together():
    blueprint, service = Blueprint("mistaken"), new_service()
    blueprint.resource("/a", strict=True)(Plain)
    blueprint.resource("/b")(NoRequest)
    service.blueprint(blueprint)

    with pytest.raises(ImproperlyConfigured, match="2 problems were found"):
        service.compile()


def test_options_of_sanic_are_taken():
    blueprint, service = Blueprint("taken"), new_service()
    blueprint.resource("/a", version=2, ctx_more=1)(Plain)
    blueprint.get("/b", name="other", version=2, ctx_more=1)(answer)
    blueprint.route("/c", methods=["GET", "POST"])(answer)
    service.blueprint(blueprint)
    service.compile()

    assert {"/v2/a", "/v2/b", "/c"} <= {operation.path for operation in service.operations}
