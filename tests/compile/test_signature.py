"""What a method's parameters may be, beside those that something declares."""

import functools

import aiohttp
import pytest

from msframework import Blueprint, ImproperlyConfigured, Resource, doc
from msframework.operation import Source
from msframework.schemas import fields


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

    assert operation.text.summary == summary
    assert operation.text.description == (f"{summary}." if summary else "")


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

    assert (operation.text.summary, operation.text.description) == (
        summary,
        "Do it." if summary else "",
    )


def of_the_path(service):
    @service.get("/<id:int>")
    async def read(id): ...


def of_a_path_that_takes_all(service):
    @service.get("/<id:int>")
    async def read(id, **path): ...


def the_body(service):
    @service.post("/")
    @doc.consumes({"a": int})
    async def create(body): ...


def the_headers(service):
    @service.get("/")
    async def read(headers): ...


def the_page(service):
    @service.get("/")
    @doc.paginate()
    async def read(page): ...


def provided_by_the_service(service):
    service.provide("user", provided)

    @service.get("/")
    async def read(user): ...


def provided_by_the_blueprint(service):
    things = Blueprint("things")
    things.provide("user", provided)

    @things.resource("/")
    class Thing(Resource):
        async def get(self, user): ...

    service.blueprint(things)


def provided_after_it_was_compiled(service):
    @service.get("/")
    async def read(user): ...

    service.compile(strict=False)
    service.provide("user", provided)


@pytest.mark.parametrize(
    "declare",
    [
        provided_after_it_was_compiled,
        of_the_path,
        of_a_path_that_takes_all,
        the_body,
        the_headers,
        the_page,
        provided_by_the_service,
        provided_by_the_blueprint,
    ],
)
def test_a_forgotten_request_is_refused(make_service, declare):
    service = make_service()
    declare(service)

    with pytest.raises(ImproperlyConfigured, match="receives the request, whatever else"):
        service.compile()


@pytest.mark.parametrize("name", ["req", "_", "r", "user"])
def test_the_request_may_have_any_name_that_nothing_else_has(make_service, name):
    service = make_service()
    scope = {}
    exec(f"async def read({name}, *, id): ...", scope)
    service.get("/<id:int>")(scope["read"])

    (operation,) = service.operations

    assert [argument.name for argument in operation.arguments] == [name, "id"]


def of_a_path_parameter(service):
    service.provide("id", provided)

    @service.get("/<id:int>")
    async def read(request, id): ...


def of_the_body(service):
    things = Blueprint("things")
    things.provide("body", provided)

    @things.post("/")
    @doc.consumes({"a": int})
    async def create(request, body): ...

    service.blueprint(things)


def of_the_page(service):
    service.provide("page", provided)

    @service.get("/")
    @doc.paginate()
    async def read(request, page): ...


@pytest.mark.parametrize("declare", [of_a_path_parameter, of_the_body, of_the_page])
def test_a_provided_value_that_an_input_hides_is_refused(make_service, declare):
    service = make_service()
    declare(service)

    with pytest.raises(ImproperlyConfigured, match="never runs"):
        service.compile()


def test_a_provided_value_may_have_the_name_of_an_input_that_is_not_declared(make_service):
    service = make_service()
    service.provide("headers", provided)
    service.provide("id", provided)

    @service.get("/")
    async def read(request, headers, id): ...

    (operation,) = service.operations
    assert {argument.source for argument in operation.arguments[1:]} == {Source.PROVIDED}


@pytest.mark.parametrize(
    "query",
    [
        {"page": str},
        {"per_page": int},
        {"number": fields.Integer(data_key="page")},
    ],
)
def test_a_query_that_has_what_paginate_reads_is_refused(make_service, query):
    service = make_service()

    @service.get("/")
    @doc.query(query)
    @doc.paginate()
    async def read(request, query, page): ...

    with pytest.raises(ImproperlyConfigured, match=r"reads '(per_)?page' of the query"):
        service.compile()
