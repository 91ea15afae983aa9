"""What a method's parameters may be, beside those that something declares."""

import functools

import aiohttp
import pytest

from msframework import Blueprint, ImproperlyConfigured, Resource


async def provided(request):
    return "provided"


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_a_parameter_with_a_default_keeps_it_where_nothing_declares_it(
    make_service, serve, fast
):
    service = make_service(server={"fast_path": fast})
    things = Blueprint("things")

    @things.get("/plain/<id:int>")
    async def plain(request, id=7, *, verbose=True, body=None, page=3):
        return {"id": id, "verbose": verbose, "body": body, "page": page}

    @things.resource("/resource")
    class Thing(Resource):
        async def get(self, request, repository="of the class", user="nobody"):
            return {"repository": repository, "user": user}

    service.provide("user", provided)
    service.blueprint(things)
    async with serve(service) as (host, port), aiohttp.ClientSession() as session:
        async with session.get(f"http://{host}:{port}/plain/1") as response:
            body = await response.json()
            assert body["data"] == {"id": 1, "verbose": True, "body": None, "page": 3}
        async with session.get(f"http://{host}:{port}/resource") as response:
            body = await response.json()
            assert body["data"] == {"repository": "of the class", "user": "provided"}


def test_a_parameter_without_a_name_is_refused(make_service):
    service = make_service()

    @service.get("/<id:int>")
    async def read(request, id, /): ...

    with pytest.raises(ImproperlyConfigured, match="'id' takes no name"):
        service.compile()


class Documented(Resource):
    """The base of several."""

    async def get(self, request):
        """Read it."""


class Undocumented(Resource):
    async def get(self, request): ...


class Inheriting(Documented):
    async def get(self, request): ...


class Reusing(Documented):
    pass


class Summarized(Documented):
    """Its own."""

    async def get(self, request): ...


@pytest.mark.parametrize(
    ("resource", "summary"),
    [
        (Undocumented, ""),
        (Inheriting, ""),
        (Reusing, "Read it"),
        (Summarized, "Its own"),
        (Documented, "Read it"),
    ],
)
def test_only_a_docstring_of_its_own_is_published(make_service, resource, summary):
    service = make_service()
    things = Blueprint("things")
    things.resource("/")(resource)
    service.blueprint(things)

    (operation,) = service.operations

    assert operation.summary == summary
    assert operation.description == (f"{summary}." if summary else "")


async def plain(request, extra=None): ...


async def described(request, extra=None):
    """Do it."""


@pytest.mark.parametrize(
    ("handler", "summary"),
    [
        (functools.partial(plain, extra=1), ""),
        (functools.partial(described, extra=1), "Do it"),
        (functools.partial(functools.partial(plain), extra=1), ""),
    ],
)
def test_what_functools_says_of_itself_is_not_published(make_service, handler, summary):
    service = make_service()
    service.add_route(handler, "/", name="it")

    (operation,) = service.operations

    assert (operation.summary, operation.description) == (summary, "Do it." if summary else "")
