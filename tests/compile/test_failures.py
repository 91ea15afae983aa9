"""The failures of an operation are all that it can answer, whoever declares them."""

import aiohttp
import pytest

from msframework import Blueprint, Conflict, Gone, NotFound, Resource, doc

EVERY = {400, 500, 503}
BODY = {408, 413, 415, 422}


class NoThing(NotFound):
    """A 404 of the service's own."""


def statuses(operation):
    """Return the statuses of an operation's failures."""
    return {failure.exception.status_code for failure in operation.failures}


@pytest.fixture
def service(make_service):
    """Return a service with an operation of each kind."""
    gateways = {"type": "http", "scheme": "basic", "x-enforced-by": "gateway"}
    service = make_service(
        server={"request_max_size": 1000}, openapi={"security_schemes": {"key": gateways}}
    )
    things = Blueprint("things", url_prefix="/things")
    things.raises(Gone)

    @things.resource("/")
    class Things(Resource):
        @doc.paginate()
        async def get(self, request, page): ...

        @doc.consumes({"name": str})
        @doc.security("key")
        async def post(self, request, body): ...

    @things.resource("/<id:int>")
    class Thing(Resource):
        async def get(self, request, id): ...

        @doc.query({"q": str})
        @doc.raises(Conflict)
        async def put(self, request, id, query): ...

        @doc.form({"name": str})
        @doc.raises(NoThing)
        async def patch(self, request, id, form): ...

    @service.get("/plain")
    async def plain(request): ...

    @service.get("/<name>/text")
    async def text(request, name): ...

    service.blueprint(things)
    return service


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", EVERY),
        ("text", EVERY | {404, 422}),
        ("Things.get", EVERY | {410, 422}),
        ("Things.post", EVERY | BODY | {401, 403, 410}),
        ("Thing.get", EVERY | {404, 410}),
        ("Thing.put", EVERY | {404, 409, 410, 422}),
        ("Thing.patch", EVERY | BODY | {404, 410}),
    ],
)
def test_failures_follow_from_the_inputs_the_path_and_what_is_raised(service, name, expected):
    (operation,) = (each for each in service.operations if each.name == name)

    assert statuses(operation) == expected


def test_declared_failures_come_first(service):
    (put,) = (each for each in service.operations if each.name == "Thing.put")

    declared = [failure.exception for failure in put.failures if not failure.is_general]

    assert declared == [Conflict, Gone]
    assert [failure.exception for failure in put.failures[:2]] == declared


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "sanic"])
async def test_what_is_answered_is_among_them(make_service, serve, fast):
    service = make_service(server={"fast_path": fast, "request_max_size": 1000})

    @service.post("/<name>")
    @doc.consumes({"name": str})
    @doc.headers({"x_a": int})
    async def post(request, name, headers, body):
        raise RuntimeError("not expected")

    json = {"Content-Type": "application/json"}
    wrong = [
        ("a", b'{"name": ', json | {"X-A": "1"}),
        ("a", b'{"name": "b"}', {"Content-Type": "text/plain", "X-A": "1"}),
        ("a", b'{"name": "b"}', json | {"X-A": "b"}),
        ("%00", b'{"name": "b"}', json | {"X-A": "1"}),
        ("a", b'{"name": "b"}', json | {"X-A": "1"}),
        ("a", b"x" * 2000, json | {"X-A": "1"}),
    ]
    answered = []
    async with serve(service) as (host, port):
        for path, data, headers in wrong:
            async with (
                aiohttp.ClientSession() as session,
                session.post(
                    f"http://{host}:{port}/{path}", data=data, headers=headers
                ) as response,
            ):
                answered.append(response.status)

    assert answered == [400, 415, 422, 422, 500, 413]
    assert set(answered) <= statuses(service.operations[0])
