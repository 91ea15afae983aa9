"""A failure that no method answers comes in the envelope of the Resource of its path."""

import aiohttp
import pytest

from msframework import Blueprint, Resource, doc
from msframework.envelope import DefaultEnvelope, ProblemDetails
from msframework.openapi import build_document
from msframework.operation import Operation, path_params
from msframework.template import Templates

PROBLEM, JSON = "application/problem+json", "application/json"


class Own(DefaultEnvelope):
    """An envelope that shows whose it is."""

    error_content_type = "application/own+json"


@pytest.fixture(params=[True, False], ids=["fast", "sanic"])
def service(request, make_service):
    service = make_service(server={"fast_path": request.param, "request_max_size": 1000})
    things = Blueprint("things", url_prefix="/things")

    @things.resource("/<id:int>")
    class Thing(Resource):
        envelope = ProblemDetails

        @doc.produces({"id": int})
        async def get(self, request, id):
            return {"id": id}

        @doc.consumes({"name": str})
        async def put(self, request, id, body):
            return body

        async def delete(self, request, id):
            raise ValueError

    @things.resource("/weather")
    class Weather(Resource):
        envelope = Own

        async def get(self, request):
            return "blue"

    @things.resource("/")
    class Things(Resource):
        async def get(self, request):
            return []

    @things.resource("/<id:int>/parts/<name:path>")
    class Parts(Resource):
        envelope = ProblemDetails

        async def get(self, request, id, name):
            return name

    service.blueprint(things)

    @service.get("/own/<id:uuid>")
    async def own(request, id):
        return 1

    return service


CASES = [
    ("GET", "/things/abc", {}, 404, PROBLEM),
    ("HEAD", "/things/abc", {}, 404, PROBLEM),
    ("PUT", "/things/abc", {"json": {}}, 404, PROBLEM),
    ("GET", "/things/1.5", {}, 404, PROBLEM),
    ("GET", "/things/abc/", {}, 404, PROBLEM),
    ("PATCH", "/things/1", {}, 405, PROBLEM),
    ("FOO", "/things/1", {}, 405, PROBLEM),
    ("PUT", "/things/1", {"data": b"{", "headers": {"content-type": JSON}}, 400, PROBLEM),
    ("PUT", "/things/1", {"data": b"a", "headers": {"content-type": "text/csv"}}, 415, PROBLEM),
    ("PUT", "/things/1", {"json": {"name": "x" * 2000}}, 413, PROBLEM),
    ("PUT", "/things/1", {"json": {"name": 5}}, 422, PROBLEM),
    ("DELETE", "/things/1", {}, 500, PROBLEM),
    ("GET", "/things/x/parts/a/b", {}, 404, PROBLEM),
    ("POST", "/things/1/parts/a/b", {}, 405, PROBLEM),
    ("POST", "/things/weather", {}, 405, "application/own+json"),
    ("FOO", "/things/weather", {}, 405, "application/own+json"),
    ("POST", "/things", {}, 405, JSON),
    ("GET", "/things/1/other", {}, 404, JSON),
    ("GET", "/things/x/parts", {}, 404, JSON),
    ("GET", "/nothing", {}, 404, JSON),
    ("GET", "/own/abc", {}, 404, JSON),
]


@pytest.mark.parametrize(("method", "path", "options", "status", "kind"), CASES)
async def test_a_failure_comes_in_the_envelope_of_its_path(
    service, serve, method, path, options, status, kind
):
    async with (
        serve(service) as (host, port),
        aiohttp.ClientSession() as session,
        session.request(method, f"http://{host}:{port}{path}", **options) as response,
    ):
        assert (response.status, response.content_type) == (status, kind)
        if method != "HEAD":
            body = await response.json(content_type=kind)
            assert ("title" in body) == (kind == PROBLEM)


async def test_the_document_says_the_same(service, serve):
    document = build_document(service.operations, service.settings)

    for method, path, _, status, kind in CASES:
        things = path.startswith("/things/") and path.rstrip("/").count("/") == 2
        if not things or method not in ("GET", "PUT", "DELETE"):
            continue
        responses = document["paths"]["/things/{id}"][method.lower()]["responses"]
        if str(status) in responses:
            answer = responses[str(status)]
            if "$ref" in answer:
                answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert list(answer["content"]) == [kind]


def operation(method, path, envelope=None):
    return Operation(
        id=f"{method}{path}",
        where="here",
        name="name",
        blueprint="",
        method=method,
        path=path,
        handler=None,
        arguments=(),
        path_params=path_params(path),
        envelope=envelope,
    )


def test_methods_that_do_not_agree_leave_others_to_the_service():
    default, problem, own = DefaultEnvelope(), ProblemDetails(), Own()
    templates = Templates(
        [operation("GET", "/a/<id:int>", problem), operation("PUT", "/a/<id:int>", own)], default
    )

    assert templates.envelope_of("GET", "/a/x") is problem
    assert templates.envelope_of("HEAD", "/a/x") is problem
    assert templates.envelope_of("PUT", "/a/x") is own
    assert templates.envelope_of("POST", "/a/x") is default
    assert templates.envelope_of("GET", "/b") is default


def test_what_is_literal_comes_before_what_is_not():
    default, problem, own = DefaultEnvelope(), ProblemDetails(), Own()
    templates = Templates(
        [
            operation("GET", "/<rest:path>", default),
            operation("GET", "/a/<id:int>", problem),
            operation("GET", "/<name:str>/b", own),
            operation("GET", r"/a/<name:[a-z]+\.txt>.gz", own),
        ],
        default,
    )

    assert templates.envelope_of("GET", "/a/b") is problem
    assert templates.envelope_of("GET", "/c/b") is own
    assert templates.envelope_of("GET", "/a/b/c") is default


def test_one_envelope_needs_no_look():
    default = DefaultEnvelope()

    assert Templates([operation("GET", "/a")], default)._templates == []
